import type { Finding } from '../../model/finding.ts';
import type { MeshResources } from '../../model/resource.ts';
import { gatewayProxies } from '../gateways/gateway-proxies.ts';
import { warning } from './check-references.ts';

/** Two Gateways that offer one host at one port of one proxy: which of the two a request meets is not defined. */
export function gatewayConflictFindings(resources: MeshResources, rootNamespace: string): readonly Finding[] {
  const findings = new Map<string, Finding>();
  for (const proxy of gatewayProxies(resources, rootNamespace)) {
    const taken = new Map<string, string>();
    for (const server of proxy.servers.filter(({ api }) => api === 'istio')) {
      for (const { namespace, host } of server.hosts) {
        const key = `${server.port} ${namespace}/${host}`;
        const first = taken.get(key) ?? server.gateway;
        taken.set(key, first);
        if (first === server.gateway) continue;
        const message = `Gateway ${server.gateway}: Gateway ${first} has "${host}" at port ${server.port} of ${proxy.name} already`;
        const hint = 'Merge the two, or give them different hosts or ports.';
        findings.set(message, warning('CONFLICTING_GATEWAY', message, hint));
      }
    }
  }
  return [...findings.values()];
}
