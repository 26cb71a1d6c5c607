/** What a schema cannot say about a DestinationRule. Source: istio/pkg/config/validation, ValidateDestinationRule. */

import { checkLoadBalancer } from './check-load-balancer.ts';
import { checkExportTo, checkLabels, checkSelector } from './check-selectors.ts';
import type { DestinationRule } from './destination-rule.ts';
import { fqdnProblem, isDnsLabel, isIpAddress, labelsMapProblem, wildcardDomainProblem } from './host-syntax.ts';
import type { Problems } from './problems.ts';
import { defaultNamespace } from './resource-metadata.ts';
import type {
  ClientTls,
  ConnectionPool,
  OutlierDetection,
  PortTrafficPolicy,
  TrafficPolicy,
} from './traffic-policy.ts';

export function checkDestinationRule({ spec, metadata }: DestinationRule, problems: Problems): void {
  const at = problems.at('spec');
  const problem = wildcardDomainProblem(spec.host);
  if (problem !== null) at.at('host').error(problem, 'Name a service: payments, or payments.shop.svc.cluster.local.');
  checkTrafficPolicy(spec.trafficPolicy, at.at('trafficPolicy'));
  const names = new Set<string>();
  for (const [index, subset] of (spec.subsets ?? []).entries()) {
    const own = at.at('subsets', index);
    if (names.has(subset.name)) own.at('name').error(`"${subset.name}" is there twice`, 'Name each subset once.');
    names.add(subset.name);
    if (!isDnsLabel(subset.name))
      own.at('name').error(`"${subset.name}" is no name of a subset`, 'Use letters, digits and "-".');
    checkSubsetLabels(subset.labels ?? {}, own.at('labels'));
    checkTrafficPolicy(subset.trafficPolicy, own.at('trafficPolicy'));
  }
  if (spec.workloadSelector !== undefined) checkSelector(spec.workloadSelector.matchLabels, at.at('workloadSelector'));
  const exports = {
    namespace: metadata.namespace ?? defaultNamespace,
    ownNamespaceOnly: spec.workloadSelector !== undefined,
  };
  checkExportTo(spec.exportTo, exports, at.at('exportTo'));
}

/** A version comes from an image's tag, which allows more than a label does: a warning, so that its split still works. */
function checkSubsetLabels({ version, ...labels }: Readonly<Record<string, string>>, problems: Problems): void {
  checkLabels(labels, problems);
  if (version !== undefined && labelsMapProblem({ version }) !== null) {
    problems
      .at('version')
      .warn(
        `"${version}" is no value that Kubernetes allows for a label`,
        'Production refuses it; tag the image otherwise.',
      );
  }
}

function checkTrafficPolicy(policy: TrafficPolicy | undefined, problems: Problems): void {
  if (policy === undefined) return;
  const { portLevelSettings = [], ...others } = policy;
  if (Object.keys(others).length === 0 && portLevelSettings.length === 0)
    problems.error('says nothing', 'Leave it out, or give one field.');
  if (policy.tunnel !== undefined && policy.proxyProtocol !== undefined) {
    problems.error('has tunnel and proxyProtocol', 'Give one of them.');
  }
  checkCommon(policy, problems);
  for (const [index, port] of (policy.portLevelSettings ?? []).entries())
    checkPort(port, problems.at('portLevelSettings', index));
  const { tunnel } = policy;
  if (tunnel === undefined) return;
  const at = problems.at('tunnel');
  if (tunnel.protocol && !['CONNECT', 'POST'].includes(tunnel.protocol))
    at.at('protocol').error(`"${tunnel.protocol}" is not CONNECT or POST`, 'Use CONNECT.');
  const problem = isIpAddress(tunnel.targetHost) ? null : fqdnProblem(tunnel.targetHost);
  if (problem !== null) at.at('targetHost').error(problem, 'Name the host beyond the proxy.');
}

function checkPort(policy: PortTrafficPolicy, problems: Problems): void {
  if (policy.port === undefined) problems.error('needs a port', 'Write port: {number: 8080}.');
  if (Object.keys(policy).every((key) => key === 'port'))
    problems.error('says nothing', 'Give one field next to port.');
  checkCommon(policy, problems);
}

function checkCommon(policy: TrafficPolicy | PortTrafficPolicy, problems: Problems): void {
  checkOutlierDetection(policy.outlierDetection, problems.at('outlierDetection'));
  checkConnectionPool(policy.connectionPool, problems.at('connectionPool'));
  checkLoadBalancer(policy.loadBalancer, policy.outlierDetection !== undefined, problems.at('loadBalancer'));
  checkClientTls(policy.tls, problems.at('tls'));
}

function checkOutlierDetection(outlier: OutlierDetection | undefined, problems: Problems): void {
  if (outlier === undefined) return;
  if ((outlier.consecutiveErrors ?? 0) !== 0) {
    problems
      .at('consecutiveErrors')
      .warn(
        'is deprecated and has no effect any more, here as in istiod',
        'Use consecutiveGatewayErrors, which counts what it did, or consecutive5xxErrors.',
        'DEPRECATED',
      );
  }
  if ((outlier.consecutiveLocalOriginFailures ?? 0) > 0 && outlier.splitExternalLocalOriginErrors !== true) {
    problems
      .at('consecutiveLocalOriginFailures')
      .error('needs splitExternalLocalOriginErrors: true', 'Without the split, local failures count as 5xx.');
  }
}

export function checkConnectionPool(pool: ConnectionPool | undefined, problems: Problems): void {
  if (pool === undefined) return;
  if (pool.http === undefined && pool.tcp === undefined) problems.error('says nothing', 'Give tcp or http.');
  if (pool.http?.h2UpgradePolicy === 'UPGRADE' && pool.http.useClientProtocol === true) {
    problems.at('http', 'useClientProtocol').error('contradicts h2UpgradePolicy: UPGRADE', 'Give one of them.');
  }
  const keepAlive = pool.http?.http2KeepAlive;
  if (keepAlive !== undefined && (keepAlive.interval === undefined || keepAlive.timeout === undefined)) {
    problems.at('http', 'http2KeepAlive').error('needs interval and timeout', 'Give both.');
  }
}

function checkClientTls(tls: ClientTls | undefined, problems: Problems): void {
  if (tls === undefined) return;
  const { mode = 'DISABLE' } = tls;
  if (tls.insecureSkipVerify === true && (mode === 'SIMPLE' || mode === 'MUTUAL')) {
    const vain = (
      ['caCertificates', 'subjectAltNames', ...(mode === 'SIMPLE' ? (['credentialName'] as const) : [])] as const
    ).find((field) => tls[field]);
    if (vain !== undefined)
      problems.at(vain).error('means nothing with insecureSkipVerify: true', 'Remove one of them.');
  }
  if ((mode === 'SIMPLE' || mode === 'MUTUAL') && tls.credentialName) {
    const files = (['clientCertificate', 'caCertificates', 'privateKey', 'caCrl'] as const).find((field) => tls[field]);
    if (files !== undefined)
      problems.at(files).error('cannot stand next to credentialName', 'Give files or a credential.');
    return;
  }
  if (mode !== 'MUTUAL') return;
  if (!tls.clientCertificate)
    problems.error(
      'needs clientCertificate for mode MUTUAL',
      'Give clientCertificate and privateKey, or credentialName.',
    );
  if (!tls.privateKey)
    problems.error('needs privateKey for mode MUTUAL', 'Give clientCertificate and privateKey, or credentialName.');
}
