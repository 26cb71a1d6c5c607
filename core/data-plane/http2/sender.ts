import type { FrameWriter } from './frame-writer.ts';
import { defaultWindow, maxFrameBytes, maxWindow } from './protocol.ts';
import type { Http2Stream } from './stream.ts';

/** What content may leave: the connection's send window, and whose turn it is. */
export class Sender {
  readonly #writer: FrameWriter;
  /** Streams with queued content and a window of their own, in turn. */
  readonly #waiting: Http2Stream[] = [];
  #window = defaultWindow;
  stopped = false;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** False: above what a window may be. */
  grow(octets: number): boolean {
    this.#window += octets;
    return this.#window <= maxWindow;
  }

  /** The peer's initial window has changed (RFC 9113, 6.9.2). False: a stream's window is above what it may be. */
  growAll(streams: readonly Http2Stream[], octets: number): boolean {
    for (const stream of streams) {
      stream.sendWindow += octets;
      if (stream.sendWindow > maxWindow) return false;
      if (stream.queuedBytes > 0) this.schedule(stream);
    }
    this.pump();
    return true;
  }

  /** Writes as much as windows and wire allow, END_STREAM behind all of it when `isLast`. Returns the index after it. */
  write(stream: Http2Stream, bytes: Buffer, start: number, end: number, isLast: boolean): number {
    let at = start;
    while (at < end && this.#writer.flowing) {
      const room = Math.min(this.#window, stream.sendWindow, maxFrameBytes);
      if (room <= 0) return at;
      const to = Math.min(end, at + room);
      this.#window -= to - at;
      stream.sendWindow -= to - at;
      this.#writer.data(stream.id, bytes, at, to, isLast && to === end);
      at = to;
    }
    if (start === end && isLast) this.#writer.data(stream.id, bytes, start, end, true);
    return at;
  }

  schedule(stream: Http2Stream): void {
    if (stream.scheduled || stream.sendWindow <= 0) return;
    stream.scheduled = true;
    this.#waiting.push(stream);
  }

  /** One frame of each stream in turn, as long as windows and wire allow. */
  pump(): void {
    while (this.#window > 0 && this.#writer.flowing && !this.stopped) {
      const stream = this.#waiting.shift();
      if (stream === undefined) return;
      stream.scheduled = false;
      if (!stream.closed && stream.flush(maxFrameBytes)) this.schedule(stream);
    }
  }
}
