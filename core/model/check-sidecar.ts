/** What a schema cannot say about a Sidecar. Source: istio/pkg/config/validation, ValidateSidecar. */

import { checkDestination } from './check-destination.ts';
import { checkConnectionPool } from './check-destination-rule.ts';
import { checkServerTls, isSocketPath } from './check-gateway.ts';
import { checkNamespacedHost, checkSelector } from './check-selectors.ts';
import { fqdnProblem, isDnsLabel, isIpAddress, isTlsProtocol, toIstioProtocol } from './host-syntax.ts';
import type { Problems } from './problems.ts';
import type { Sidecar, SidecarPort } from './sidecar.ts';

type Ingress = NonNullable<Sidecar['spec']['ingress']>[number];
type Egress = NonNullable<Sidecar['spec']['egress']>[number];

export function checkSidecar({ spec }: Sidecar, problems: Problems): void {
  const at = problems.at('spec');
  if (spec.workloadSelector !== undefined) checkSelector(spec.workloadSelector.labels, at.at('workloadSelector'));
  const { ingress = [], egress = [], outboundTrafficPolicy: policy, inboundConnectionPool } = spec;
  if (ingress.length + egress.length === 0 && policy === undefined && inboundConnectionPool === undefined) {
    at.error('says nothing', 'Give egress, ingress, outboundTrafficPolicy or inboundConnectionPool.');
  }
  const inboundPorts = new Set<number>();
  for (const [index, listener] of ingress.entries()) checkIngress(listener, inboundPorts, at.at('ingress', index));
  checkConnectionPool(inboundConnectionPool, at.at('inboundConnectionPool'));
  const places = new Set<string>();
  for (const [index, listener] of egress.entries()) {
    if (listener.port === undefined && index !== egress.length - 1) {
      at.at('egress', index).error('has no port and is not the last', 'The listener for all other ports comes last.');
    }
    checkEgress(listener, places, at.at('egress', index));
  }
  if (policy?.egressProxy === undefined) return;
  const proxy = at.at('outboundTrafficPolicy', 'egressProxy');
  if (policy.mode !== 'ALLOW_ANY') proxy.error('needs mode ALLOW_ANY', 'Add mode: ALLOW_ANY.');
  const problem = fqdnProblem(policy.egressProxy.host);
  if (problem !== null) proxy.at('host').error(problem, 'Give the full name of the egress service.');
  if (policy.egressProxy.port === undefined) proxy.error('needs a port', 'Write port: {number: 443}.');
  checkDestination(policy.egressProxy, proxy);
}

function checkIngress(listener: Ingress, ports: Set<number>, problems: Problems): void {
  const { port, bind = '', tls } = listener;
  checkPort(port, problems.at('port'));
  const number = port.number ?? 0;
  if (number === 0) problems.at('port', 'number').error('must be 1 to 65535', 'Give the port.');
  if (ports.has(number)) problems.at('port', 'number').error(`${number} is there twice`, 'Give each port once.');
  ports.add(number);
  if (bind !== '' && !isIpAddress(bind)) problems.at('bind').error(`"${bind}" is no address`, 'Give an address.');
  checkDefaultEndpoint(listener.defaultEndpoint ?? '', problems.at('defaultEndpoint'));
  checkConnectionPool(listener.connectionPool, problems.at('connectionPool'));
  if (tls === undefined) return;
  const at = problems.at('tls');
  const vain = (
    ['httpsRedirect', 'credentialName', 'subjectAltNames', 'credentialNames', 'tlsCertificates'] as const
  ).find((field) => {
    const value = tls[field];
    return Array.isArray(value) ? value.length > 0 : Boolean(value);
  });
  if (vain !== undefined) at.at(vain).error('has no place at a sidecar', 'Give serverCertificate and privateKey.');
  if (tls.mode === 'ISTIO_MUTUAL' || tls.mode === 'AUTO_PASSTHROUGH')
    at.at('mode').error(`${tls.mode} has no place at a sidecar`, 'Use SIMPLE or MUTUAL.');
  if (!isTlsProtocol(toIstioProtocol(port.protocol ?? '')))
    at.error('needs protocol HTTPS or TLS', 'Change the protocol of the port.');
  checkServerTls(tls, at);
}

function checkDefaultEndpoint(endpoint: string, problems: Problems): void {
  if (endpoint === '') return;
  if (endpoint.startsWith('unix://')) {
    if (!isSocketPath(endpoint.slice('unix://'.length)))
      problems.error(`"${endpoint}" is no path of a socket`, 'Write unix:///path/to/socket.');
    return;
  }
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(endpoint);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3] ?? 0);
  if (match === null || !['', '127.0.0.1', '0.0.0.0', '::1', '::'].includes(host) || port < 1 || port > 65_535) {
    problems.error(`"${endpoint}" is not on this workload`, 'Write 127.0.0.1:8080, 0.0.0.0:8080 or unix:///path.');
  }
}

function checkEgress(listener: Egress, places: Set<string>, problems: Problems): void {
  const { port, bind = '', captureMode = 'DEFAULT', hosts } = listener;
  if (port !== undefined) {
    checkPort(port, problems.at('port'));
    const number = port.number ?? 0;
    const place = number === 0 ? bind : String(number);
    if (places.has(place)) problems.at('port').error(`${place} is there twice`, 'Give each listener once.');
    places.add(place);
    if (number === 0) {
      if (!bind.startsWith('unix://') || !isSocketPath(bind.slice('unix://'.length)))
        problems.at('bind').error('must be a Unix socket for port 0', 'Write unix:///path.');
      if (captureMode === 'IPTABLES')
        problems.at('captureMode').error('must be DEFAULT or NONE for a Unix socket', 'Use NONE.');
    } else if (bind !== '' && !isIpAddress(bind))
      problems.at('bind').error(`"${bind}" is no address`, 'Give an address.');
  }
  if (hosts.length === 0)
    problems.at('hosts').error('must not be empty', 'Use "./*" for the own namespace, "~/*" for nothing.');
  for (const [index, host] of hosts.entries()) checkNamespacedHost(host, false, problems.at('hosts', index));
}

function checkPort(port: SidecarPort, problems: Problems): void {
  if (port.name && !isDnsLabel(port.name))
    problems.at('name').error(`"${port.name}" is no name of a port`, 'Use letters, digits and "-".');
  if (port.protocol && toIstioProtocol(port.protocol) === null)
    problems
      .at('protocol')
      .error(`"${port.protocol}" is no protocol`, 'Use HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS.');
  if (port.targetPort) problems.at('targetPort').error('has no meaning at a sidecar', 'Remove it.');
}
