/** Decisions that no rule makes: straight on, and the mesh's own answers where there is nowhere to go. */
import type { EdgeKey } from '../../model/telemetry-report.ts';
import type { Address } from '../connection.ts';
import type { HttpInjection } from '../faults/injection-set.ts';
import type { CompiledConfig } from './compiled-config.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import { outboundEdge } from './edges.ts';
import { noRetries } from './retry-plan.ts';
import { type Forward, forward, type LocalAnswer } from './route-plan.ts';

export const noFaults: readonly HttpInjection[] = [];

export function straight(endpoint: HttpEndpoint, edge: EdgeKey, service: string | null, host: string | null): Forward {
  return forward({
    candidates: [endpoint],
    service,
    route: null,
    timeoutMs: null,
    faults: noFaults,
    target: null,
    host,
    edge,
    retry: noRetries,
    actions: null,
    cluster: null,
  });
}

/** A plaintext address that belongs to no service. */
export function toPlainEndpoint({ host, port }: Address, edge: EdgeKey): HttpEndpoint {
  return {
    endpoint: { id: '', name: '', address: host, ports: [], version: null, hosts: [], mesh: false, spiffeId: '' },
    port,
    target: { host, port, tls: null },
    edge,
    key: `${edge.direction} ${host}:${port}`,
  };
}

export function noHealthyUpstream(service: string, edge: EdgeKey): LocalAnswer {
  return { kind: 'answer', status: 503, flag: 'UH', body: 'no healthy upstream', edge, service, route: null };
}

/** Asked of istiod: virtual host `block_all`, a response of its own without a flag. */
export function blocked(edge: EdgeKey): LocalAnswer {
  return { kind: 'answer', status: 502, flag: '', body: '', edge, service: null, route: 'block_all' };
}

export function unknownService(name: string, config: CompiledConfig, port: number): LocalAnswer {
  const body = `no service "${name}" in this mesh; known services: ${knownServices(config)}\n`;
  const edge = outboundEdge(null, null, null, port, false);
  return { kind: 'answer', status: 404, flag: 'NR', body, edge, service: null, route: null };
}

export function proxyUsage(config: CompiledConfig, port: number): LocalAnswer {
  const body = `ask for /proxy/{service}/{path} or use this address as HTTP proxy; known services: ${knownServices(config)}\n`;
  const edge = outboundEdge(null, null, null, port, false);
  return { kind: 'answer', status: 404, flag: 'NR', body, edge, service: null, route: null };
}

function knownServices(config: CompiledConfig): string {
  const keys = config.source.services.map((service) => service.key).sort();
  return keys.length === 0 ? '(none)' : keys.join(', ');
}
