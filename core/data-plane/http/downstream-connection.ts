import type { Socket } from 'node:net';
import type { Clock } from '../../shared/clock.ts';
import type { DownstreamContext, EdgeRecorder, UpstreamConnector } from '../connection.ts';
import { createBodyScanner } from './body-scanner.ts';
import type { RequestHead } from './codec.ts';
import type { CompiledConfig } from './compiled-config.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import { inboundEdge, portOf, unroutedEdge } from './edges.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeClient, ExchangeParts } from './exchange-parts.ts';
import { writeRequestHead } from './head-writer.ts';
import { writeAnswer } from './local-answer.ts';
import { type ParsedRequest, readRequest } from './parsed-request.ts';
import { type Routing, routeRequest, tunnelEndpoint } from './routing.ts';
import { spliceSockets } from './splice.ts';

export interface DownstreamParts extends ExchangeParts {
  readonly clock: Clock;
  readonly connector: UpstreamConnector;
  readonly config: () => CompiledConfig;
  readonly newId: () => string;
  readonly lingerMs: number;
  readonly isDraining: () => boolean;
}

/** Bytes of further requests that are kept while one is being answered. */
const maxPipelinedBytes = 64 * 1024;
/** A body up to this size is awaited before an answer of our own, so that the connection survives it. */
const smallBodyBytes = 64 * 1024;
/** An unfinished head is parsed again when a line has ended or it has grown by this much. */
const reparseBytes = 4 * 1024;
const carriageReturn = 13;
const lineFeed = 10;

/** One accepted connection: requests in order, one exchange at a time. */
export class DownstreamConnection implements ExchangeClient {
  readonly socket: Socket;
  readonly #context: DownstreamContext;
  readonly #parts: DownstreamParts;
  readonly #recorder: EdgeRecorder | null;
  readonly #body = createBodyScanner();
  #pending: Buffer | null = null;
  #parsedBytes = 0;
  #exchange: Exchange | null = null;
  #processing = false;
  /** The client has sent its FIN. */
  #ended = false;
  #closing = false;
  #switched = false;
  #idleSinceMs: number;
  #arrivedAtMs = 0;

