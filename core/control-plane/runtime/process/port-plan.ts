/**
 * Ports on loopback, by purpose. A purpose keeps its port over restarts, so that an application started from an IDE can
 * be pointed at a listener once. They are taken from below every platform's ephemeral range: a planned port that nobody
 * listens on yet could otherwise become the source port of any outgoing connection.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { z } from 'zod';
import { MeshError } from '../../../contract/errors.ts';

const firstPort = 21_000;
const lastPort = 31_999;
const Stored = z.object({ formatVersion: z.literal(1), ports: z.record(z.string(), z.number().int()) });

/** True when nothing listens on 127.0.0.1:`port`. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

export class PortPlan {
  readonly #file: string | null;
  readonly #ports = new Map<string, number>();
  /** Purposes whose port was checked in this run. */
  readonly #checked = new Set<string>();
  #next: number;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param file where the plan is kept; `null`: nowhere */
  constructor(file: string | null) {
    this.#file = file;
    const seed = createHash('sha256')
      .update(file ?? String(process.pid))
      .digest()
      .readUInt32BE(0);
    this.#next = firstPort + (seed % (lastPort - firstPort));
  }

  /** Reads the ports of an earlier run. A file that cannot be used is ignored: the plan is only a convenience. */
  async load(): Promise<void> {
    if (this.#file === null) return;
    const text = await readFile(this.#file, 'utf8').catch(() => null);
    if (text === null) return;
    const parsed = Stored.safeParse(parseJson(text));
    if (!parsed.success) return;
    for (const [purpose, port] of Object.entries(parsed.data.ports)) this.#ports.set(purpose, port);
  }

  /** Ports for these purposes, in their order; chosen now or remembered. Rejects with CONFLICT when none is free. */
  reserve(purposes: readonly string[]): Promise<number[]> {
    const result = this.#turn.then(() => this.#reserveAll(purposes));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** The port that was reserved for this purpose, if any. */
  get(purpose: string): number | undefined {
    return this.#checked.has(purpose) ? this.#ports.get(purpose) : undefined;
  }

  async #reserveAll(purposes: readonly string[]): Promise<number[]> {
    const ports: number[] = [];
    let changed = false;
    for (const purpose of purposes) {
      const known = this.#ports.get(purpose);
      const usable = known !== undefined && (this.#checked.has(purpose) || (await isFree(known)));
      const port = usable ? known : await this.#choose();
      if (port !== known) changed = true;
      this.#ports.set(purpose, port);
      this.#checked.add(purpose);
      ports.push(port);
    }
    if (changed) await this.#save();
    return ports;
  }

  async #choose(): Promise<number> {
    const taken = new Set(this.#ports.values());
    for (let tries = 0; tries <= lastPort - firstPort; tries += 1) {
      const port = this.#next;
      this.#next = port === lastPort ? firstPort : port + 1;
      if (!taken.has(port) && (await isFree(port))) return port;
    }
    throw new MeshError('CONFLICT', `No free port between ${firstPort} and ${lastPort} on 127.0.0.1.`);
  }

  async #save(): Promise<void> {
    if (this.#file === null) return;
    await mkdir(dirname(this.#file), { recursive: true });
    const temporary = `${this.#file}.${process.pid}.tmp`;
    await writeFile(temporary, `${JSON.stringify({ formatVersion: 1, ports: Object.fromEntries(this.#ports) })}\n`);
    await rename(temporary, this.#file);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
