import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { Address } from '../connection.ts';

const dnsPort = 53;
/** The engine writes the file when the container joins or leaves a network. */
const freshMs = 10_000;

/** Servers of a resolv.conf, in order. Those of one interface (`fe80::1%eth0`) cannot be captured and are left out. */
export function parseResolvers(text: string): readonly Address[] {
  return text.split('\n').flatMap((line) => {
    const host = /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '';
    return isIP(host) === 0 || host.includes('%') ? [] : [{ host, port: dnsPort }];
  });
}

/** The resolvers that the application's own file names; the sidecar has the same one. Read again when it is old. */
export class Resolvers {
  readonly #path: string;
  readonly #nowMs: () => number;
  #list: readonly Address[] = [];
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | null = null;

  constructor(nowMs: () => number, path = '/etc/resolv.conf') {
    this.#nowMs = nowMs;
    this.#path = path;
  }

  /** What was read last; asks for it anew in the background. */
  get list(): readonly Address[] {
    if (this.#reading === null && this.#nowMs() - this.#readAtMs >= freshMs) void this.refresh();
    return this.#list;
  }

  /** A file that cannot be read leaves what was known. */
  refresh(): Promise<void> {
    this.#reading ??= readFile(this.#path, 'latin1')
      .then(parseResolvers, () => this.#list)
      .then((list) => {
        this.#list = list;
        this.#readAtMs = this.#nowMs();
        this.#reading = null;
      });
    return this.#reading;
  }
}
