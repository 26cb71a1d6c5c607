/** Answers an application's questions: a fault, an address of the mesh, or what its resolver says. */
import { createSocket, type Socket as DatagramSocket, type RemoteInfo } from 'node:dgram';
import type { Socket } from 'node:net';
import type { ListenerConfig } from '../../model/sidecar-config.ts';
import type { Random } from '../../shared/random.ts';
import type { Address, UpstreamConnector } from '../connection.ts';
import { type Logger, toMessage } from '../logger.ts';
import { DatagramRelay } from './datagram-relay.ts';
import { answerLimit, codeOf, createAnswer, type DnsQuery, parseQuery, recordType, responseCode } from './message.ts';
import type { NameTable } from './name-table.ts';
import { Resolvers } from './resolvers.ts';
import { type Handling, StreamRelay } from './stream-relay.ts';

/** What a fault makes of a question. */
export interface DnsFault {
  readonly delayMs: number;
  /** Response code instead of the answer; `null`: only the delay. */
  readonly code: number | null;
}

export interface DnsServerOptions {
  readonly names: () => NameTable;
  /** Asked once per question; `null`: none hits. */
  readonly fault: (name: string) => DnsFault | null;
  readonly connector: UpstreamConnector;
  readonly monotonicMs: () => number;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: those of /etc/resolv.conf. */
  readonly resolvers?: () => readonly Address[];
}

/** Addresses may change when workloads do; nobody should keep them for long. */
const ttlSeconds = 5;
/** Redirected datagrams arrive at the loopback addresses, and answers have to come from there. */
const loopback = ['127.0.0.1', '::1'] as const;
/** Of each a resolver asks again when nothing comes. */
const mostEarly = 1_024;
/** What is under way then is answered still. */
const closeRetiredAfterMs = 1_500;

