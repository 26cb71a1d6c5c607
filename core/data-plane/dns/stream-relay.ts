/**
 * Questions of an application over TCP (RFC 7766): each message has its length in front. Those of ours are answered, all
 * others go to the resolver over one connection of this client's own, and come back in whatever order they are answered.
 */
import type { Socket } from 'node:net';
import { codeOf, headerBytes, responseCode } from './message.ts';

/** A client that says nothing for so long is left. */
const idleMs = 30_000;
/** Messages for a resolver that is not connected yet; more: the client is closed. */
const maxWaitingBytes = 256 * 1024;

/** What is to be done with a message: an answer, or on to the resolver, whose NXDOMAIN `instead` replaces. */
export type Handling =
  | { readonly kind: 'answer'; readonly answer: Buffer }
  | { readonly kind: 'forward'; readonly instead: Buffer | null };

export interface StreamRelayOptions {
  readonly handle: (message: Buffer) => Handling | Promise<Handling>;
  readonly connect: (signal: AbortSignal) => Promise<Socket>;
  readonly onClosed: () => void;
}

/** Cuts a stream into messages. */
export class MessageReader {
  #kept: Buffer = Buffer.alloc(0);

  /** Whole messages, without their lengths. */
  read(chunk: Buffer): Buffer[] {
    const all = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk]);
    const messages: Buffer[] = [];
    let at = 0;
    while (all.length - at >= 2) {
      const end = at + 2 + all.readUInt16BE(at);
      if (end > all.length) break;
      messages.push(all.subarray(at + 2, end));
      at = end;
    }
    this.#kept = all.subarray(at);
    return messages;
  }
}

export function toFrame(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(2 + message.length);
  frame.writeUInt16BE(message.length, 0);
  message.copy(frame, 2);
  return frame;
}

/** Serves one connection until either side ends it. */
export class StreamRelay {
  readonly #client: Socket;
  readonly #options: StreamRelayOptions;
  readonly #cancel = new AbortController();
  /** By id: what replaces an NXDOMAIN. */
  readonly #instead = new Map<number, Buffer>();
  #resolver: Socket | null = null;
  #waiting: Buffer[] | null = null;
  #waitingBytes = 0;
  #underWay = 0;
  #clientEnded = false;

  constructor(client: Socket, options: StreamRelayOptions) {
    this.#client = client;
    this.#options = options;
    const reader = new MessageReader();
    client.on('data', (chunk: Buffer) => {
      for (const message of reader.read(chunk)) void this.#take(message);
    });
    client.on('end', () => {
      this.#clientEnded = true;
      this.#endIfDone();
    });
    client.on('error', () => this.close());
    client.once('close', () => {
      this.close();
      options.onClosed();
    });
    client.setTimeout(idleMs, () => this.close());
    client.resume();
  }

  close(): void {
    this.#cancel.abort();
    this.#client.destroy();
    this.#resolver?.destroy();
  }

  async #take(message: Buffer): Promise<void> {
    this.#underWay += 1;
    const handling = await this.#options.handle(message);
    if (handling.kind === 'answer') this.#answer(handling.answer);
    else this.#forward(message, handling.instead);
  }

  #answer(answer: Buffer): void {
    this.#underWay -= 1;
    if (this.#client.writable) this.#client.write(toFrame(answer));
    this.#endIfDone();
  }

  #forward(message: Buffer, instead: Buffer | null): void {
    if (instead !== null && message.length >= headerBytes) this.#instead.set(message.readUInt16BE(0), instead);
    const frame = toFrame(message);
    if (this.#resolver !== null) {
      this.#resolver.write(frame);
      return;
    }
    this.#waitingBytes += frame.length;
    if (this.#waitingBytes > maxWaitingBytes) {
      this.close();
    } else if (this.#waiting === null) {
      this.#waiting = [frame];
      void this.#connect();
    } else {
      this.#waiting.push(frame);
    }
  }

  async #connect(): Promise<void> {
    const resolver = await this.#options.connect(this.#cancel.signal).catch(() => null);
    // As if the resolver itself had not been there: the client hears of it by the end of its connection.
    if (resolver === null) return this.close();
    const reader = new MessageReader();
    resolver.on('data', (chunk: Buffer) => {
      for (const message of reader.read(chunk)) this.#answer(this.#replace(message));
      if (this.#client.writableNeedDrain) {
        resolver.pause();
        this.#client.once('drain', () => resolver.resume());
      }
    });
    resolver.on('error', () => this.close());
    resolver.once('end', () => resolver.end());
    resolver.once('close', () => {
      this.#resolver = null;
      if (this.#underWay > 0) this.#client.end();
    });
    this.#resolver = resolver;
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    this.#waitingBytes = 0;
    for (const frame of waiting) resolver.write(frame);
    resolver.resume();
  }

  #replace(reply: Buffer): Buffer {
    if (this.#instead.size === 0 || reply.length < headerBytes) return reply;
    const id = reply.readUInt16BE(0);
    const instead = this.#instead.get(id);
    this.#instead.delete(id);
    return instead !== undefined && codeOf(reply) === responseCode.nameError ? instead : reply;
  }

  #endIfDone(): void {
    if (!this.#clientEnded || this.#underWay > 0) return;
    this.#client.end();
    this.#resolver?.end();
  }
}
