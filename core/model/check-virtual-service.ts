/** What a schema cannot say about a VirtualService as a whole. Source: istio/pkg/config/validation, ValidateVirtualService. */
import { checkWeights } from './check-destination.ts';
import { checkHttpRule, isClaimName } from './check-http-rule.ts';
import { checkExportTo, checkGatewayNames, checkLabels, checkSubnets } from './check-selectors.ts';
import { checkShadowing } from './check-shadowing.ts';
import { hostCovers, isIpAddress, wildcardDomainProblem } from './host-syntax.ts';
import type { TcpRule, TlsRule } from './l4-rules.ts';
import type { Problems } from './problems.ts';
import { defaultNamespace } from './resource-metadata.ts';
import type { VirtualService } from './virtual-service.ts';

export function checkVirtualService(resource: VirtualService, problems: Problems): void {
  const { spec, metadata } = resource;
  const { hosts = [], gateways = [], http = [], tls = [], tcp = [] } = spec;
  const at = problems.at('spec');
  const isDelegate = hosts.length === 0;
  if (isDelegate) checkDelegate(resource, at);
  const forMesh = gateways.length === 0 || gateways.includes('mesh');
  checkGatewayNames(gateways, at.at('gateways'));
  checkHosts(hosts, forMesh, at.at('hosts'));
  if (http.length + tls.length + tcp.length === 0) at.error('has no rules', 'Give http, tls or tcp.');
  for (const [index, rule] of http.entries()) checkHttpRule(rule, isDelegate, at.at('http', index));
  if (forMesh) checkClaims(resource, at);
  for (const [index, rule] of tls.entries()) checkTlsRule(rule, hosts, at.at('tls', index));
  for (const [index, rule] of tcp.entries()) checkTcpRule(rule, at.at('tcp', index));
  checkExportTo(spec.exportTo, { namespace: metadata.namespace ?? defaultNamespace }, at.at('exportTo'));
  checkShadowing(resource, at);
}

function checkDelegate({ spec }: VirtualService, problems: Problems): void {
  for (const field of ['gateways', 'tls', 'tcp'] as const) {
    if ((spec[field]?.length ?? 0) === 0) continue;
    problems
      .at(field)
      .error(
        'cannot stand in a VirtualService without hosts',
        'Give hosts, or leave it to the one that delegates to this.',
      );
  }
}

function checkHosts(hosts: readonly string[], forMesh: boolean, problems: Problems): void {
  for (const [index, host] of hosts.entries()) {
    const problem = isIpAddress(host) ? null : wildcardDomainProblem(host);
    if (problem !== null)
      problems.at(index).error(problem, 'Name a service: payments, or payments.shop.svc.cluster.local.');
    else if (host === '*' && forMesh)
      problems.at(index).error('"*" is for gateways only', 'Name the hosts, or list a gateway.');
    const earlier = hosts.slice(0, index).find((other) => hostCovers(other, host) || hostCovers(host, other));
    if (earlier !== undefined)
      problems.at(index).error(`"${host}" and "${earlier}" have a name in common`, 'Remove one of them.');
  }
}

/** Claims of a token are matched at gateways only. */
function checkClaims({ spec }: VirtualService, problems: Problems): void {
  for (const [index, rule] of (spec.http ?? []).entries()) {
    for (const [number, match] of (rule.match ?? []).entries()) {
      for (const group of ['headers', 'withoutHeaders'] as const) {
        const claim = Object.keys(match[group] ?? {}).find(isClaimName);
        if (claim === undefined) continue;
        problems
          .at('http', index, 'match', number, group, claim)
          .error(`"${claim}" is matched at gateways only`, 'List a gateway, or match a header.');
      }
    }
  }
}

function checkTlsRule(rule: TlsRule, hosts: readonly string[], problems: Problems): void {
  if (rule.match.length === 0)
    problems.at('match').error('must not be empty', 'Match the SNI: match: [{sniHosts: [...]}].');
  for (const [index, match] of rule.match.entries()) {
    const at = problems.at('match', index);
    if (match.sniHosts.length === 0)
      at.at('sniHosts').error('must not be empty', 'Name the hosts that the client asks for.');
    for (const [number, sni] of match.sniHosts.entries()) checkSni(sni, hosts, at.at('sniHosts', number));
    checkSubnets(match.destinationSubnets, at.at('destinationSubnets'));
    checkLabels(match.sourceLabels, at.at('sourceLabels'));
    checkGatewayNames(match.gateways, at.at('gateways'));
  }
  checkRoute(rule.route, problems);
}

function checkSni(sni: string, hosts: readonly string[], problems: Problems): void {
  if (isIpAddress(sni)) {
    problems.warn(`"${sni}" is an address, which clients do not send as SNI`, 'Name a host.');
    return;
  }
  const problem = wildcardDomainProblem(sni);
  if (problem !== null) problems.error(problem, 'Name a host.');
  else if (!hosts.some((host) => hostCovers(host, sni))) {
    problems.error(
      `"${sni}" is none of the hosts (${hosts.join(', ')})`,
      'Name one of spec.hosts, or a name that one of them covers.',
    );
  }
}

function checkTcpRule(rule: TcpRule, problems: Problems): void {
  for (const [index, match] of (rule.match ?? []).entries()) {
    const at = problems.at('match', index);
    checkSubnets(match.destinationSubnets, at.at('destinationSubnets'));
    checkLabels(match.sourceLabels, at.at('sourceLabels'));
    checkGatewayNames(match.gateways, at.at('gateways'));
  }
  checkRoute(rule.route, problems);
}

function checkRoute(route: TcpRule['route'], problems: Problems): void {
  if (route === undefined || route.length === 0) problems.error('needs a route', 'Name a destination.');
  checkWeights(route, problems.at('route'));
}
