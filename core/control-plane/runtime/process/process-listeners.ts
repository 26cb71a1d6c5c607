import type { ListenerConfig } from '../../../model/sidecar-config.ts';
import { toServiceKey } from '../../../model/workload.ts';
import type { PortPlan } from './port-plan.ts';
import { loopback, type ProcessEntry, servicePorts } from './registration.ts';

export interface LoopbackAddress {
  readonly host: string;
  readonly port: number;
}

/** Which ports of 127.0.0.1 the sidecars of host processes listen on, and what for. */
export class ProcessListeners {
  readonly #ports: PortPlan;
  readonly #entries: ReadonlyMap<string, ProcessEntry>;

  constructor(ports: PortPlan, entries: ReadonlyMap<string, ProcessEntry>) {
    this.#ports = ports;
    this.#entries = entries;
  }

  /** Plans a port for every pair of process and service, so that `of` and the addresses need not wait. */
  async plan(): Promise<void> {
    const services = servicePorts(this.#entries.values());
    await this.#ports.reserve(
      [...this.#entries.values()].flatMap(({ registration: { name, ports } }) => [
        `proxy/${name}`,
        ...ports.map(({ port }) => `in/${name}/${port}`),
        ...services.map(({ service, port }) => `out/${name}/${service}/${port}`),
      ]),
    );
  }

  inbound(name: string, port: number): LoopbackAddress {
    return this.#address(`in/${name}/${port}`);
  }

  outbound(name: string, service: string, port: number): LoopbackAddress {
    return this.#address(`out/${name}/${service}/${port}`);
  }

  httpProxy(name: string): LoopbackAddress {
    return this.#address(`proxy/${name}`);
  }

  /** Listeners of one process's sidecar, for the services that are registered now. */
  of({ registration: { name, service, namespace, ports } }: ProcessEntry): ListenerConfig {
    const own = toServiceKey(service, namespace);
    const isPlanned = (key: string, port: number) => this.#ports.get(`out/${name}/${key}/${port}`) !== undefined;
    return {
      kind: 'explicit',
      inbound: ports.map(({ port }) => ({ listen: this.inbound(name, port), target: { host: loopback, port }, port })),
      outbound: servicePorts(this.#entries.values())
        .filter((other) => other.service !== own && isPlanned(other.service, other.port))
        .map((other) => ({ listen: this.outbound(name, other.service, other.port), ...other })),
      httpProxy: this.httpProxy(name),
    };
  }

  #address(purpose: string): LoopbackAddress {
    const port = this.#ports.get(purpose);
    if (port === undefined) throw new Error(`no port is planned for ${purpose}`);
    return { host: loopback, port };
  }
}
