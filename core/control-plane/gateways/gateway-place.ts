/**
 * `gateways/`: proxies that take traffic from outside the mesh, one for each that the project's Gateways ask for. To the mesh
 * such a proxy is a workload that is its own sidecar: attached means that it runs, its certificate, configuration and
 * telemetry come and go as those of any sidecar.
 *
 *   place       where a proxy can run: a child process of ours, or a container of ours on the engine
 *   published   the port of this machine that leads to a Gateway's port; the same number where it can be had
 *   credential  certificate and key that a Gateway names; they go to its proxy and nowhere else
 *
 * Must not: decide what is routed where (snapshot/), or touch containers that are not ours.
 */
import type { Duplex } from 'node:stream';
import type { ListenerConfig } from '../../model/sidecar-config.ts';
import type { WorkloadAddress } from '../../model/workload.ts';
import type { TerminalSession } from '../runtime/runtime.ts';

export interface GatewayRequest {
  readonly workloadId: string;
  readonly incarnation: string;
  readonly name: string;
  /** Ports of the Gateways. */
  readonly ports: readonly number[];
  /** Of the containers that it is to reach; it is on one of them from the start, so that it asks their name server. */
  readonly networks: readonly string[];
}

export interface PublishedPort {
  /** Of the Gateway. */
  readonly port: number;
  /** Of this machine's loopback. */
  readonly published: number;
}

/** A proxy that runs. */
export interface RunningGateway {
  readonly kind: GatewayPlace['kind'];
  readonly workloadId: string;
  readonly incarnation: string;
  /** May grow with the Gateways' ports, where the place allows it. */
  readonly ports: readonly PublishedPort[];
  readonly listeners: ListenerConfig;
  /** Where sidecars reach it. */
  readonly addresses: readonly WorkloadAddress[];
  /** Of what passes connections of this machine on to it. */
  readonly relayAddresses?: readonly string[];
  /** Gateway port -> port to connect to at these addresses, where they differ. */
  readonly endpointPorts: readonly { readonly port: number; readonly targetPort: number }[];
  connect(): Promise<Duplex>;
  /** Listens at these ports from the next configuration on. False: it has to be started anew for that. */
  setPorts(ports: readonly number[]): Promise<boolean>;
  /**
   * Lets it reach these networks of containers, and makes it reachable from there; a process listens on them only if
   * `isDestination`: routes of the mesh lead to it. Resolves true when its addresses changed.
   */
  join(networks: readonly string[], isDestination: boolean): Promise<boolean>;
  openTerminal(kind: 'logs' | 'shell', columns: number, rows: number): Promise<TerminalSession>;
  /** Idempotent. */
  remove(): Promise<void>;
}

export interface GatewayPlace {
  readonly kind: 'docker' | 'process';
  /** Rejects with a `MeshError`; nothing is left then. */
  start(request: GatewayRequest): Promise<RunningGateway>;
  /** Those that an earlier control plane of this project left running. */
  adopt(): Promise<readonly RunningGateway[]>;
  close(): Promise<void>;
}
