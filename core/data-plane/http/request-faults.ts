import type { HeaderOperations } from '../../model/traffic-config.ts';
import type { HttpInjection } from '../faults/injection-set.ts';
import type { ResponseHead } from './codec.ts';
import { type DrawnFaults, isStillOn, joinResponseFaults, type ResponseFaults } from './draw-faults.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import type { KeptHead } from './kept-head.ts';
import { whyUntouched } from './rewritten-body.ts';
import type { RouteWork } from './route-work.ts';
import { ShapedResponse, skippedHeader } from './shaped-response.ts';
import type { ClientStream } from './streams.ts';

export interface Shaping {
  /** There is room for more of the answer. */
  shapedDrained(): void;
  /** The answer has gone to the client as a whole, or (false) has been cut off. Never inside a call. */
  shapedEnded(complete: boolean): void;
  /** What is done to the answer's body, for the record. */
  flag(flag: string): void;
}

type Layer = HttpInjection['layer'];

/** Says which faults have hit a request, in its answer. */
const faultHeader = 'x-mesh-fault';

/** What faults do to the request under way, and to its answer. Reused from request to request. */
export class RequestFaults {
  /** The request's head as this try sends it; `null`: as it is. */
  editedHead: KeptHead | null = null;
  /** `null`: the answer's body goes on as it comes. */
  response: ResponseFaults | null = null;
  shaped: ShapedResponse | null = null;
  readonly #parts: ExchangeParts;
  readonly #work: RouteWork;
  readonly #client: ClientStream;
  #byLayer: { readonly [L in Layer]?: DrawnFaults | null } | null = null;

  constructor(parts: ExchangeParts, work: RouteWork, client: ClientStream) {
    this.#parts = parts;
    this.#work = work;
    this.#client = client;
  }

  /** A new request. */
  begin(): void {
    if (this.#byLayer === null) return;
    this.#byLayer = null;
    this.editedHead = null;
    this.response = null;
    this.shaped = null;
  }

  /** They replace those of the same layer that hit before. */
  drawn(layer: Layer, drawn: DrawnFaults | null): void {
    if (drawn === null && this.#byLayer === null) return;
    this.#byLayer = { ...this.#byLayer, [layer]: drawn };
    const all = this.#all;
    const requestHeaders = all.flatMap((one) => one.requestHeaders);
    this.editedHead = requestHeaders.length === 0 ? null : this.#work.editedHead(requestHeaders);
    this.response = all.reduce<ResponseFaults | null>((sum, { response }) => joinResponseFaults(sum, response), null);
    this.#work.faultEdits = all.length === 0 ? null : toEdits(all);
  }

  /** What the answer goes through on its way to the client; `null`: nothing. */
  shape(bytes: Buffer, head: ResponseHead, shaping: Shaping): ShapedResponse | null {
    const { response: faults } = this;
    if (faults === null) return null;
    const untouched = faults.body.length === 0 ? null : whyUntouched(bytes, head);
    if (untouched !== null) {
      const set: [string, string][] = [[skippedHeader, `body: ${untouched}`]];
      this.#work.faultEdits = [...(this.#work.faultEdits ?? []), { remove: [], set, add: [] }];
    }
    const { codec, clock, config, faultsAllowed } = this.#parts;
    const all = this.#all;
    const isOn = (drawn: DrawnFaults) => isStillOn(drawn, config().injections, clock.nowMs());
    const shaped: ShapedResponse = new ShapedResponse({
      client: this.#client,
      codec,
      faults,
      monotonicMs: () => clock.monotonicMs(),
      holds: () => faultsAllowed() && all.some(isOn),
      drained: () => shaping.shapedDrained(),
      // The server's carrier may be in the middle of handing the answer over.
      ended: (complete) => queueMicrotask(() => this.shaped === shaped && shaping.shapedEnded(complete)),
    });
    this.shaped = shaped;
    shaping.flag(faults.bytesPerSecond === null ? 'FI' : 'DI');
    return shaped;
  }

  /** The request is over. */
  close(): void {
    this.shaped?.close();
  }

  get #all(): readonly DrawnFaults[] {
    const { request, attempt } = this.#byLayer ?? {};
    return [request, attempt].filter((drawn) => drawn !== undefined && drawn !== null);
  }
}

function toEdits(all: readonly DrawnFaults[]): readonly HeaderOperations[] {
  const ids = all.flatMap(({ hits }) => hits.map(({ config }) => config.id));
  const set: [string, string][] = [[faultHeader, ids.join(', ')]];
  return [...all.flatMap(({ responseHeaders }) => responseHeaders), { remove: [], set, add: [] }];
}
