/**
 * The control plane, put together. Reads as a list: what there is, in the order in which it starts; everything that must
 * be ended registers its end on the line where it begins, and ends in the reverse order, within a deadline.
 */
import { join } from 'node:path';
import type { Transport } from '../contract/contract.ts';
import { createDispatcher, type Dispatch } from '../contract/dispatch.ts';
import type { Logger } from '../shared/logger.ts';
import { type ApiServerOptions, createApiServer } from './api/api-server.ts';
import { EventHub } from './api/event-hub.ts';
import { createGatekeeper, type Gatekeeper } from './api/gatekeeper.ts';
import { createHandlers } from './api/handlers.ts';
import { createInProcessTransport } from './api/in-process-transport.ts';
import { listenOnLoopback, listenOnSocket } from './api/listen.ts';
import { Terminals } from './api/terminals.ts';
import { createDockerRuntime, createProcessRuntime } from './create-runtimes.ts';
import { DeclaredProcesses } from './declared-processes.ts';
import { createGateways } from './gateways/create-gateways.ts';
import type { KeyProtector } from './identity/ca-files.ts';
import { Mesh } from './mesh/mesh.ts';
import type { MeshListener } from './mesh/mesh-api.ts';
import type { Runtime } from './runtime/runtime.ts';
import { SampleShop } from './sample/sample-shop.ts';
import { Shutdown } from './shutdown.ts';
import { ConfigDesk } from './store/config-desk.ts';
import { FileResourceStore } from './store/file-resource-store.ts';
import { prepareProject, toProject } from './store/project.ts';
import { lockProject } from './store/project-lock.ts';
import { systemClock } from './system-clock.ts';

export interface ControlPlaneOptions {
  /** Folder of the mesh project; made when it is missing. */
  readonly projectDir: string;
  /** Folder with the built `sidecar/`, `sample/` and `renderer/`. */
  readonly distDir: string;
  readonly version: string;
  /** HTTP server for browsers and scripts on 127.0.0.1; port 0: any free one; `null`: none. */
  readonly http: { readonly port: number } | null;
  /** False: no container engine is looked for. */
  readonly docker: boolean;
  /** True: the sample shop starts at once. */
  readonly sample: boolean;
  readonly keyProtector?: KeyProtector | null;
  readonly log: Logger;
}

export interface ControlPlane {
  readonly call: Dispatch;
  /** For a user in the same process; the desktop's IPC carries it. */
  readonly transport: Transport;
  /** A fresh one-time address for a browser; `null` without an HTTP server. */
  address(): string | null;
  /** For scripts; `null` without an HTTP server. */
  readonly token: string | null;
  readonly projectDir: string;
  /** @param options.detach true: every workload is detached first; false: the mesh stays as it is */
  close(options: { readonly detach: boolean }): Promise<void>;
}

