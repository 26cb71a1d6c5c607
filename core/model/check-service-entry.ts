/** What a schema cannot say about ServiceEntry and WorkloadEntry. Source: istio/pkg/config/validation, ValidateServiceEntry. */

import { isSocketPath } from './check-gateway.ts';
import { checkExportTo, checkLabels, checkSelector, checkSubnets } from './check-selectors.ts';
import {
  fqdnProblem,
  type IstioProtocol,
  isDnsLabel,
  isHttpProtocol,
  isIpAddress,
  isTlsProtocol,
  toIstioProtocol,
  wildcardDomainProblem,
} from './host-syntax.ts';
import type { Problems } from './problems.ts';
import { defaultNamespace } from './resource-metadata.ts';
import type { ServiceEntry } from './service-entry.ts';
import type { WorkloadEntrySpec } from './workload-entry.ts';

type Spec = ServiceEntry['spec'];

export function checkServiceEntry({ spec, metadata }: ServiceEntry, problems: Problems): void {
  const at = problems.at('spec');
  const { resolution = 'NONE', endpoints = [] } = spec;
  if (spec.workloadSelector !== undefined) {
    checkSelector(spec.workloadSelector.labels, at.at('workloadSelector'));
    if (spec.endpoints !== undefined)
      at.at('workloadSelector').error('cannot stand next to endpoints', 'Give one of them.');
    if (resolution === 'NONE') at.at('workloadSelector').warn('has no effect with resolution NONE', 'Use STATIC.');
  }
  checkHosts(spec, at);
  checkSubnets(spec.addresses, at.at('addresses'));
  if (spec.addresses?.some((address) => address.includes('/')) && resolution !== 'NONE' && resolution !== 'STATIC') {
    at.at('addresses').error(
      `cannot be blocks with resolution ${resolution}`,
      'Use NONE or STATIC, or single addresses.',
    );
  }
  checkPorts(spec, at);
  checkResolution(spec, at);
  const names = new Set((spec.ports ?? []).map(({ name }) => name));
  for (const [index, endpoint] of endpoints.entries()) {
    checkEndpoint(endpoint, { names, mayBeName: resolution !== 'STATIC' }, at.at('endpoints', index));
  }
  checkExportTo(
    spec.exportTo,
    { namespace: metadata.namespace ?? defaultNamespace, mayBeNone: true },
    at.at('exportTo'),
  );
}

function checkHosts({ hosts, resolution }: Spec, problems: Problems): void {
  if (hosts.length === 0) problems.at('hosts').error('must not be empty', 'Name one host.');
  for (const [index, host] of hosts.entries()) {
    const at = problems.at('hosts', index);
    const problem = host === '*' ? '"*" would be every host' : wildcardDomainProblem(host);
    if (problem !== null) at.error(problem, 'Name a host: api.example.com.');
    else if (host.includes('*') && !host.startsWith('*.') && resolution !== 'DYNAMIC_DNS') {
      at.warn(`"${host}" has a wildcard in part of a label`, 'Write *.example.com.');
    }
  }
}

const protocolOf = ({ protocol = '' }: { readonly protocol?: string | undefined }): IstioProtocol | null =>
  protocol === '' ? 'TCP' : toIstioProtocol(protocol);

function checkPorts(spec: Spec, problems: Problems): void {
  const ports = spec.ports ?? [];
  for (const [index, port] of ports.entries()) {
    const at = problems.at('ports', index);
    if (ports.findIndex(({ name }) => name === port.name) !== index)
      at.at('name').error(`"${port.name}" is there twice`, 'Name each port once.');
    if (ports.findIndex(({ number }) => number === port.number) !== index)
      at.at('number').error(`${port.number} is there twice`, 'Give each port once.');
    if (!isDnsLabel(port.name))
      at.at('name').error(`"${port.name}" is no name of a port`, 'Name it by its protocol: http, tcp-db.');
    if (port.number === 0) at.at('number').error('must be 1 to 65535', 'Give the port.');
    if (protocolOf(port) === null)
      at.at('protocol').error(`"${port.protocol}" is no protocol`, 'Use HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS.');
  }
  const opaque = ports.some(
    (port) => port.protocol === undefined || !(isHttpProtocol(protocolOf(port)) || isTlsProtocol(protocolOf(port))),
  );
  if ((spec.resolution ?? 'NONE') !== 'NONE' && spec.hosts.length > 1 && opaque) {
    problems
      .at('hosts')
      .error(
        'are several, with a port that is neither HTTP nor TLS',
        'TCP is told apart by address: give each host an entry of its own.',
      );
  }
}

