/** One sidecar container in its workload's network namespace. */
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import type { ListenerConfig } from '../../../model/sidecar-config.ts';
import type { DiscoveredWorkload } from '../../../model/workload.ts';
import type { SuccessorSidecar } from '../runtime.ts';
import { openExecStream } from './exec-stream.ts';
import { confirmSuccessor, type Purpose, removeContainer } from './own-containers.ts';
import { runRules } from './run-rules.ts';

export const transparentListeners: ListenerConfig = {
  kind: 'transparent',
  outboundPort: 15_001,
  inboundPort: 15_006,
  dnsPort: 15_053,
};
export const controlSocket = '/run/meshdesk/sidecar.sock';
export const sidecarUser = '1337:1337';
/** How long a sidecar gets to end by itself: its own drain is 2 s. */
export const stopSeconds = 3;
/** Waits up to 9 s, a little less than whoever waits for its words, for the socket of a sidecar that is just starting, then joins it to stdio. */
export const joinSocket = `i=0; while [ ! -S "$1" ] && [ $i -lt 180 ]; do i=$((i+1)); sleep 0.05; done; exec /bin/sh /meshdesk/bridge.sh "$1"`;

export interface DockerSidecarOptions {
  readonly docker: () => Docker;
  readonly containerId: string;
  readonly image: string;
  readonly owner: string;
  readonly workload: DiscoveredWorkload;
  /** The workload as it is now; `null` when it is gone. */
  readonly current: () => DiscoveredWorkload | null;
}

export class DockerSidecar implements SuccessorSidecar {
  readonly workloadId: string;
  readonly incarnation: string;
  readonly listeners = transparentListeners;
  readonly endpointPorts = [];
  readonly containerId: string;
  readonly #options: DockerSidecarOptions;

  /** Id or tag. */
  get image(): string {
    return this.#options.image;
  }

  constructor(options: DockerSidecarOptions) {
    this.#options = options;
    this.containerId = options.containerId;
    this.workloadId = options.workload.id;
    this.incarnation = options.workload.incarnation;
  }

  async connect(): Promise<Duplex> {
    return await openExecStream(this.#options.docker(), this.containerId, {
      command: ['/bin/sh', '-c', joinSocket, 'bridge', controlSocket],
      user: sidecarUser,
      name: this.#options.workload.name,
    });
  }

  async redirect(): Promise<void> {
    await this.#rules('install');
  }

  async undirect(): Promise<void> {
    // A namespace that is gone has no rules, and nobody can join it.
    const current = this.#options.current();
    if (current === null || current.incarnation !== this.incarnation || current.state === 'exited') return;
    await this.#rules('remove');
  }

  async remove(): Promise<void> {
    await removeContainer(this.#options.docker(), this.containerId, stopSeconds);
  }

  /** As `SuccessorSidecar` says; of any other sidecar: nothing changes. */
  async confirm(): Promise<void> {
    await confirmSuccessor(this.#options.docker(), this.containerId);
  }

  async #rules(action: 'install' | 'remove'): Promise<void> {
    const { docker, image, owner, workload } = this.#options;
    const purpose: Purpose = { owner, role: 'rules', workloadId: workload.id, incarnation: workload.incarnation };
    await runRules(docker(), action, { image, networkMode: `container:${workload.id}`, purpose, name: workload.name });
  }
}
