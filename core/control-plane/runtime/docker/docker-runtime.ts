/**
 * `runtime/docker/`: containers as workloads. Discovery follows the engine's events; a sidecar is a container of ours that
 * joins its target's network namespace; the target itself is never touched. Our containers are known by their labels
 * (owner: the mesh project), never by memory, so that a later start finds them.
 * Must not: know routes, faults or certificates; change anything about a target.
 */
import { createHash } from 'node:crypto';
import type Docker from 'dockerode';
import { type ErrorCode, errorCatalogue, MeshError } from '../../../contract/errors.ts';
import type { CleanupResult, DoctorCheck, EngineStatus } from '../../../contract/shapes.ts';
import type { DiscoveredWorkload } from '../../../model/workload.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { HostPorts } from '../../gateways/host-ports.ts';
import type {
  Disturbance,
  HoldLimits,
  Runtime,
  RuntimeEvents,
  Sidecar,
  SuccessorSidecar,
  TerminalSession,
  WorkloadHold,
} from '../runtime.ts';
import { cleanEngine } from './cleanup.ts';
import { ContainerWatch } from './container-watch.ts';
import { disturbDocker, undisturbDocker } from './docker-disturb.ts';
import { releaseDocker } from './docker-hold.ts';
import { DockerSidecar, stopSeconds } from './docker-sidecar.ts';
import { examineEngine } from './doctor.ts';
import { EngineConnection } from './engine-connection.ts';
import { toEngineError } from './engine-error.ts';
import { GatewayContainers } from './gateway-containers.ts';
import { SidecarImage } from './image/sidecar-image.ts';
import {
  listOwn,
  type OwnContainer,
  type Purpose,
  removeContainer,
  sidecarContainer,
  toSidecarName,
} from './own-containers.ts';
import { openLogs, openShell } from './terminal.ts';

export interface DockerRuntimeOptions {
  readonly distDir: string;
  /** Identifies the mesh project as the owner of its containers. */
  readonly stateDir: string;
  readonly log: Logger;
}

const silent: RuntimeEvents = {
  onWorkloads: () => undefined,
  onEngine: () => undefined,
  onProgress: () => undefined,
  onNotice: () => undefined,
};

export class DockerRuntime implements Runtime {
  readonly kind = 'docker';
  readonly #owner: string;
  readonly #engine: EngineConnection;
  readonly #watch: ContainerWatch;
  readonly #image: SidecarImage;
  #events: RuntimeEvents = silent;