function checkResolution(spec: Spec, problems: Problems): void {
  const { resolution = 'NONE', endpoints = [], hosts } = spec;
  const at = problems.at('endpoints');
  if (resolution === 'NONE' && endpoints.length > 0)
    at.error('have no place with resolution NONE', 'Use STATIC or DNS.');
  if (resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN') {
    const bad = endpoints.length === 0 ? hosts.find((host) => fqdnProblem(host) !== null) : undefined;
    if (bad !== undefined)
      problems.at('hosts').error(`"${bad}" cannot be looked up`, 'Give endpoints, or a host without a wildcard.');
    if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1)
      at.error('must be one at most with DNS_ROUND_ROBIN', 'Use DNS.');
  }
  if (resolution !== 'DYNAMIC_DNS') return;
  if (hosts.some((host) => !host.includes('*')))
    problems.at('hosts').error('must have a wildcard with DYNAMIC_DNS', 'Write *.example.com.');
  if ((spec.addresses?.length ?? 0) > 0)
    problems.at('addresses').error('have no place with DYNAMIC_DNS', 'Remove them.');
  if (endpoints.length > 0) at.error('have no place with DYNAMIC_DNS', 'Remove them.');
  for (const [index, port] of (spec.ports ?? []).entries()) {
    if (!['HTTP', 'TLS', 'GRPC', 'HTTP2'].includes(protocolOf(port) ?? ''))
      problems.at('ports', index).error('must be HTTP, HTTP2, GRPC or TLS with DYNAMIC_DNS', 'Change the protocol.');
  }
}

interface EndpointRules {
  /** Ports of the service; `null`: any. */
  readonly names: ReadonlySet<string> | null;
  readonly mayBeName: boolean;
}

export function checkEndpoint(
  endpoint: WorkloadEntrySpec,
  { names, mayBeName }: EndpointRules,
  problems: Problems,
): void {
  const { address, ports = {} } = endpoint;
  const socket = address?.startsWith('unix://') ? address.slice('unix://'.length) : null;
  if (socket !== null && names !== null && mayBeName) {
    problems.at('address').error(`"${address}" is neither a host name nor an address`, 'Give where it is reached.');
  } else if (socket !== null) {
    if (!isSocketPath(socket))
      problems.at('address').error(`"${address}" is no path of a socket`, 'Write unix:///path/to/socket.');
    if (Object.keys(ports).length > 0) problems.at('ports').error('have no place at a Unix socket', 'Remove them.');
    if (names !== null && names.size !== 1)
      problems.error('needs a service with exactly one port', 'A socket is one port.');
  } else if (address !== undefined && !isIpAddress(address)) {
    if (!mayBeName)
      problems
        .at('address')
        .error(`"${address}" is no address`, 'Resolution STATIC wants addresses; use DNS for names.');
    else if (fqdnProblem(address) !== null)
      problems.at('address').error(`"${address}" is neither a host name nor an address`, 'Give where it is reached.');
  }
  for (const name of Object.keys(ports)) {
    if (names !== null && !names.has(name))
      problems
        .at('ports', name)
        .error(`"${name}" is no port of the service`, `Its ports: ${[...names].join(', ') || 'none'}.`);
  }
  checkLabels(endpoint.labels, problems.at('labels'));
}
