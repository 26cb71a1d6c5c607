import { bodyCoding, type HeadInfo, type MuxErrorCode } from '../../core/data-plane/mux/frame.ts';
import { defaultLimits, type MuxLimits } from '../../core/data-plane/mux/limits.ts';
import { MuxSession } from '../../core/data-plane/mux/session.ts';
import type { MuxStream, MuxStreamOwner } from '../../core/data-plane/mux/stream.ts';
import { MemoryLink } from './memory-link.ts';

export const plainHead: HeadInfo = { body: bodyCoding.plain, interim: false, http2: false };

/** A stream's owner that writes down what it hears. */
export class Recorder implements MuxStreamOwner {
  stream: MuxStream | null = null;
  readonly heads: { info: HeadInfo; text: string; fin: boolean }[] = [];
  readonly chunks: Buffer[] = [];
  trailers: string | null = null;
  ended = false;
  drains = 0;
  resetCode: MuxErrorCode | null = null;
  resetReason = '';
  /** Takes bytes at once, as a fast consumer does. */
  takes = true;
  onHeadSeen: (stream: MuxStream) => void = () => undefined;
  onEndSeen: (stream: MuxStream) => void = () => undefined;

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  onHead(info: HeadInfo, bytes: Buffer, start: number, headEnd: number, end: number, fin: boolean): void {
    this.heads.push({ info, text: bytes.toString('latin1', start, headEnd), fin });
    if (end > headEnd) this.onData(bytes, headEnd, end);
    if (this.stream !== null) this.onHeadSeen(this.stream);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.chunks.push(Buffer.from(bytes.subarray(start, end)));
    if (this.takes) this.stream?.consumed(end - start);
  }

  onTrailers(bytes: Buffer, start: number, end: number): void {
    this.trailers = bytes.toString('latin1', start, end);
  }

  onEnd(): void {
    this.ended = true;
    if (this.stream !== null) this.onEndSeen(this.stream);
  }

  onDrain(): void {
    this.drains += 1;
  }

  onReset(code: MuxErrorCode, reason: string): void {
    this.resetCode = code;
    this.resetReason = reason;
  }
}

/** A client and a server session over a connection in memory. */
export class MuxPair {
  readonly link = new MemoryLink();
  readonly client: MuxSession;
  readonly server: MuxSession;
  readonly served: Recorder[] = [];
  readonly events: string[] = [];
  readonly closed: { client?: Error | null; server?: Error | null } = {};
  nowMs = 0;
  /** Called for each stream that the server accepts, before its head. */
  onServed: (recorder: Recorder, stream: MuxStream) => void = () => undefined;

  constructor(limits: { client?: Partial<MuxLimits>; server?: Partial<MuxLimits> } = {}) {
    this.client = new MuxSession(this.link.client, {
      role: 'client',
      monotonicMs: () => this.nowMs,
      limits: { ...defaultLimits, ...limits.client },
      owner: {
        onReady: () => this.events.push('ready'),
        onStream: () => new Recorder(),
        onRoom: () => undefined,
        onDraining: () => this.events.push('draining'),
        onClose: (error) => {
          this.closed.client = error;
        },
      },
    });
    this.server = new MuxSession(this.link.server, {
      role: 'server',
      monotonicMs: () => this.nowMs,
      limits: { ...defaultLimits, ...limits.server },
      owner: {
        onReady: () => undefined,
        onStream: (stream) => {
          const recorder = new Recorder();
          recorder.stream = stream;
          this.served.push(recorder);
          this.onServed(recorder, stream);
          return recorder;
        },
        onRoom: () => undefined,
        onDraining: () => undefined,
        onClose: (error) => {
          this.closed.server = error;
        },
      },
    });
  }

  static async open(limits: { client?: Partial<MuxLimits>; server?: Partial<MuxLimits> } = {}): Promise<MuxPair> {
    const pair = new MuxPair(limits);
    await pair.link.settle();
    return pair;
  }

  /** Opens a stream with a head and, behind it, `body`. */
  request(head: string, body = '', fin = true, info = plainHead): { stream: MuxStream; answer: Recorder } {
    const answer = new Recorder();
    const stream = this.client.open(answer);
    answer.stream = stream;
    const bytes = Buffer.from(head + body, 'latin1');
    if (!stream.sendHead(info, bytes, 0, head.length, bytes.length, fin))
      throw new Error('the stream was not admitted');
    return { stream, answer };
  }
}

/** Sends `text` as a head with a body behind it. */
export function answer(stream: MuxStream, head: string, body = '', fin = true, info = plainHead): void {
  const bytes = Buffer.from(head + body, 'latin1');
  stream.sendHead(info, bytes, 0, head.length, bytes.length, fin);
}