/** Starts everything. Rejects with PROJECT_LOCKED, PROJECT_UNWRITABLE, CONFLICT (port); nothing runs then. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const shutdown = new Shutdown(options.log);
  try {
    return await assemble(options, shutdown);
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

async function assemble(options: ControlPlaneOptions, shutdown: Shutdown): Promise<ControlPlane> {
  const { distDir, log, version } = options;
  const project = toProject(options.projectDir);
  await prepareProject(project);
  shutdown.add('project lock', await lockProject(project));

  const surroundings = { distDir, stateDir: project.stateDir, log };
  const processes = createProcessRuntime(surroundings);
  const containers = options.docker ? await createDockerRuntime(surroundings) : null;
  const runtimes: Runtime[] = containers === null ? [processes] : [processes, containers];
  for (const runtime of runtimes) shutdown.add(`${runtime.kind} runtime`, () => runtime.close());

  const onNotice: MeshListener['onNotice'] = (notice) => hub.tell('notice', notice);
  const resources = new FileResourceStore({ dir: project.dir, log, nowMs: () => systemClock.nowMs(), onNotice });
  shutdown.add('project files', () => resources.close());
  const shop = new SampleShop({
    runtime: processes,
    program: join(distDir, 'sample', 'service.mjs'),
    log,
    onState: () => hub.changed('status'),
  });
  shutdown.add('sample shop', () => shop.close());
  const gateways = createGateways({
    ...{ ...surroundings, projectDir: project.dir, resources, containers, onNotice },
    mesh: () => mesh,
  });
  shutdown.add('gateways', () => gateways.close());
  const mesh: Mesh = new Mesh({
    ...{ stateDir: project.stateDir, version, resources, credentials: gateways.credentials, log },
    project: { dir: project.dir, name: project.name },
    runtimes: [...runtimes, gateways.runtime],
    keyProtector: options.keyProtector ?? null,
    sampleState: () => shop.state,
  });
  let detachAtEnd = false;
  shutdown.add('mesh', () => mesh.close({ detach: detachAtEnd }));

  const hub: EventHub = createHub(mesh, log);
  shutdown.add('events', () => hub.close());
  const declared = new DeclaredProcesses({ resources, runtime: processes, log, onNotice });
  shutdown.add('declared processes', () => declared.close());
  const desk = createDesk(mesh, resources, hub);
  const terminals = createTerminals(mesh, hub, shutdown);
  let gatekeeper: Gatekeeper | null = null;
  const newAddress = () => gatekeeper?.newAddress() ?? null;
  const parts = {
    ...{ mesh, resources, desk, terminals, projectDir: project.dir, newAddress },
    gateways: () => gateways.list(),
    sample: createMeshedSample(shop, mesh),
  };
  const call = createDispatcher(createHandlers(parts), { log });

  await resources.start();
  await gateways.credentials.start();
  await mesh.start();
  await gateways.begin();
  await declared.start();

  gatekeeper = await openDoors(options, { call, hub, log }, project.controlSocket, shutdown);
  if (options.sample) void startSample(call, hub, log);
  return {
    call,
    transport: createInProcessTransport(call, hub),
    address: newAddress,
    token: gatekeeper?.bearerToken ?? null,
    projectDir: project.dir,
    close: ({ detach }) => {
      detachAtEnd = detach;
      return shutdown.run();
    },
  };
}

/** The control socket, and HTTP on loopback where it is wanted; resolves with who guards that, `null` without. */
async function openDoors(
  { distDir, http: wanted }: ControlPlaneOptions,
  api: Pick<ApiServerOptions, 'call' | 'hub' | 'log'>,
  socket: string,
  shutdown: Shutdown,
): Promise<Gatekeeper | null> {
  const control = createApiServer({ ...api, gatekeeper: null, staticDir: null });
  await listenOnSocket(control.server, socket);
  shutdown.add('control socket', () => control.close());
  if (wanted === null) return null;
  let gatekeeper: Gatekeeper | null = null;
  const http = createApiServer({ ...api, gatekeeper: () => gatekeeper, staticDir: join(distDir, 'renderer') });
  gatekeeper = createGatekeeper(await listenOnLoopback(http.server, wanted.port));
  shutdown.add('HTTP server', () => http.close());
  return gatekeeper;
}

/** The sample shop as the user means it: started is attached, stopped is detached. */
function createMeshedSample(shop: SampleShop, mesh: Mesh) {
  return {
    start: async () => {
      await shop.start();
      await mesh.attach({ names: [...shop.workloads] });
    },
    stop: async () => {
      if (shop.workloads.length > 0) await mesh.detach({ names: [...shop.workloads] }, 0);
      await shop.stop();
    },
  };
}

/** What changes of the files and of what the mesh finds in them, as events. */
function createDesk(mesh: Mesh, resources: FileResourceStore, hub: EventHub): ConfigDesk {
  const desk = new ConfigDesk(resources, () => mesh.findings());
  const tell: Parameters<ConfigDesk['onChange']>[0] = (change) => hub.tell('config', change);
  desk.onChange(tell);
  mesh.listen({
    onChange: (what) => what === 'status' && desk.meshChanged(tell),
    onCertificate: () => undefined,
    onProgress: () => undefined,
    onNotice: () => undefined,
  });
  return desk;
}

function createTerminals(mesh: Mesh, hub: EventHub, shutdown: Shutdown): Terminals {
  const terminals = new Terminals({
    open: (request) => mesh.openTerminal(request),
    onData: (event) => hub.tell('terminal.data', event),
    onExit: (event) => hub.tell('terminal.exit', event),
  });
  shutdown.add('terminals', () => terminals.closeAll());
  return terminals;
}

/** Nobody waits for the answer, so a failure becomes a notice. */
async function startSample(call: Dispatch, hub: EventHub, log: Logger): Promise<void> {
  const response = await call('sample.start', {});
  if (response.ok) return;
  const { code, message } = response.error;
  log.error(`the sample shop: ${message}`);
  hub.tell('notice', { level: 'error', code, message });
}

/** What the mesh tells, as events of the contract. */
function createHub(mesh: Mesh, log: Logger): EventHub {
  const hub = new EventHub({
    log,
    pictures: {
      status: () => mesh.status(),
      workloads: () => mesh.workloads(),
      topology: () => mesh.topology(),
      faults: () => mesh.faults.list(),
      splits: () => ({ revision: mesh.status().revision }),
    },
  });
  mesh.listen({
    onChange: (what) => hub.changed(what),
    onCertificate: (event) => hub.tell('certificates', event),
    onProgress: (progress) => hub.tell('progress', progress),
    onNotice: (notice) => hub.tell('notice', notice),
  });
  return hub;
}
