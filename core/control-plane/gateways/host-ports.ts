/** Ports of this machine for gateways: the Gateway's own number if it can be had, else one that is easy to remember. */
import { MeshError } from '../../contract/errors.ts';
import { type PortState, probePort, readPorts, writePorts } from '../port-file.ts';

const triesAfterIt = 20;

/** 80, then 8080 and up; 443, then 8443 and up; 15443, then 15444 and up. */
export function candidatesFor(port: number): number[] {
  const easy = port < 1_024 ? 8_000 + port : port;
  const following = Array.from({ length: triesAfterIt }, (_, index) => easy + index);
  return [...new Set([port, ...following])].filter((candidate) => candidate <= 65_535);
}

/** Who has which port, over restarts of the project. */
export class HostPorts {
  readonly #file: string | null;
  readonly #probe: (port: number) => Promise<PortState>;
  readonly #ports = new Map<string, number>();
  #turn: Promise<unknown>;

  /** @param file where they are kept; `null`: nowhere */
  constructor(file: string | null, probe: (port: number) => Promise<PortState> = probePort) {
    this.#file = file;
    this.#probe = probe;
    this.#turn = this.#load();
  }

  /**
   * A port for a gateway's port, the one it had before if that is free. `mayBind`: who will listen may also take ports that
   * are forbidden to this process (the engine); `except`: turned out to be taken. Rejects with CONFLICT when there is none.
   */
  choose(
    gateway: string,
    port: number,
    options: { readonly mayBind: boolean; readonly except?: ReadonlySet<number> },
  ): Promise<number> {
    const result = this.#turn.then(() => this.#choose(`${gateway}:${port}`, port, options));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #choose(
    key: string,
    port: number,
    { mayBind, except = new Set() }: { readonly mayBind: boolean; readonly except?: ReadonlySet<number> },
  ): Promise<number> {
    const known = this.#ports.get(key);
    const others = new Set([...this.#ports].filter(([owner]) => owner !== key).map(([, taken]) => taken));
    const candidates = [
      ...(known === undefined ? [] : [known]),
      ...candidatesFor(port).filter((one) => !others.has(one)),
    ];
    for (const candidate of candidates) {
      if (except.has(candidate)) continue;
      const state = await this.#probe(candidate);
      if (state === 'taken' || (state === 'forbidden' && !mayBind)) continue;
      this.#ports.set(key, candidate);
      if (candidate !== known) await writePorts(this.#file, this.#ports);
      return candidate;
    }
    throw new MeshError('CONFLICT', `No port of 127.0.0.1 near ${port} is free for the gateway.`);
  }

  async #load(): Promise<void> {
    for (const [key, port] of await readPorts(this.#file)) this.#ports.set(key, port);
  }
}