  constructor({ distDir, stateDir, log }: DockerRuntimeOptions) {
    this.#owner = createHash('sha256').update(stateDir).digest('hex').slice(0, 12);
    this.#watch = new ContainerWatch({
      log,
      docker: () => this.#engine.docker,
      onChange: (workloads) => this.#events.onWorkloads(workloads),
    });
    this.#engine = new EngineConnection({
      log,
      onStatus: (status) => {
        if (status.state === 'unavailable') this.#watch.forget();
        this.#events.onEngine(status);
      },
      onConnected: (docker) => this.#watch.refreshAll(docker),
      onEvent: (event) => this.#watch.onEvent(event),
    });
    this.#image = new SidecarImage({
      distDir,
      onProgress: (progress) => this.#events.onProgress(progress),
      onNotice: (message) => this.#events.onNotice({ level: 'warn', code: null, message }),
    });
  }

  async start(events: RuntimeEvents): Promise<void> {
    this.#events = events;
    await this.#engine.start();
  }

  workloads(): readonly DiscoveredWorkload[] {
    return this.#watch.workloads();
  }

  engine(): EngineStatus {
    return this.#engine.status;
  }

  async startSidecar(workloadId: string): Promise<Sidecar> {
    const workload = this.#attachable(workloadId);
    const docker = this.#docker();
    const image = await this.#image.ensure(docker, this.#engine.local);
    const imageId = (await docker.getImage(image).inspect()).Id;
    const found = await listOwn(docker, { role: 'sidecar', workloadId });
    const foreign = found.find(({ running, owner }) => running && owner !== this.#owner);
    if (foreign !== undefined) {
      const message = `${workload.name} is attached by another Meshdesk project (its sidecar is ${foreign.name}). Detach it there, or run \`meshdesk cleanup\`.`;
      throw new MeshError('CONFLICT', message);
    }
    const usable = found.find(
      (own) =>
        own.running && own.owner === this.#owner && own.incarnation === workload.incarnation && own.image === imageId,
    );
    const others = found.filter((own) => own !== usable);
    await Promise.all(others.map((own) => removeContainer(docker, own.id)));
    if (usable !== undefined) return this.#toSidecar(workload, usable.id, image);
    return await this.#create(docker, workload, image);
  }

  async startSuccessor(sidecar: Sidecar): Promise<SuccessorSidecar> {
    const workload = this.#attachable(sidecar.workloadId);
    if (workload.incarnation !== sidecar.incarnation) {
      throw new MeshError('NOT_RUNNING', `${workload.name} was restarted meanwhile.`);
    }
    const docker = this.#docker();
    const image = await this.#image.ensure(docker, this.#engine.local);
    const found = await listOwn(docker, { role: 'sidecar', workloadId: workload.id, owner: this.#owner });
    for (const own of found) if (own.isSuccessor) await removeContainer(docker, own.id);
    return await this.#create(docker, workload, image, true);
  }

  async isCurrent(sidecar: Sidecar): Promise<boolean> {
    if (!(sidecar instanceof DockerSidecar)) return false;
    const docker = this.#docker();
    const image = await this.#image.ensure(docker, this.#engine.local);
    return sidecar.image === image || sidecar.image === (await docker.getImage(image).inspect()).Id;
  }

  async adopt(): Promise<readonly Sidecar[]> {
    const docker = this.#engine.docker;
    if (docker === null) return [];
    const adopted = new Map<string, DockerSidecar[]>();
    for (const own of await listOwn(docker, { owner: this.#owner })) {
      if (own.role === 'gateway' || own.role === 'relay') continue;
      if (own.role === 'hold') {
        await releaseDocker(docker, own);
        continue;
      }
      const workload = this.#served(own);
      const others = adopted.get(own.workloadId) ?? [];
      // A successor counts only when the one that it was to take over from is gone.
      if (workload === null || (own.isSuccessor && others.length > 0)) {
        await removeContainer(docker, own.id, workload === null ? 0 : stopSeconds);
        continue;
      }
      const sidecar = this.#toSidecar(workload, own.id, own.image);
      if (own.isSuccessor) await sidecar.confirm();
      adopted.set(own.workloadId, [...others, sidecar]);
    }
    return [...adopted.values()].flat();
  }

  async disturb(workloadId: string, what: Disturbance, limits: HoldLimits): Promise<WorkloadHold> {
    const docker = this.#docker();
    const workload = this.#watch.find(workloadId);
    if (workload === null) throw new MeshError('NOT_FOUND', `There is no container ${workloadId.slice(0, 12)}.`);
    const { incarnation, name } = workload;
    const purpose: Purpose = { owner: this.#owner, role: 'hold', workloadId, incarnation };
    const image = () => this.#image.ensure(docker, this.#engine.local);
    return await disturbDocker(docker, what, { image, purpose, name, limits });
  }

  async undisturb(workloadId: string, what: Disturbance): Promise<void> {
    await undisturbDocker(this.#docker(), workloadId, what, this.#owner);
  }

  async openTerminal(request: Parameters<Runtime['openTerminal']>[0]): Promise<TerminalSession> {
    const docker = this.#docker();
    const { workloadId, target, kind, columns, rows } = request;
    const containerId = target === 'workload' ? workloadId : await this.#sidecarOf(docker, workloadId);
    return kind === 'logs'
      ? await openLogs(docker, containerId)
      : await openShell(docker, containerId, { columns, rows });
  }

  async doctor(): Promise<readonly DoctorCheck[]> {
    const docker = this.#engine.docker;
    const image = () => this.#image.ensure(this.#docker(), this.#engine.local);
    return await examineEngine({ status: this.#engine.status, docker, owner: this.#owner, image });
  }

  async cleanup(): Promise<CleanupResult> {
    const docker = this.#engine.docker;
    if (docker === null)
      return {
        containers: [],
        rules: [],
        images: [],
        problems: ['The container engine does not answer, so it was not cleaned.'],
      };
    return await cleanEngine(docker);
  }

  /** Where gateways run that lead to containers. */
  gateways(hostPorts: HostPorts, log: Logger): GatewayContainers {
    return new GatewayContainers({
      docker: () => this.#docker(),
      isConnected: () => this.#engine.docker !== null,
      image: (docker) => this.#image.ensure(docker, this.#engine.local),
      owner: this.#owner,
      hostPorts,
      log,
    });
  }

  close(): Promise<void> {
    this.#engine.close();
    return Promise.resolve();
  }

  #docker(): Docker {
    const { docker, status } = this.#engine;
    if (docker !== null) return docker;
    throw new MeshError(
      'ENGINE_UNAVAILABLE',
      `The container engine does not answer${status.message === null ? '' : `: ${status.message}`}.`,
    );
  }

  #attachable(workloadId: string): DiscoveredWorkload {
    const workload = this.#watch.find(workloadId);
    if (workload === null) throw new MeshError('NOT_FOUND', `There is no container ${workloadId.slice(0, 12)}.`);
    if (workload.notAttachable !== null) {
      const { code, message } = workload.notAttachable;
      throw new MeshError(Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : 'ATTACH_FAILED', message);
    }
    if (workload.state !== 'running')
      throw new MeshError('NOT_RUNNING', `${workload.name} is ${workload.stateText}, not running.`);
    return workload;
  }

  async #create(
    docker: Docker,
    workload: DiscoveredWorkload,
    image: string,
    isSuccessor = false,
  ): Promise<DockerSidecar> {
    const { id, incarnation, name } = workload;
    const purpose: Purpose = { owner: this.#owner, role: 'sidecar', workloadId: id, incarnation };
    let containerId: string | null = null;
    try {
      const created = await docker.createContainer({
        name: toSidecarName(id, isSuccessor),
        ...sidecarContainer(image, purpose, `container:${id}`),
      });
      containerId = created.id;
      await created.start();
      return this.#toSidecar(workload, created.id, image);
    } catch (error) {
      if (containerId !== null) await removeContainer(docker, containerId);
      throw toEngineError(`The sidecar of ${name} could not be started`, error);
    }
  }

  #toSidecar(workload: DiscoveredWorkload, containerId: string, image: string): DockerSidecar {
    return new DockerSidecar({
      docker: () => this.#docker(),
      containerId,
      image,
      owner: this.#owner,
      workload,
      current: () => this.#watch.find(workload.id),
    });
  }

  /** The living workload that this container of ours serves; `null` for a left-over. */
  #served(own: OwnContainer): DiscoveredWorkload | null {
    const workload = this.#watch.find(own.workloadId);
    const fits =
      own.role === 'sidecar' &&
      own.running &&
      workload?.state === 'running' &&
      workload.incarnation === own.incarnation;
    return fits ? workload : null;
  }

  async #sidecarOf(docker: Docker, workloadId: string): Promise<string> {
    const [own] = await listOwn(docker, { role: 'sidecar', workloadId, owner: this.#owner });
    if (own === undefined) throw new MeshError('NOT_FOUND', 'This workload has no sidecar; attach it first.');
    return own.id;
  }
}
