/**
 * The seam between a request and who carries it. An exchange (exchange.ts) decides and relays; it talks to one *client
 * stream* and, per attempt, to one *server stream*, and knows the protocol of neither.
 *
 *   carrier   HTTP/1.1 on a wire, a stream of HTTP/2, a stream of the multiplexed transport
 *   head      bytes and the span tables of codec.ts, valid during the call only; lines marked `dropped` are not sent on
 *   body      bytes in one of the forms of `BodyForm`; every receiver takes `length` and `plain`, `chunked` only who says so
 *   tunnel    after 101, or 2xx to CONNECT: body bytes are the tunnel's bytes, the end of a body is one side's FIN
 *
 * How to plug in a carrier. Towards clients: implement `ClientStream` per request; get a `RequestSink` from
 * `RequestServer.accept` (one per stream, or one per connection for requests that follow each other), call `begin` with the
 * parsed head, then `start`, body and end. Towards servers: implement `UpstreamCarrier`, which turns a connected socket into an
 * `UpstreamSession`; give it to the handler under its ALPN. The upstream set opens sessions, shares them and forgets them.
 *
 * No callback runs inside a call of the one it would go to, with one exception: an answer may come inside
 * `start`, `body` or `end` of a sink. Whoever returns false is called back (`onDrain`, `clientDrained`) when it can take more.
 */
import type { Socket } from 'node:net';
import type { DownstreamContext, EdgeRecorder } from '../connection.ts';
import type { RequestLimit } from '../upstream/request-limit.ts';
import type { Wire, WireOwner } from '../wire/wire.ts';
import type { HeadFields, RequestHead, ResponseHead } from './codec.ts';
import type { HttpEndpoint } from './compiled-service.ts';

/**
 * `none`: no body follows. `length`: as many bytes as Content-Length says. `chunked`: HTTP/1.1 chunks as they are, last
 * chunk and trailers included, checked and without extensions. `plain`: data up to the end, which is told, with trailers as
 * a block; the head has neither Content-Length nor Transfer-Encoding, or they are dropped.
 */
export type BodyForm = 'none' | 'length' | 'chunked' | 'plain';

/** Why one side ended early. Carriers map it: HTTP/1.1 closes or resets, HTTP/2 and the transport send their code. */
export type CancelReason =
  /** The other party does not want it any more. */
  | 'cancelled'
  /** Nothing was processed: it may be repeated elsewhere, whatever the method. */
  | 'refused'
  /** What was sent breaks the rules of its protocol. */
  | 'protocol'
  /** The connection was lost, or ended in the middle. */
  | 'lost'
  | 'timeout'
  | 'overload'
  | 'internal';

/** What changes in a request's head, besides lines that are dropped. */
export interface RequestEdit {
  /** Target to write instead of the one sent; `null`: as sent. */
  readonly target: string | null;
  /** Host (`:authority`) to write instead of the one sent; `null`: as sent. */
  readonly host: string | null;
  /** Value of an `x-request-id` to add, 36 octets; `null`: none. Every attempt sends the same. */
  readonly requestId: Buffer | null;
}

/** An answer that the mesh gives by itself. */
export interface MeshAnswer {
  readonly status: number;
  /** Envoy's response flag, for `x-mesh-error`; '' for none. */
  readonly flag: string;
  /** One octet per character. */
  readonly body: string;
  /** Besides those that every answer has; lower-case names. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
  /** For gRPC clients; absent: the one that stands for `status`. */
  readonly grpcStatus?: number;
  /** Not even a gRPC client gets it in gRPC's words. Absent: no. */
  readonly verbatim?: boolean;
}

// --- downstream ------------------------------------------------------------------------------------------------------