export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #resolvers: Resolvers;
  readonly #relay: DatagramRelay;
  readonly #streams = new Set<StreamRelay>();
  #sockets: readonly DatagramSocket[] = [];
  #port: number | null = null;
  /** Questions that came to a port before its configuration was in force: the kernel sends them from the first moment on. */
  readonly #early: (() => void)[] = [];
  #closing: NodeJS.Timeout | null = null;

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#resolvers = new Resolvers(options.monotonicMs);
    this.#relay = new DatagramRelay({ resolvers: () => this.#list(), random: options.random });
  }

  /** Port that is served; `null`: none. */
  get port(): number | null {
    return this.#port;
  }

  /** Opens the port of a configuration; see `ListenerSet.prepare`. A newer sidecar that opens it gets what is new. */
  async prepare(config: ListenerConfig): Promise<{ commit(): void; rollback(): void }> {
    const port = config.kind === 'transparent' ? (config.dnsPort ?? null) : null;
    if (port === this.#port) return { commit: () => undefined, rollback: () => undefined };
    if (port !== null && this.#options.resolvers === undefined) await this.#resolvers.refresh();
    const opened = port === null ? [] : await this.#open(port);
    return {
      commit: () => {
        for (const socket of this.#sockets) socket.close();
        this.#sockets = opened;
        this.#port = port;
        for (const take of this.#early.splice(0)) take();
      },
      rollback: () => {
        this.#early.length = 0;
        for (const socket of opened) socket.close();
      },
    };
  }

  /** A connection of an application; `resolver`: the one that was dialled. */
  acceptStream(client: Socket, resolver: Address): void {
    const { connector } = this.#options;
    const relay: StreamRelay = new StreamRelay(client, {
      handle: (message) => this.#handle(message, 'tcp'),
      connect: (signal) => connector.connect({ ...resolver, tls: null }, signal),
      onClosed: () => this.#streams.delete(relay),
    });
    this.#streams.add(relay);
  }

  /** A newer sidecar serves the port now. */
  retire(): void {
    this.#closing ??= setTimeout(() => this.#closeSockets(), closeRetiredAfterMs);
  }

  close(): void {
    if (this.#closing !== null) clearTimeout(this.#closing);
    this.#closeSockets();
    this.#relay.close();
    for (const stream of this.#streams) stream.close();
  }

  #closeSockets(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets = [];
    this.#port = null;
  }

  #list(): readonly Address[] {
    return this.#options.resolvers?.() ?? this.#resolvers.list;
  }

  async #open(port: number): Promise<readonly DatagramSocket[]> {
    const opened: DatagramSocket[] = [];
    for (const host of loopback) {
      try {
        opened.push(await this.#bind(host, port));
      } catch (error) {
        // A namespace without IPv6 has no such address.
        if (host === '::1' && isMissingAddress(error)) continue;
        for (const socket of opened) socket.close();
        throw new Error(`cannot answer DNS on ${host}:${port}: ${toMessage(error)}`, { cause: error });
      }
    }
    return opened;
  }

  #bind(host: string, port: number): Promise<DatagramSocket> {
    const socket = createSocket({ type: host === '::1' ? 'udp6' : 'udp4', reuseAddr: true, ipv6Only: host === '::1' });
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address: host, port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        socket.on('error', (error) => this.#options.logger.warn(`DNS: ${error.message}`));
        socket.on('message', (message, sender) => {
          const take = () => void this.#onDatagram(socket, message, sender);
          if (this.#sockets.includes(socket)) take();
          else if (this.#early.length < mostEarly) this.#early.push(take);
        });
        resolve(socket);
      });
    });
  }

  async #onDatagram(socket: DatagramSocket, message: Buffer, sender: RemoteInfo): Promise<void> {
    // Errors of a socket that is closed meanwhile, or of a client that is gone, say nothing new.
    const send = (answer: Buffer) => {
      if (this.#sockets.includes(socket)) socket.send(answer, sender.port, sender.address, () => undefined);
    };
    const handling = await this.#handle(message, 'udp');
    if (handling.kind === 'answer') {
      send(handling.answer);
      return;
    }
    this.#relay.forward(message, (reply) => {
      const { instead } = handling;
      if (reply === null) send(toFailure(message));
      else send(instead !== null && codeOf(reply) === responseCode.nameError ? instead : reply);
    });
  }

  #handle(message: Buffer, transport: 'udp' | 'tcp'): Handling | Promise<Handling> {
    const query = parseQuery(message);
    if (query === null) return { kind: 'forward', instead: null };
    const fault = this.#options.fault(query.name);
    const limit = answerLimit(query, transport);
    if (fault === null) return this.#decide(message, query, limit);
    return wait(fault.delayMs).then(() =>
      fault.code === null
        ? this.#decide(message, query, limit)
        : { kind: 'answer', answer: empty(message, query, fault.code, limit) },
    );
  }

  /** A name of ours has no other records than addresses here; what a resolver says of those counts, but not that there is no such name. */
  #decide(message: Buffer, query: DnsQuery, limit: number): Handling {
    const addresses = this.#options.names().find(query.name);
    if (addresses === null) return { kind: 'forward', instead: null };
    const { a, aaaa, any } = recordType;
    if (query.type !== a && query.type !== aaaa && query.type !== any) {
      return { kind: 'forward', instead: empty(message, query, responseCode.noError, limit) };
    }
    const code = responseCode.noError;
    return { kind: 'answer', answer: createAnswer(message, query, { addresses, ttlSeconds, code }, limit) };
  }
}

function empty(message: Buffer, query: DnsQuery, code: number, limit: number): Buffer {
  return createAnswer(message, query, { addresses: [], ttlSeconds, code }, limit);
}

/** SERVFAIL for a message that may not even be readable: the head and, if there is one, the question. */
function toFailure(message: Buffer): Buffer {
  const query = parseQuery(message);
  if (query !== null) return empty(message, query, responseCode.serverFailure, answerLimit(query, 'udp'));
  const head = Buffer.alloc(12);
  message.copy(head, 0, 0, 4);
  head.writeUInt16BE((head.readUInt16BE(2) & 0x7900) | 0x8080 | responseCode.serverFailure, 2);
  return head;
}

function wait(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}

function isMissingAddress(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT';
}