  constructor(socket: Socket, context: DownstreamContext, parts: DownstreamParts, onClosed: () => void) {
    this.socket = socket;
    this.#context = context;
    this.#parts = parts;
    this.#idleSinceMs = parts.clock.monotonicMs();
    const inbound = context.direction === 'inbound';
    this.#recorder = inbound ? parts.telemetry.edge(inboundEdge(context, portOf(context))) : null;
    this.#recorder?.connectionOpened();
    socket.setNoDelay(true);
    socket.allowHalfOpen = true;
    socket.on('error', this.#handleError);
    socket.on('close', () => {
      this.#closing = true;
      this.#exchange?.clientGone();
      this.#exchange = null;
      this.#recorder?.connectionClosed();
      onClosed();
    });
    socket.on('data', this.#handleData);
    socket.on('end', this.#handleEnd);
    socket.on('drain', this.#handleDrain);
  }

  /** Takes the bytes that protocol detection has read. */
  begin(head: Buffer): void {
    if (this.socket.isPaused()) this.socket.resume();
    if (head.length > 0) this.#handleData(head);
    if (this.socket.readableEnded) this.#handleEnd();
  }

  /** Closes a connection that has been without a request since `sinceMs` or longer; the rest end with their answer. */
  endIfIdle(nowMs: number, graceMs: number, drainSinceMs: number): void {
    if (this.#exchange !== null || this.#pending !== null || this.#closing || this.#switched) return;
    if (nowMs - Math.max(this.#idleSinceMs, drainSinceMs) >= graceMs) this.#close();
  }

  // --- for the exchange --------------------------------------------------------------------------------------------

  mayLiveOn(): boolean {
    return !this.#parts.isDraining() && !(this.#ended && this.#pending === null);
  }

  setReading(reading: boolean): void {
    if (this.#switched || this.socket.isPaused() !== reading) return;
    if (reading) this.socket.resume();
    else this.socket.pause();
  }

  exchangeFinished(keepAlive: boolean): void {
    this.#exchange = null;
    this.#idleSinceMs = this.#parts.clock.monotonicMs();
    if (!keepAlive) {
      this.#close();
      return;
    }
    if (this.#pending !== null) this.#arrivedAtMs = this.#idleSinceMs;
    this.setReading(true);
    if (!this.#processing) this.#process();
  }

  upgraded(upstream: Socket, rest: Buffer, recorder: EdgeRecorder | null): void {
    this.#exchange = null;
    this.#switched = true;
    this.socket.off('data', this.#handleData);
    this.socket.off('end', this.#handleEnd);
    this.socket.off('drain', this.#handleDrain);
    const fromClient = this.#pending ?? Buffer.alloc(0);
    this.#pending = null;
    spliceSockets({
      client: this.socket,
      upstream,
      fromClient,
      fromUpstream: rest,
      onBytes: (sent, received) => recorder?.bytes(sent, received),
    });
  }

  // --- socket ------------------------------------------------------------------------------------------------------

  readonly #handleData = (bytes: Buffer) => {
    // After our FIN we only read so that the client's late bytes do not turn into a reset.
    if (this.#closing) return;
    if (this.#pending === null) {
      this.#pending = bytes;
      this.#parsedBytes = 0;
      if (this.#exchange === null) this.#arrivedAtMs = this.#parts.clock.monotonicMs();
    } else {
      this.#pending = Buffer.concat([this.#pending, bytes]);
    }
    if (!this.#processing) this.#process();
  };

  readonly #handleEnd = () => {
    this.#ended = true;
    if (this.#exchange === null) this.#close();
    else if (!this.#body.done) this.socket.destroy();
  };

  readonly #handleDrain = () => {
    this.#exchange?.clientDrained();
  };

  readonly #handleError = () => {
    // `close` always follows and cleans up; without a listener the error would be thrown.
    this.#closing = true;
  };

  /** FIN first; then we read on for a while, as a reset could overtake the answer. */
  #close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#pending = null;
    const { socket } = this;
    if (socket.isPaused()) socket.resume();
    socket.end(() => {
      const timer = setTimeout(() => socket.destroy(), this.#parts.lingerMs).unref();
      socket.once('close', () => clearTimeout(timer));
    });
  }

  // --- requests ----------------------------------------------------------------------------------------------------

  #process(): void {
    this.#processing = true;
    while (this.#pending !== null && !this.#closing && !this.#switched) {
      if (this.#exchange === null) {
        if (!this.#takeHead(this.#pending)) break;
      } else if (this.#body.done) {
        if (this.#pending.length >= maxPipelinedBytes) this.setReading(false);
        break;
      } else if (!this.#takeBody(this.#pending, this.#exchange)) {
        break;
      }
    }
    this.#processing = false;
    if (!this.#ended || this.#switched) return;
    if (this.#exchange === null) this.#close();
    // The FIN came while an earlier request was being answered: the rest of this one's body never will.
    else if (!this.#body.done) this.socket.destroy();
  }

  #keepFrom(bytes: Buffer, from: number): void {
    this.#pending = from < bytes.length ? bytes.subarray(from) : null;
    this.#parsedBytes = 0;
  }

  /** False: wait for more bytes, or nothing more will be read. */
  #takeHead(bytes: Buffer): boolean {
    const start = skipEmptyLines(bytes);
    if (start > 0) {
      this.#keepFrom(bytes, start);
      return true;
    }
    // Half of an empty line.
    if (bytes.length === 1 && bytes[0] === carriageReturn) return false;
    const grown = bytes.length - this.#parsedBytes;
    if (this.#parsedBytes > 0 && grown < reparseBytes && bytes.indexOf(lineFeed, this.#parsedBytes) < 0) return false;
    const { codec } = this.#parts;
    this.#parsedBytes = bytes.length;
    const result = codec.parseRequest(bytes, 0, bytes.length);
    if (result === 'incomplete') return false;
    if (result === 'refused') {
      this.#refuse(codec.refusal.status, codec.refusal.reason);
      return false;
    }
    const head = codec.request;
    const request = readRequest(bytes, head, portOf(this.#context));
    if ('reason' in request) {
      const beyond = request.status === 405 ? tunnelEndpoint(this.#context, this.#parts.config()) : null;
      if (beyond !== null) {
        this.#tunnel(beyond);
        return false;
      }
      this.#refuse(request.status, request.reason);
      return false;
    }
    const { end } = head;
    const kind = head.chunked ? 'chunked' : head.contentLength > 0 ? 'length' : 'none';
    this.#body.begin(kind, Math.max(0, head.contentLength), false);
    const exchange = this.#openExchange(bytes, head, request);
    this.#keepFrom(bytes, end);
    if (this.#body.done) exchange.endRequest();
    // A body that came along leaves with the head, in one write.
    else if (this.#pending !== null && !this.#takeBody(this.#pending, exchange)) return false;
    exchange.start();
    return true;
  }

  #openExchange(bytes: Buffer, head: RequestHead, request: ParsedRequest): Exchange {
    const { config, random, newId } = this.#parts;
    const routing = routeRequest(this.#context, request, config(), random);
    const outbound = this.#context.direction === 'outbound';
    const smallBody = !head.chunked && !head.expectContinue && head.contentLength <= smallBodyBytes;
    const outgoing = {
      method: request.method,
      target: request.target,
      headOnly: request.method === 'HEAD',
      minor: head.minor,
      upgrade: head.upgrade,
      keepAlive: head.minor === 1 ? !head.close : head.keepAlive,
      smallBody,
      startedAtMs: this.#arrivedAtMs,
      recorder: this.#recorder,
      sampled: outbound || this.#context.peerSpiffeId === null,
      head: writeRequestHead(bytes, head, {
        target: routing.kind === 'forward' ? routing.target : null,
        host: hostToWrite(routing, request, head),
        requestId: outbound && !head.hasRequestId ? newId() : null,
      }),
    };
    this.#exchange = new Exchange(this.#parts, this, outgoing, routing);
    return this.#exchange;
  }

  /** CONNECT to a proxy beyond us: what follows is between the two, so the connection goes on as plain bytes. */
  #tunnel(endpoint: HttpEndpoint): void {
    const { connector, telemetry } = this.#parts;
    const recorder = this.#recorder ?? telemetry.edge({ ...endpoint.edge, protocol: 'tcp' });
    const connecting = new AbortController();
    const abandon = () => connecting.abort();
    this.socket.once('close', abandon);
    this.socket.pause();
    this.#switched = true;
    connector.connect(endpoint.target, connecting.signal).then(
      (upstream) => {
        this.socket.off('close', abandon);
        upstream.on('error', () => upstream.destroy());
        upstream.allowHalfOpen = true;
        if (this.#recorder === null) {
          recorder.connectionOpened();
          upstream.once('close', () => recorder.connectionClosed());
        }
        this.upgraded(upstream, Buffer.alloc(0), recorder);
      },
      () => this.socket.destroy(),
    );
  }

  #takeBody(bytes: Buffer, exchange: Exchange): boolean {
    const end = this.#body.scan(bytes, 0, bytes.length);
    if (end < 0) {
      exchange.refuseBody();
      return false;
    }
    this.#keepFrom(bytes, end);
    const { spans, spanCount } = this.#body;
    for (let index = 0; index < spanCount; index += 2)
      exchange.pushBody(bytes.subarray(spans[index], spans[index + 1]));
    if (this.#body.done) exchange.endRequest();
    return true;
  }

  /** A request that cannot be understood: what follows it cannot be either. */
  #refuse(status: number, reason: string): void {
    const { telemetry, clock } = this.#parts;
    const body = `the request has ${reason}\n`;
    this.socket.write(writeAnswer({ status, flag: 'DPE', body, connection: 'close', headOnly: false }));
    const recorder = this.#recorder ?? telemetry.edge(unroutedEdge(this.#context));
    recorder.request(status, 'DPE', (clock.monotonicMs() - this.#arrivedAtMs) * 1_000);
    this.#close();
  }
}

/** RFC 9112 section 2.2: empty lines before a request line are skipped; old clients send one after a body. */
function skipEmptyLines(bytes: Buffer): number {
  let at = 0;
  while (bytes[at] === carriageReturn && bytes[at + 1] === lineFeed) at += 2;
  return at;
}

/** Upstream is always HTTP/1.1 and needs a Host; an HTTP/1.0 client may have sent none. */
function hostToWrite(routing: Routing, request: ParsedRequest, head: RequestHead): string | null {
  if (routing.kind === 'answer') return null;
  if (routing.host !== null) return routing.host;
  if (head.hostIndex >= 0) return null;
  const target = routing.candidates[0]?.target;
  return request.authority !== '' || target === undefined ? request.authority : `${target.host}:${target.port}`;
}
