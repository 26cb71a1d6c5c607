import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { createSeededRandom } from '../../../core/shared/random.ts';
import { type ResponseMessage, readResponses, type Stream } from './reference-parser.ts';

/** How a case's bytes are cut into writes. */
export type Cutting = 'whole' | 'bytes' | { readonly seed: number };

const maxPieces = 600;

/** Pieces that make up `text`; byte by byte only as far as that stays quick. */
export function cutBytes(text: string, cutting: Cutting): string[] {
  if (cutting === 'whole') return [text];
  if (cutting === 'bytes') {
    const single = [...text.slice(0, maxPieces)];
    return text.length > maxPieces ? [...single, text.slice(maxPieces)] : single;
  }
  const random = createSeededRandom(cutting.seed);
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const length = 1 + Math.floor(random() * Math.max(8, text.length / 8));
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

/** A client that writes what it is told, byte for byte, and keeps what comes back. */
export class RawClient {
  readonly socket: Duplex;
  received = '';
  /** The other side has sent its FIN or is gone. */
  ended = false;
  /** The connection ended with an error, a reset for one. */
  failed = false;
  #wake: () => void = () => undefined;

  constructor(socket: Duplex) {
    this.socket = socket;
    const note = () => {
      const wake = this.#wake;
      this.#wake = () => undefined;
      wake();
    };
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
      note();
    });
    socket.on('end', () => {
      // libuv may take a reset for the end of the stream; writing nothing fails after one, and does nothing otherwise.
      const over = (error?: Error | null) => {
        if (error) this.failed = true;
        this.ended = true;
        note();
      };
      if (socket.writable) socket.write(Buffer.alloc(0), over);
      else over();
    });
    socket.on('error', () => {
      this.failed = true;
    });
    socket.on('close', () => {
      this.ended = true;
      note();
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  async send(text: string, cutting: Cutting = 'whole'): Promise<void> {
    for (const piece of cutBytes(text, cutting)) {
      if (this.failed || !this.socket.writable) return;
      this.socket.write(piece, 'latin1');
      // The next piece is a segment of its own only when this one has left and been read.
      if (cutting !== 'whole') await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Waits until `done` holds or the other side has ended; fails with `what` after the deadline. */
  async until(what: string, done: () => boolean, deadlineMs = 30_000): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (!done() && !this.ended) {
      const leftMs = end - performance.now();
      if (leftMs <= 0) throw new Error(`not reached: ${what}; received ${JSON.stringify(this.received.slice(-400))}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 20));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  answers(methods: readonly string[]): Stream<ResponseMessage> {
    return readResponses(this.received, methods, this.ended && !this.failed);
  }

  /** Waits for `count` final answers and returns all that came, interim ones too. */
  async final(count: number, methods: readonly string[]): Promise<readonly ResponseMessage[]> {
    const finals = () => this.answers(methods).messages.filter(({ status }) => status >= 200).length;
    await this.until(`${count} answers`, () => finals() >= count);
    return this.answers(methods).messages;
  }

  async end(): Promise<void> {
    await this.until('the end of the connection', () => this.ended);
  }

  /** Breaks off: RST instead of FIN. */
  reset(): void {
    if (this.socket instanceof net.Socket) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  close(): void {
    this.socket.destroy();
  }
}
