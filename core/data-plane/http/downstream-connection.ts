import type { Socket } from 'node:net';
import type { DownstreamContext, EdgeRecorder } from '../connection.ts';
import { isOverfull } from '../wire/held-bytes.ts';
import { openWire } from '../wire/open-wire.ts';
import type { Wire, WireOwner } from '../wire/wire.ts';
import { ClientResponse } from './client-response.ts';
import { type ClientState, ClientTimes } from './client-times.ts';
import type { HeadFields, RequestHead, ResponseHead } from './codec.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import type { DownstreamParts } from './downstream-parts.ts';
import { countsCaller, inboundEdge, portOf, unroutedEdge } from './edges.ts';
import { maxPipelinedBytes } from './limits.ts';
import { writeAnswer, writeRefusal } from './local-answer.ts';
import { PartialBytes } from './partial-bytes.ts';
import { RequestBody } from './request-body.ts';
import { isConnect, isHead } from './request-method.ts';
import { tunnelEndpoint } from './routing.ts';
import { type SplicedConnection, spliceClient } from './splice.ts';
import type { BodyForm, CancelReason, ClientStream, MeshAnswer, RequestSink } from './streams.ts';

const carriageReturn = 13;
const lineFeed = 10;

/** One accepted connection: requests in order, one exchange at a time. */
export class DownstreamConnection implements ClientStream, WireOwner {
  readonly protocol = 'http/1.1';
  readonly context: DownstreamContext;
  readonly #parts: DownstreamParts;
  readonly #wire: Wire;
  readonly #recorder: EdgeRecorder | null;
  readonly #onClosed: () => void;
  readonly #body: RequestBody;
  readonly #response = new ClientResponse();
  readonly #partial = new PartialBytes();
  /** Made with the first request: most of what a connection costs. */
  #sink: RequestSink | null = null;
  #processing = false;
  /** The client has sent its FIN. */
  #ended = false;
  /** Our FIN was sent, or there is nobody to send it to. */
  #closing = false;
  #tunnel = false;
  #splice: SplicedConnection | null = null;
  readonly #times: ClientTimes;
  #paused = false;
  #minor = 1;
  #keepAlive = false;
  #headOnly = false;

  constructor(socket: Socket, context: DownstreamContext, parts: DownstreamParts, onClosed: () => void) {
    this.context = context;
    this.#parts = parts;
    this.#onClosed = onClosed;
    this.#body = new RequestBody(parts.codec);
    this.#times = new ClientTimes(parts.clock.monotonicMs());
    this.#recorder = countsCaller(context) ? parts.telemetry.edge(inboundEdge(context, portOf(context))) : null;
    this.#recorder?.connectionOpened();
    socket.setNoDelay(true);
    this.#wire = openWire(socket, this);
  }

  /** Takes the bytes that protocol detection has read. */
  begin(head: Buffer): void {
    if (head.length > 0) this.onBytes(head, 0, head.length);
  }

