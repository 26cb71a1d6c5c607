import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { FrameReader, opcodes, toCloseFrame, toFrame } from './websocket-frames.ts';

/** RFC 6455, 1.3. */
const acceptSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const maxHeadBytes = 16 * 1024;
/** A peer that neither finishes its request nor answers a close within this time is cut off. */
const patienceMs = 5_000;
const refusal =
  'HTTP/1.1 426 Upgrade Required\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n' +
  'This is the control stream of a sidecar: WebSocket only.\n';

export interface WebSocketOptions {
  readonly maxMessageBytes: number;
  readonly onOpen: (socket: WebSocketEnd) => void;
}

/**
 * The server's end of one WebSocket on a byte stream: handshake, then messages of text. As much of RFC 6455 as two programs
 * of ours need on a private socket; a full library costs an idle sidecar three megabytes.
 */
export class WebSocketEnd {
  onMessage: (text: string) => void = () => undefined;
  onClose: () => void = () => undefined;
  readonly #stream: Socket;
  readonly #reader: FrameReader;
  #head: Buffer = Buffer.alloc(0);
  #state: 'head' | 'open' | 'closing' | 'closed' = 'head';
  #patience: NodeJS.Timeout;

  constructor(stream: Socket, options: WebSocketOptions) {
    this.#stream = stream;
    this.#reader = new FrameReader(options.maxMessageBytes);
    this.#patience = setTimeout(() => stream.destroy(), patienceMs);
    stream.on('data', (bytes: Buffer) => {
      if (this.#state === 'head') this.#handshake(bytes, options);
      else this.#receive(bytes);
    });
    stream.on('end', () => stream.end());
    // `close` follows.
    stream.on('error', () => stream.destroy());
    stream.once('close', () => this.#closed());
  }

  /** Bytes that wait for the other side to take them. */
  get bufferedBytes(): number {
    return this.#stream.writableLength;
  }

  send(text: string): void {
    if (this.#state === 'open') this.#stream.write(toFrame(opcodes.text, Buffer.from(text, 'utf8')));
  }

  /** Says why, waits for the answer, then ends the stream; what was received before is still delivered, nothing after. */
  close(code: number, reason: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#stream.write(toCloseFrame(code, reason));
    this.#patience = setTimeout(() => this.#stream.destroy(), patienceMs);
  }

  /** At once. */
  terminate(): void {
    this.#stream.destroy();
  }

  #handshake(bytes: Buffer, options: WebSocketOptions): void {
    this.#head = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes]);
    const end = this.#head.indexOf('\r\n\r\n', 0, 'latin1');
    if (end < 0) {
      if (this.#head.length > maxHeadBytes) this.#stream.destroy();
      return;
    }
    clearTimeout(this.#patience);
    const head = this.#head.toString('latin1', 0, end);
    const rest = this.#head.subarray(end + 4);
    this.#head = Buffer.alloc(0);
    const key = /^sec-websocket-key:[ \t]*([A-Za-z0-9+/]{22}==)[ \t]*$/im.exec(head)?.[1];
    const isUpgrade = /^GET [^ ]+ HTTP\/1\.1\r\n/.test(head) && /^upgrade:[ \t]*websocket[ \t]*$/im.test(head);
    if (key === undefined || !isUpgrade || !/^sec-websocket-version:[ \t]*13[ \t]*$/im.test(head)) {
      this.#state = 'closing';
      this.#stream.end(refusal);
      this.#patience = setTimeout(() => this.#stream.destroy(), patienceMs);
      return;
    }
    const accept = createHash('sha1').update(`${key}${acceptSuffix}`).digest('base64');
    this.#stream.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    this.#state = 'open';
    options.onOpen(this);
    if (rest.length > 0) this.#receive(rest);
  }

  #receive(bytes: Buffer): void {
    for (const event of this.#reader.read(bytes)) {
      if (event.kind === 'text') {
        if (this.#state === 'open') this.onMessage(event.text);
      } else if (event.kind === 'ping') {
        if (this.#state === 'open') this.#stream.write(toFrame(opcodes.pong, event.payload));
      } else {
        if (this.#state === 'open') this.#stream.write(toCloseFrame(event.code === 1005 ? 1000 : event.code, ''));
        this.#state = 'closing';
        this.#stream.end();
      }
    }
  }

  #closed(): void {
    clearTimeout(this.#patience);
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.onClose();
  }
}
