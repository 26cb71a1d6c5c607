/**
 * Ports on loopback, by purpose. A purpose keeps its port over restarts, so that an application started from an IDE can
 * be pointed at a listener once. They are taken from below every platform's ephemeral range: a planned port that nobody
 * listens on yet could otherwise become the source port of any outgoing connection.
 */
import { createHash } from 'node:crypto';
import { MeshError } from '../../../contract/errors.ts';
import { probePort, readPorts, writePorts } from '../../port-file.ts';

const firstPort = 21_000;
const lastPort = 31_999;

const isFree = async (port: number) => (await probePort(port)) === 'free';

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

  /** Takes over the ports of an earlier run. */
  async load(): Promise<void> {
    for (const [purpose, port] of await readPorts(this.#file)) this.#ports.set(purpose, port);
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
    if (changed) await writePorts(this.#file, this.#ports);
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
}