/** One request's way back to its client. Calls after the end, `abort` or the client's going are ignored. */
export interface ClientStream {
  /** For edges: what the client speaks. */
  readonly protocol: 'http/1.1' | 'http/2';
  /** Responses may be sent in form `chunked`. */
  readonly takesChunked: boolean;
  /** 1xx other than 101. A carrier whose client knows none leaves it out. */
  sendInterim(bytes: Buffer, head: ResponseHead): void;
  /**
   * The final head and, behind it, body bytes `[bodyStart, bodyEnd)` of the same buffer. `isLast`: nothing follows. Returns
   * false when the exchange is to wait for `clientDrained`.
   */
  sendHead(
    bytes: Buffer,
    head: ResponseHead,
    form: BodyForm,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean;
  /** `isLast` with form `plain`: no trailers. */
  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean;
  /** Ends a response of form `plain` that has trailers. */
  sendTrailers(bytes: Buffer, trailers: HeadFields): void;
  /** Instead of everything above. */
  answer(answer: MeshAnswer): void;
  /** 101 (its head) or 2xx to CONNECT: a tunnel from here on. `sendBody` and `end` of both sides go on as bytes. */
  openTunnel(bytes: Buffer, head: ResponseHead): void;
  /** The response will not be completed: the client must not take it for whole. */
  abort(reason: CancelReason): void;
  /** Stop and go on with body bytes of the request. */
  pauseRequest(): void;
  resumeRequest(): void;
}

/** A request on its way in; what the client's carrier calls. */
export interface RequestSink {
  /** True between `begin` and the end of the exchange. */
  readonly busy: boolean;
  /** After `begin`: the body may be handed over in form `chunked`. */
  readonly takesChunked: boolean;
  /**
   * A request has come; it is routed. `arrivedAtMs`: monotonic time of its first byte. `start` follows at once, or
   * `refuseBody` when the part of the body that came along is broken.
   */
  begin(bytes: Buffer, head: RequestHead, form: BodyForm, arrivedAtMs: number): void;
  /** `[bodyStart, bodyEnd)` is the body as far as it is there, leaving with the head. `isLast`: nothing follows, `end` neither. */
  start(bytes: Buffer, bodyStart: number, bodyEnd: number, isLast: boolean): void;
  /** `isLast`: with it the request is complete, `end` does not follow. */
  body(bytes: Buffer, start: number, end: number, isLast?: boolean): void;
  /** Form `plain` only; `end` follows. */
  trailers(bytes: Buffer, trailers: HeadFields): void;
  /** The request is complete, if `start` has not said so; in a tunnel: the client's FIN. */
  end(): void;
  /** The body breaks its framing: nothing after it can be trusted. */
  refuseBody(reason: string): void;
  /** The client has not gone on with its body for too long. */
  bodyStalled(): void;
  clientDrained(): void;
  /** The stream is gone; nothing may be sent on it any more. */
  clientGone(reason: CancelReason): void;
}

/** What a client's carrier is given to hand its requests to. */
export interface RequestServer {
  /**
   * A sink for the requests of `client`, one at a time: `finished` tells the end of each, `complete` that the whole answer
   * was sent and the request read to its end.
   */
  accept(client: ClientStream, context: DownstreamContext, finished: (complete: boolean) => void): RequestSink;
}

// --- upstream --------------------------------------------------------------------------------------------------------

/** Why an attempt came to nothing. */
export interface ServerLoss {
  readonly reason: CancelReason;
  /** For the client and the log. */
  readonly message: string;
  /** It is certain that the server has not processed the request. */
  readonly unprocessed: boolean;
  /** The connection was kept from before and the server closed it in the meantime: no fault of this request. */
  readonly stale: boolean;
}

/**
 * What a server stream calls. Bytes, heads and trailers are valid during the call. With the response's last part the stream is
 * over: what was not sent of the request is given up.
 */
export interface ResponseSink {
  /** Responses may be handed over in form `chunked`. */
  readonly takesChunked: boolean;
  onInterim(bytes: Buffer, head: ResponseHead): void;
  onHead(bytes: Buffer, head: ResponseHead, form: BodyForm, bodyStart: number, bodyEnd: number, isLast: boolean): void;
  onBody(bytes: Buffer, start: number, end: number, isLast: boolean): void;
  /** Form `plain`; ends the response. */
  onTrailers(bytes: Buffer, trailers: HeadFields): void;
  /** The server has switched protocols, or accepted CONNECT; tunnel bytes follow as body. */
  onTunnel(bytes: Buffer, head: ResponseHead): void;
  onDrain(): void;
  /** Nothing follows. */
  onLost(loss: ServerLoss): void;
}

/** One attempt at a request on an open connection. Calls after its end are ignored. */
export interface ServerStream {
  /** Counts this connection's edge; `null`: the client's connection counts. */
  readonly recorder: EdgeRecorder | null;
  /** The connection has carried a request before. */
  readonly reused: boolean;
  /** `body[bodyStart, bodyEnd)` are the first bytes of the body. False: wait for `onDrain`. */
  sendHead(
    bytes: Buffer,
    head: RequestHead,
    edit: RequestEdit,
    form: BodyForm,
    body: Buffer,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean;
  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean;
  /** Ends a request of form `plain` that has trailers. */
  sendTrailers(bytes: Buffer, trailers: HeadFields): void;
  pauseResponse(): void;
  resumeResponse(): void;
  /** The request is given up; the sink hears nothing more. A connection that carries nothing else is closed. */
  cancel(reason: CancelReason): void;
}

/** A connection to an endpoint, with one request (HTTP/1.1) or many at a time. */
export interface UpstreamSession {
  /** Many requests at a time. */
  readonly shared: boolean;
  /** Requests under way. */
  readonly active: number;
  /** `open` would succeed now. */
  readonly available: boolean;
  /** False: no request may be opened any more, ever. */
  readonly usable: boolean;
  /** `null` when it turns out that it cannot be used any more. `protocol`: what the client speaks. */
  open(sink: ResponseSink, protocol: ClientStream['protocol']): ServerStream | null;
  /** No new requests; closes when those under way have ended. */
  retire(): void;
  destroy(): void;
  /** About once a second. */
  tick(nowMs: number): void;
}

export interface SessionOptions {
  readonly endpoint: HttpEndpoint;
  readonly recorder: EdgeRecorder | null;
  readonly monotonicMs: () => number;
  /** Takes the socket's connection over; absent: wire/open-wire.ts. */
  readonly openWire?: (owner: WireOwner) => Wire;
  /** What is known of how many requests the endpoint takes over a connection; absent: nothing. */
  readonly requestLimit?: RequestLimit;
  /** A request has ended, or the peer allows more: `available` may have become true. */
  readonly onRoom: (session: UpstreamSession) => void;
  /** Gone or of no more use (`usable` is false and nothing is under way). Called once. */
  readonly onClosed: (session: UpstreamSession) => void;
}

/** A protocol that requests can travel by to an endpoint. */
export interface UpstreamCarrier {
  /** Protocol that a TLS connection has agreed to when this carrier takes it; `null`: none. */
  readonly alpn: string | null;
  /** What it speaks on plaintext connections; `null`: it is for TLS only. */
  readonly plaintext: ClientStream['protocol'] | null;
  /** Its sessions are shared: requests wait for one that is being opened rather than opening their own. */
  readonly shared: boolean;
  /** Requests may be sent in form `chunked`. */
  readonly takesChunked: boolean;
  /** Takes over a connected socket. */
  createSession(socket: Socket, options: SessionOptions): UpstreamSession;
}
