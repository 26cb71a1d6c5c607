import type { HeaderOperations } from '../../model/traffic-config.ts';
import type { DownstreamContext, GatewayEntrance } from '../connection.ts';
import type { HttpCodec } from '../http/codec.ts';
import { editHead } from '../http/edit-head.ts';
import type { KeptHead } from '../http/kept-head.ts';

/** What clients outside may not tell the mesh (Envoy, http_conn_man headers, edge requests). */
const internalOnly = [
  ...['decorator-operation', 'downstream-service-cluster', 'downstream-service-node', 'retriable-status-codes'],
  ...['retriable-header-names', 'retry-on', 'retry-grpc-on', 'max-retries', 'upstream-alt-stat-name'],
  ...['upstream-rq-timeout-ms', 'upstream-rq-per-try-timeout-ms', 'upstream-rq-timeout-alt-response'],
  ...['expected-rq-timeout-ms', 'force-trace', 'ip-tags', 'original-path', 'hedge-on-per-try-timeout', 'internal'],
].map((name) => `x-envoy-${name}`);

/**
 * Makes of a request from outside what Istio's gateways pass on: the client's address in `x-forwarded-for`, the scheme in
 * `x-forwarded-proto`, its certificate in `x-forwarded-client-cert`, and nothing that only the mesh may say. Asked of Envoy
 * 1.40, to which no address is internal by itself.
 */
export class ForwardedHead {
  readonly #codec: HttpCodec;
  readonly #remote: string;
  readonly #entrance: GatewayEntrance;
  readonly #isSidecar: boolean;
  readonly #removed: string[];

  /** @param codec for heads that were changed; nobody else may be using it meanwhile */
  constructor(codec: HttpCodec, context: DownstreamContext, entrance: GatewayEntrance) {
    this.#codec = codec;
    this.#remote = context.remote.host;
    this.#entrance = entrance;
    this.#isSidecar = context.peerSpiffeId !== null;
    // A request from outside gets an id of its own; a sidecar has given it one.
    this.#removed = [...internalOnly, 'x-forwarded-client-cert', ...(this.#isSidecar ? [] : ['x-request-id'])];
  }

  apply(head: KeptHead): void {
    const given = this.#valueOf(head, 'x-forwarded-for');
    const { secure, clientCertificate } = this.#entrance;
    const set: HeaderOperations['set'] = [
      ['x-forwarded-for', given === '' ? this.#remote : `${given},${this.#remote}`],
      ['x-forwarded-proto', secure && !this.#isSidecar ? 'https' : 'http'],
      ['x-envoy-external-address', this.#remote],
      ...(clientCertificate === null ? [] : [['x-forwarded-client-cert', clientCertificate] as [string, string]]),
    ];
    const edited = editHead(head.bytes, head, [{ remove: this.#removed, set, add: [] }], (value) => value);
    if (this.#codec.parseRequest(edited, 0, edited.length) === 'complete') head.keep(edited, this.#codec.request);
    // Too large with what it would be given: then it says nothing of where it comes from, least of all in a client's words.
    else this.#withhold(head, [...this.#removed, ...set.map(([name]) => name)]);
  }

  #withhold(head: KeptHead, names: readonly string[]): void {
    for (let index = 0; index < head.count; index += 1) {
      const name = head.bytes.toString('latin1', head.nameStart[index], head.nameEnd[index]).toLowerCase();
      if (names.includes(name)) head.dropped[index] = 1;
    }
  }

  #valueOf({ bytes, count, nameStart, nameEnd, valueStart, valueEnd }: KeptHead, wanted: string): string {
    const values: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const [start = 0, end = 0] = [nameStart[index], nameEnd[index]];
      if (end - start !== wanted.length) continue;
      if (bytes.toString('latin1', start, end).toLowerCase() !== wanted) continue;
      values.push(bytes.toString('latin1', valueStart[index], valueEnd[index]));
    }
    return values.join(',');
  }
}
