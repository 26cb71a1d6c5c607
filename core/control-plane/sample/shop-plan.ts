/** Who is who in the sample shop: its services, their ports and whom they call. */
import type { UpstreamAddress } from './upstream.ts';

export const sampleNamespace = 'shop';

/** What one process of the shop is told. */
export interface SampleServiceConfig {
  readonly role: string;
  readonly version: string | null;
  /** Port to listen on, on 127.0.0.1; `null`: none. */
  readonly port: number | null;
  readonly upstreams: readonly UpstreamAddress[];
}

export interface SampleMember {
  /** Name of the workload. */
  readonly name: string;
  readonly service: string;
  readonly version: string | null;
  /** Port by which the service is known; `null`: it only calls. */
  readonly servicePort: number | null;
  readonly protocol: 'http' | 'tcp';
  readonly calls: readonly string[];
  /** False: callers that know only the service's name do not get here (a second version beside the first). */
  readonly default: boolean;
}

const http = (name: string, calls: readonly string[]): SampleMember => ({
  name,
  service: name,
  version: 'v1',
  servicePort: 8080,
  protocol: 'http',
  calls,
  default: true,
});

export const sampleMembers: readonly SampleMember[] = [
  { ...http('ledger', []), servicePort: 7070, protocol: 'tcp' },
  http('inventory', []),
  { ...http('payments-v1', []), service: 'payments' },
  { ...http('payments-v2', []), service: 'payments', version: 'v2', default: false },
  http('orders', ['payments', 'inventory', 'ledger']),
  http('catalog', ['inventory']),
  http('web', ['catalog', 'orders']),
  { ...http('shoppers', ['web']), version: null, servicePort: null },
];
