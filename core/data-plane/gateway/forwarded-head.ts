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
const privateAddress = /^(?:10\.|127\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|::1$|f[cd])/i;

/**
 * Makes of a request from outside what Istio's gateways pass on: the client's address in `x-forwarded-for`, the scheme in
 * `x-forwarded-proto`, its certificate in `x-forwarded-client-cert`, and nothing that only the mesh may say.
 */
export class ForwardedHead {
  readonly #codec: HttpCodec;
  readonly #remote: string;
  readonly #entrance: GatewayEntrance;
  readonly #isSidecar: boolean;

  /** @param codec for heads that were changed; nobody else may be using it meanwhile */
  constructor(codec: HttpCodec, context: DownstreamContext, entrance: GatewayEntrance) {
    this.#codec = codec;
    this.#remote = context.remote.host;
    this.#entrance = entrance;
    this.#isSidecar = context.peerSpiffeId !== null;
  }

  apply(head: KeptHead): void {
    const given = this.#valueOf(head, 'x-forwarded-for');
    const { secure, clientCertificate } = this.#entrance;
    const isInternal = given === '' && privateAddress.test(this.#remote);
    const set: HeaderOperations['set'] = [
      ['x-forwarded-for', given === '' ? this.#remote : `${given},${this.#remote}`],
      ['x-forwarded-proto', secure && !this.#isSidecar ? 'https' : 'http'],
      isInternal ? ['x-envoy-internal', 'true'] : ['x-envoy-external-address', this.#remote],
      ...(clientCertificate === null ? [] : [['x-forwarded-client-cert', clientCertificate] as [string, string]]),
    ];
    const remove = [...(isInternal ? [] : internalOnly), 'x-forwarded-client-cert', 'x-envoy-external-address'];
    const edited = editHead(head.bytes, head, [{ remove, set, add: [] }], (value) => value);
    // A head that would be too large goes on as it came.
    if (this.#codec.parseRequest(edited, 0, edited.length) === 'complete') head.keep(edited, this.#codec.request);
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
