import { connect } from 'node:net';
import { tokenLength, toToken, writeToken } from './payload.ts';
import { type LinkOwner, RawLink } from './raw-link.ts';

export interface LaneOptions {
  readonly port: number;
  readonly sizeBytes: number;
  readonly headers: string;
  /** What `createBody` gives for `sizeBytes`. */
  readonly body: Buffer;
}

export interface LaneOwner {
  /** The answer is complete; `problem` says what was wrong with it. */
  onAnswer(lane: Lane, problem: string | null): void;
}

const maxHeadBytes = 16_384;
let tokens = 0;

/** One keep-alive connection with at most one request in flight; every answer is compared with what was asked for. */
export class Lane implements LinkOwner {
  /** When the request in flight left or was due, `performance.now()`. */
  startedMs = 0;
  busy = false;
  open = false;
  readonly options: LaneOptions;
  readonly #owner: LaneOwner;
  readonly #request: Buffer;
  readonly #tokenAt: number;
  readonly #length: string;
  #link: RawLink | null = null;
  #token = 0;
  #head = '';
  /** -1 while the head is incomplete. */
  #received = -1;

  constructor(options: LaneOptions, owner: LaneOwner) {
    this.options = options;
    this.#owner = owner;
    const start = `GET /${options.sizeBytes}/`;
    this.#tokenAt = start.length;
    const rest = ` HTTP/1.1\r\nHost: server.shop\r\nUser-Agent: bench\r\nAccept: */*\r\n${options.headers}\r\n`;
    this.#request = Buffer.from(start + '0'.repeat(tokenLength) + rest, 'latin1');
    this.#length = `ength: ${options.sizeBytes}\r\n`;
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: this.options.port, noDelay: true, allowHalfOpen: false });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        this.open = true;
        this.#link = new RawLink(socket, this);
        resolve();
      });
    });
  }

  send(startedMs: number): void {
    if (this.#link === null) return;
    tokens += 1;
    this.#token = tokens;
    this.#head = '';
    this.#received = -1;
    this.startedMs = startedMs;
    this.busy = true;
    writeToken(this.#request, this.#tokenAt, tokens);
    this.#link?.write(this.#request);
  }

  close(): void {
    this.busy = false;
    this.#link?.close('closed by the generator');
  }

  onBytes(bytes: Buffer, length: number): void {
    if (!this.busy) {
      this.#link?.close('bytes that nobody asked for');
      return;
    }
    let at = 0;
    if (this.#received < 0) {
      at = this.#readHead(bytes, length);
      if (at < 0) return;
    }
    const { body } = this.options;
    const from = this.#received;
    const end = from + length - at;
    this.#received = end;
    if (end > body.length) this.#finish(`${end} bytes instead of ${body.length}`);
    else if (bytes.compare(body, from, end, at, length) !== 0) this.#finish('altered body');
    else if (end === body.length) this.#finish(null);
  }

  onClose(reason: string): void {
    this.open = false;
    this.#link = null;
    if (this.busy) this.#finish(`connection ${reason} before the answer`);
  }

  /** Index after the head; -1: incomplete, or finished with a problem. */
  #readHead(bytes: Buffer, length: number): number {
    const before = this.#head.length;
    const text = this.#head + bytes.toString('latin1', 0, Math.min(length, maxHeadBytes));
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) {
      this.#head = text;
      if (text.length > maxHeadBytes) this.#finish('endless head');
      return -1;
    }
    const problem = this.#check(text.slice(0, end + 2));
    if (problem !== null) {
      this.#finish(problem);
      return -1;
    }
    this.#received = 0;
    return end + 4 - before;
  }

  #check(head: string): string | null {
    if (!head.startsWith('HTTP/1.1 200')) return `answer ${JSON.stringify(head.slice(0, 200))}`;
    if (!head.includes(this.#length)) return `no content-length of ${this.options.sizeBytes}`;
    return head.includes(toToken(this.#token)) ? null : "another request's answer";
  }

  #finish(problem: string | null): void {
    if (!this.busy) return;
    this.busy = false;
    this.#owner.onAnswer(this, problem);
  }
}
