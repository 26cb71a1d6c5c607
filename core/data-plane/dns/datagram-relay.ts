/** Questions over UDP to the application's resolvers. Only the id changes on the way, and is put back on the answer. */
import { createSocket, type Socket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import type { Random } from '../../shared/random.ts';
import type { Address } from '../connection.ts';
import { headerBytes, isReplyTo } from './message.ts';

/** A resolver that has not answered by then gets company: the next one is asked as well. */
const nextResolverMs = 1_500;
/** As long as clients wait (resolv.conf, `timeout`); afterwards nobody listens any more. */
const giveUpMs = 5_000;
/** Many questions over one socket would make its port easy to guess. */
const questionsPerSocket = 256;
/** Beyond this many questions under way, new ones are dropped; clients ask again. */
const maxUnderWay = 4_096;
const maxPort = 65_535;
const bindTries = 8;

export interface DatagramRelayOptions {
  /** In order; asked one after the other. */
  readonly resolvers: () => readonly Address[];
  /** Unpredictable: ids are drawn from it. */
  readonly random: Random;
}

/** One question on its way. */
interface Question {
  readonly message: Buffer;
  /** Resolvers not asked yet. */
  readonly left: Address[];
  /** Where it has been sent. */
  readonly lines: Map<Line, number>;
  /** `null`: no resolver can be reached. */
  readonly done: (reply: Buffer | null) => void;
  timer: NodeJS.Timeout | null;
}

/** A socket to one resolver. */
interface Line {
  readonly resolver: Address;
  readonly pending: Map<number, Question>;
  socket: Socket | null;
  sent: number;
}

export class DatagramRelay {
  readonly #options: DatagramRelayOptions;
  readonly #lines = new Map<string, Line>();
  readonly #retired = new Set<Line>();
  readonly #questions = new Set<Question>();
  #firstPort: Promise<number> | null = null;
  #isClosed = false;

  constructor(options: DatagramRelayOptions) {
    this.#options = options;
  }

  get underWay(): number {
    return this.#questions.size;
  }

  /** `done` is called once, or never when nobody answers in time. */
  forward(message: Buffer, done: (reply: Buffer | null) => void): void {
    if (this.#isClosed || this.#questions.size >= maxUnderWay || message.length < headerBytes) return;
    const left = [...this.#options.resolvers()];
    const question: Question = { message, left, lines: new Map(), done, timer: null };
    this.#questions.add(question);
    this.#askNext(question);
  }

  close(): void {
    this.#isClosed = true;
    for (const question of this.#questions) this.#forget(question);
    for (const line of [...this.#lines.values(), ...this.#retired]) line.socket?.close();
    this.#lines.clear();
    this.#retired.clear();
  }

  #askNext(question: Question): void {
    if (question.timer !== null) clearTimeout(question.timer);
    const resolver = question.left.shift();
    if (resolver === undefined) {
      if (question.lines.size === 0) this.#finish(question, null);
      else question.timer = setTimeout(() => this.#forget(question), giveUpMs);
      question.timer?.unref();
      return;
    }
    void this.#send(question, resolver);
    const waitMs = question.left.length === 0 ? giveUpMs : nextResolverMs;
    question.timer = setTimeout(() => {
      if (question.left.length === 0) this.#forget(question);
      else this.#askNext(question);
    }, waitMs);
    question.timer.unref();
  }

  async #send(question: Question, resolver: Address): Promise<void> {
    const line = this.#lineTo(resolver);
    const id = this.#freeId(line);
    line.pending.set(id, question);
    question.lines.set(line, id);
    line.sent += 1;
    if (line.sent >= questionsPerSocket) {
      this.#lines.delete(toKey(resolver));
      this.#retired.add(line);
    }
    const socket = line.socket ?? (await this.#connected(line));
    if (socket === null || !this.#questions.has(question)) return;
    const message = Buffer.from(question.message);
    message.writeUInt16BE(id, 0);
    socket.send(message, (error) => {
      if (error !== null) this.#lost(line);
    });
  }

  #lineTo(resolver: Address): Line {
    const key = toKey(resolver);
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = { resolver, pending: new Map(), socket: null, sent: 0 };
      this.#lines.set(key, line);
      this.#connecting.set(line, this.#connect(line));
    }
    return line;
  }

  readonly #connecting = new WeakMap<Line, Promise<Socket | null>>();

  async #connected(line: Line): Promise<Socket | null> {
    return (await this.#connecting.get(line)) ?? null;
  }

  async #connect(line: Line): Promise<Socket | null> {
    const { host, port } = line.resolver;
    this.#firstPort ??= firstOwnPort();
    const firstPort = await this.#firstPort;
    try {
      const socket = await bindSomewhere(isIPv6(host), firstPort, this.#options.random);
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.connect(port, host, () => {
          socket.removeListener('error', reject);
          resolve();
        });
      });
      socket.on('message', (reply) => this.#answered(line, reply));
      // A resolver that is not there says so (ICMP): no need to wait for the time-out.
      socket.on('error', () => this.#lost(line));
      if (this.#isClosed) socket.close();
      else line.socket = socket;
      return line.socket;
    } catch {
      // No route, or no port: as if it did not answer, but known at once.
      this.#lost(line);
      return null;
    }
  }

  #answered(line: Line, reply: Buffer): void {
    if (reply.length < headerBytes) return;
    const question = line.pending.get(reply.readUInt16BE(0));
    if (question === undefined || !isReplyTo(reply, question.message)) return;
    question.message.copy(reply, 0, 0, 2);
    this.#finish(question, reply);
  }

  /** Nothing will come over this line: its questions go to the next resolver. */
  #lost(line: Line): void {
    if (this.#lines.get(toKey(line.resolver)) === line) this.#lines.delete(toKey(line.resolver));
    this.#retired.add(line);
    for (const question of [...line.pending.values()]) {
      question.lines.delete(line);
      if (question.left.length > 0 || question.lines.size === 0) this.#askNext(question);
    }
    line.pending.clear();
    this.#closeIfDone(line);
  }

  #finish(question: Question, reply: Buffer | null): void {
    this.#forget(question);
    question.done(reply);
  }

  #forget(question: Question): void {
    if (question.timer !== null) clearTimeout(question.timer);
    this.#questions.delete(question);
    for (const [line, id] of question.lines) {
      line.pending.delete(id);
      this.#closeIfDone(line);
    }
    question.lines.clear();
  }

  #closeIfDone(line: Line): void {
    if (!this.#retired.has(line) || line.pending.size > 0) return;
    this.#retired.delete(line);
    line.socket?.close();
    line.socket = null;
  }

  #freeId(line: Line): number {
    let id = Math.floor(this.#options.random() * 0x1_0000);
    while (line.pending.has(id)) id = (id + 1) & 0xffff;
    return id;
  }
}

function toKey({ host, port }: Address): string {
  return `${host} ${port}`;
}

/**
 * First port above those that the system gives to applications. The kernel remembers for minutes that what came from an
 * application's port is brought here; from a port that it used before, our own question would come back to us.
 */
async function firstOwnPort(): Promise<number> {
  const text = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').catch(() => '');
  const last = Number(/^\d+\s+(\d+)/.exec(text)?.[1] ?? maxPort);
  return last >= maxPort - 1_000 ? 0 : last + 1;
}

async function bindSomewhere(isV6: boolean, firstPort: number, random: Random): Promise<Socket> {
  for (let left = bindTries; ; left -= 1) {
    const port = firstPort === 0 || left === 0 ? 0 : firstPort + Math.floor(random() * (maxPort - firstPort + 1));
    const socket = createSocket(isV6 ? 'udp6' : 'udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ port, exclusive: true }, () => {
          socket.removeListener('error', reject);
          resolve();
        });
      });
      socket.unref();
      return socket;
    } catch (error) {
      socket.close();
      if (port === 0) throw error;
    }
  }
}