  /** Closes a connection that has been without a request since `sinceMs` or longer; the rest end with their answer. */
  endIfIdle(nowMs: number, graceMs: number, drainSinceMs: number): void {
    if (this.#isBusy || this.#partial.size > 0 || this.#closing || this.#switched) return;
    if (nowMs - Math.max(this.#times.idleSinceMs, drainSinceMs) >= graceMs) this.#close();
  }

  /** About once a second. */
  tick(nowMs: number): void {
    if (this.#switched && !this.#closing) return;
    switch (this.#times.due(nowMs, this.#state)) {
      case 'destroy':
        this.destroy();
        break;
      case 'body-stalled':
        this.#sink?.bodyStalled();
        break;
      case 'head-late':
        this.#refuse(408, 'SI', 'not come to the end of its head in time');
        break;
      case 'close':
        this.#close();
        break;
      case 'rest':
        this.#sink = null;
        break;
    }
  }

  get #state(): ClientState {
    if (this.#closing) return 'closing';
    if (this.#isBusy) return this.#body.done || this.#paused ? 'busy' : 'stuck';
    return this.#partial.size > 0 ? 'in-head' : 'idle';
  }

  destroy(): void {
    this.#closing = true;
    this.#wire.destroy();
  }

  get #isBusy(): boolean {
    return this.#sink?.busy === true;
  }

  get #switched(): boolean {
    return this.#tunnel || this.#splice !== null;
  }

  // --- for the exchange --------------------------------------------------------------------------------------------

  get takesChunked(): boolean {
    return this.#minor === 1;
  }

  sendInterim(bytes: Buffer, head: ResponseHead): void {
    if (this.#minor === 1) this.#response.sendInterim(this.#wire, bytes, head);
  }

  sendHead(
    bytes: Buffer,
    head: ResponseHead,
    form: BodyForm,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    const goOn = this.#response.sendHead(this.#wire, bytes, head, form, this.#minor, this.#mayKeep());
    if (bodyEnd === bodyStart && (!isLast || form !== 'plain')) return goOn;
    return this.#response.sendBody(this.#wire, bytes, bodyStart, bodyEnd, isLast);
  }

  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    const goOn = this.#response.sendBody(this.#wire, bytes, start, end, isLast);
    if (isLast && this.#tunnel) this.#wire.end();
    else if (!goOn && isOverfull()) this.#wire.reset();
    return goOn;
  }

  sendTrailers(bytes: Buffer, trailers: HeadFields): void {
    this.#response.sendTrailers(this.#wire, bytes, trailers);
  }

  answer({ status, flag, body, headers }: MeshAnswer): void {
    const keep = flag !== 'DPE' && flag !== 'SI' && this.#mayKeep();
    this.#response.closes = !keep;
    const connection = keep ? (this.#minor === 0 ? 'keep-alive' : null) : 'close';
    const answer = writeAnswer({ status, flag, body, headers, connection, headOnly: this.#headOnly });
    this.#wire.send(answer, 0, answer.length);
  }

  openTunnel(bytes: Buffer, head: ResponseHead): void {
    this.#tunnel = true;
    this.#response.sendUpgrade(this.#wire, bytes, head);
    this.resumeRequest();
    this.#handOverTunnel();
  }

  /** FIN where the framing tells the loss, so that what was sent still arrives; RST where a FIN would look like the end. */
  abort(_reason: CancelReason): void {
    this.#response.closes = true;
    if (!this.#tunnel && !this.#response.endsWithConnection) return;
    this.#closing = true;
    this.#wire.reset();
  }

  pauseRequest(): void {
    this.#paused = true;
    this.#wire.pause();
  }

  resumeRequest(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#times.activeAtMs = this.#parts.clock.monotonicMs();
    this.#wire.resume();
  }

  #mayKeep(): boolean {
    if (!this.#keepAlive || !this.#body.done || this.#parts.isLeaving(this)) return false;
    return !this.#ended || this.#partial.size > 0;
  }

  readonly #finished = (complete: boolean) => {
    this.#times.idleSinceMs = this.#parts.clock.monotonicMs();
    if (this.#tunnel) {
      if (!complete) this.#closing = true;
      return;
    }
    if (!complete || this.#response.closes) {
      this.#close();
      return;
    }
    this.resumeRequest();
    if (this.#partial.size === 0) {
      // The FIN came after the head of the answer had promised that the connection lives on.
      if (this.#ended) this.#close();
      return;
    }
    this.#times.arrivedAtMs = this.#times.idleSinceMs;
    if (!this.#processing) this.#processKept();
  };

  // --- wire --------------------------------------------------------------------------------------------------------

  onBytes(bytes: Buffer, start: number, end: number): void {
    // After our FIN we only read so that the client's late bytes do not turn into a reset.
    if (this.#closing) return;
    const partial = this.#partial;
    if (this.#tunnel && partial.size === 0) {
      this.#sink?.body(bytes, start, end);
    } else if (partial.size > 0) {
      partial.append(bytes, start, end);
      this.#processKept();
    } else {
      if (!this.#isBusy) this.#times.arrivedAtMs = this.#parts.clock.monotonicMs();
      const at = this.#process(bytes, start, end);
      if (at < end && !this.#closing) this.#keep(bytes, at, end);
    }
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#splice !== null) return;
    if (this.#tunnel) this.#sink?.end();
    else if (!this.#isBusy) this.#close();
    else if (this.#partial.size === 0) this.#endedInTheMiddle();
  }

  onDrain(): void {
    this.#sink?.clientDrained();
  }

  onClose(): void {
    this.#closing = true;
    this.#partial.clear();
    if (this.#isBusy) this.#sink?.clientGone('lost');
    this.#recorder?.connectionClosed();
    this.#onClosed();
  }

  /** FIN first; then we read on for a while, as a reset could overtake the answer. */
  #close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#partial.clear();
    this.#times.destroyAtMs = this.#parts.clock.monotonicMs() + this.#parts.lingerMs;
    this.#paused = false;
    this.#wire.resume();
    this.#wire.end();
  }

  // --- requests ----------------------------------------------------------------------------------------------------

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#partial.append(bytes, start, end);
    if (!this.#isBusy) this.#noteTried();
    else if (this.#partial.size >= maxPipelinedBytes) this.pauseRequest();
  }

  /** A head that is not whole waits for more, unless too much waits already. */
  #noteTried(): void {
    this.#partial.noteTried(this.#partial.start);
    if (isOverfull()) this.#refuse(503, 'OM', 'come while too much waits');
  }

  #processKept(): void {
    const partial = this.#partial;
    if (this.#tunnel) {
      this.#handOverTunnel();
      return;
    }
    if (!this.#isBusy && !partial.isWorthATry) return;
    const { bytes, start, end } = partial;
    const at = this.#process(bytes, start, end);
    if (this.#closing || partial.size === 0) return;
    if (at > start) partial.take(at);
    if (partial.size > 0 && !this.#isBusy) this.#noteTried();
    else if (partial.size >= maxPipelinedBytes && this.#body.done) this.pauseRequest();
    if (this.#ended) this.#endedInTheMiddle();
  }

  /** The client has ended its side: what is missing of a request now never comes. Answers to earlier ones still leave. */
  #endedInTheMiddle(): void {
    if (this.#isBusy && this.#body.done) return;
    this.#sink?.clientGone('lost');
    this.#close();
  }

  /** Returns the index up to which bytes were used. */
  #process(bytes: Buffer, start: number, end: number): number {
    let at = start;
    this.#processing = true;
    while (at < end && !this.#closing && !this.#switched) {
      const before = at;
      if (!this.#isBusy) at = this.#takeHead(bytes, at, end);
      else if (!this.#body.done) at = this.#takeBody(bytes, at, end);
      if (at === before) break;
    }
    this.#processing = false;
    return at;
  }

  /** Returns the index after head and body as far as they are there; `start`: wait for more. */
  #takeHead(bytes: Buffer, start: number, end: number): number {
    // RFC 9112 section 2.2: empty lines before a request line are skipped; old clients send one after a body.
    if (bytes[start] === carriageReturn) {
      if (start + 1 === end) return start;
      if (bytes[start + 1] === lineFeed) return start + 2;
    }
    const { codec } = this.#parts;
    const result = codec.parseRequest(bytes, start, end);
    if (result === 'incomplete') return start;
    if (result === 'refused') {
      this.#refuse(codec.refusal.status, 'DPE', codec.refusal.reason);
      return start;
    }
    const head = codec.request;
    if (isConnect(bytes, head)) {
      const beyond = tunnelEndpoint(this.context, this.#parts.config());
      if (beyond !== null) {
        this.#spliceTo(beyond, bytes, start, end);
        return end;
      }
    }
    return this.#beginRequest(bytes, head, end);
  }

  #beginRequest(bytes: Buffer, head: RequestHead, end: number): number {
    const form = head.chunked ? 'chunked' : head.contentLength > 0 ? 'length' : 'none';
    const body = this.#body;
    this.#minor = head.minor;
    this.#keepAlive = head.minor === 1 ? !head.close : head.keepAlive;
    this.#headOnly = isHead(bytes, head);
    this.#response.begin();
    this.#sink ??= this.#parts.requests.accept(this, this.context, this.#finished);
    const sink = this.#sink;
    const bodyStart = head.end;
    sink.begin(bytes, head, form, this.#times.arrivedAtMs);
    const decode = form === 'chunked' && !sink.takesChunked;
    body.begin(form, head, decode);
    const at = body.scan(bytes, bodyStart, end);
    if (at < 0) {
      sink.refuseBody(brokenChunks);
      return bodyStart;
    }
    if (!body.done) this.#times.activeAtMs = this.#parts.clock.monotonicMs();
    body.start(sink, bytes, bodyStart);
    return at;
  }

  #takeBody(bytes: Buffer, start: number, end: number): number {
    const sink = this.#sink;
    const at = this.#body.scan(bytes, start, end);
    if (sink === null) return end;
    if (at < 0) {
      sink.refuseBody(brokenChunks);
      return end;
    }
    this.#times.activeAtMs = this.#parts.clock.monotonicMs();
    this.#body.relay(sink, bytes);
    return at;
  }

  /** A request that cannot be understood: what follows it cannot be either. */
  #refuse(status: number, flag: string, reason: string): void {
    const { telemetry, clock } = this.#parts;
    const answer = writeRefusal(status, flag, reason);
    this.#wire.send(answer, 0, answer.length);
    const recorder = this.#recorder ?? telemetry.edge(unroutedEdge(this.context));
    recorder.request(status, flag, (clock.monotonicMs() - this.#times.arrivedAtMs) * 1_000);
    this.#close();
  }

  // --- tunnels -----------------------------------------------------------------------------------------------------

  /** Bytes that came early belong to the other protocol. */
  #handOverTunnel(): void {
    const partial = this.#partial;
    const { bytes, start, end } = partial;
    if (end > start) this.#sink?.body(bytes, start, end);
    partial.clear();
    if (this.#ended) this.#sink?.end();
  }

  /** CONNECT to a proxy beyond us: what follows is between the two. */
  #spliceTo(endpoint: HttpEndpoint, bytes: Buffer, start: number, end: number): void {
    const early = Buffer.from(bytes.subarray(start, end));
    const options = { endpoint, early, recorder: this.#recorder, onClosed: () => this.onClose() };
    this.#splice = spliceClient(this.#wire, this.#parts, options);
    if (this.#ended) this.#splice.onEnd();
  }
}

const brokenChunks = 'a broken chunked coding';
