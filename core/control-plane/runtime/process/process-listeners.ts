import type { ListenerConfig } from '../../../model/sidecar-config.ts';
import { toServiceKey } from '../../../model/workload.ts';
import type { PortPlan } from './port-plan.ts';
import { keyOf, loopback, type ProcessEntry, type ProcessRegistration, servicePorts } from './registration.ts';

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
      [...this.#entries.values()].flatMap(({ registration }) => [
        `proxy/${keyOf(registration)}`,
        ...registration.ports.map(({ port }) => `in/${keyOf(registration)}/${port}`),
        ...services.map(({ service, port }) => `out/${keyOf(registration)}/${service}/${port}`),
      ]),
    );
  }

  /** On the process's own address, so that an endpoint keeps its address whether it is attached or not. */
  inbound({ registration, address }: ProcessEntry, port: number): LoopbackAddress {
    return this.#address(`in/${keyOf(registration)}/${port}`, address);
  }

  outbound(of: ProcessRegistration, service: string, port: number): LoopbackAddress {
    return this.#address(`out/${keyOf(of)}/${service}/${port}`);
  }

  httpProxy(of: ProcessRegistration): LoopbackAddress {
    return this.#address(`proxy/${keyOf(of)}`);
  }

  /** Listeners of one process's sidecar, for the services that are registered now. */
  of(entry: ProcessEntry): ListenerConfig {
    const { registration, address } = entry;
    const { service, namespace, ports } = registration;
    const key = keyOf(registration);
    const own = toServiceKey(service, namespace);
    const isPlanned = (other: string, port: number) => this.#ports.get(`out/${key}/${other}/${port}`) !== undefined;
    return {
      kind: 'explicit',
      inbound: ports.map(({ port }) => ({
        listen: this.inbound(entry, port),
        target: { host: address, port },
        port,
      })),
      outbound: servicePorts(this.#entries.values())
        .filter((other) => other.service !== own && isPlanned(other.service, other.port))
        .map((other) => ({ listen: this.outbound(registration, other.service, other.port), ...other })),
      httpProxy: this.httpProxy(registration),
    };
  }

  #address(purpose: string, host = loopback): LoopbackAddress {
    const port = this.#ports.get(purpose);
    if (port === undefined) throw new Error(`no port is planned for ${purpose}`);
    return { host, port };
  }
}
