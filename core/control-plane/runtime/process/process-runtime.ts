/**
 * The runtime of host processes on loopback. There is no namespace to redirect in, so the application is pointed at
 * explicit listeners of its sidecar: one outbound listener per service and port, one inbound listener per port of its
 * own, one HTTP proxy. Needs no rights. Processes are made known with `register`; nothing is started here but sidecars,
 * which are children of this process and end with it.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshError } from '../../../contract/errors.ts';
import type { CleanupResult, DoctorCheck, EngineStatus } from '../../../contract/shapes.ts';
import type { DiscoveredWorkload } from '../../../model/workload.ts';
import { type Logger, silentLogger } from '../../../shared/logger.ts';
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
import { followOutput } from './follow-output.ts';
import { HeldProcesses } from './held-processes.ts';
import { OutputBuffer } from './output-buffer.ts';
import { portAnswers } from './port-answers.ts';
import { PortPlan } from './port-plan.ts';
import { disturbProcess } from './process-hold.ts';
import { type LoopbackAddress, ProcessListeners } from './process-listeners.ts';
import {
  addressesOf,
  loopback,
  type ProcessEntry,
  type ProcessRegistration,
  processId,
  toWorkload,
} from './registration.ts';
import { SidecarProcess } from './sidecar-process.ts';
import { makeSocketFolder } from './socket-folder.ts';

const probeEveryMs = 1_000;

export interface ProcessRuntimeOptions {
  /** The built sidecar program. */
  readonly sidecarProgram: string;
  /** File that keeps the port plan; `null`: nowhere. */
  readonly portFile: string | null;
  /** False: a sidecar never listens beside another one, so a renewal has a short gap. Default true. */
  readonly sharePorts?: boolean;
  readonly log?: Logger;
}

/** Handle of a registered process, for whoever started it. */
export interface RegisteredProcess {
  readonly id: string;
  /** Where this process reaches `service` (`name.namespace`) through its sidecar, once it is attached. */
  outbound(service: string, port: number): LoopbackAddress;
  httpProxy(): LoopbackAddress;
  /** It was started (again). */
  started(pid: number): void;
  /** It has ended; it stays listed. */
  ended(): void;
  unregister(): void;
}

interface Attached extends SuccessorSidecar {
  readonly process: SidecarProcess;
}

export class ProcessRuntime implements Runtime {
  readonly kind = 'process';
  readonly #options: ProcessRuntimeOptions;
  readonly #log: Logger;
  readonly #ports: PortPlan;
  readonly #held: HeldProcesses;
  readonly #entries = new Map<string, ProcessEntry>();
  readonly #listeners: ProcessListeners;
  /** The one in charge of each workload. */
  readonly #sidecars = new Map<string, Attached>();
  /** All that run, also beside another one of the same workload. */
  readonly #running = new Set<Attached>();
  #count = 0;
  #events: RuntimeEvents | null = null;
  #dir: Promise<string> | null = null;
  #probeTimer: NodeJS.Timeout | null = null;
  #announced = '';
  #closed = false;

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#ports = new PortPlan(options.portFile);
    const heldFile = options.portFile === null ? null : join(dirname(options.portFile), 'held.json');
    this.#held = new HeldProcesses(heldFile, this.#log);
    this.#listeners = new ProcessListeners(this.#ports, this.#entries);
  }

  async start(events: RuntimeEvents): Promise<void> {
    this.#events = events;
    await this.#ports.load();
    await this.#held.release();
    this.#probeTimer = setInterval(() => void this.#probeAll(), probeEveryMs);
    this.#probeTimer.unref();
  }

  workloads(): readonly DiscoveredWorkload[] {
    const isListed = ({ startedAtMs, registration }: ProcessEntry) =>
      startedAtMs !== null || registration.declared === true;
    return [...this.#entries.values()].filter(isListed).map(toWorkload);
  }

  engine(): EngineStatus {
    return { state: 'disabled', name: 'host processes', version: null, endpoint: null, message: null };
  }

  /** Ports for an application's own use, stable over restarts of the project. `purposes` are names of the caller's choice. */
  reservePorts(purposes: readonly string[]): Promise<number[]> {
    return this.#ports.reserve(purposes.map((purpose) => `app/${purpose}`));
  }

  /** Makes processes known, all at once so that each gets an outbound address for every other. CONFLICT for a name in use. */
  async register(registrations: readonly ProcessRegistration[]): Promise<RegisteredProcess[]> {
    for (const registration of registrations) {
      if (this.#entries.has(processId(registration)))
        throw new MeshError('CONFLICT', `A process named '${registration.name}' is registered already.`);
    }
    const entries = registrations.map(toEntry);
    for (const entry of entries) this.#entries.set(entry.id, entry);
    await Promise.all([this.#listeners.plan(), ...entries.map((entry) => this.#probe(entry))]);
    this.#announce();
    return entries.map((entry) => this.#handle(entry));
  }

  async startSidecar(workloadId: string): Promise<Sidecar> {
    const entry = this.#entries.get(workloadId);
    if (entry === undefined) throw new MeshError('NOT_FOUND', `There is no host process '${workloadId}'.`);
    if (!entry.running) throw new MeshError('NOT_RUNNING', `${entry.registration.name} is not running.`);
    const { incarnation } = toWorkload(entry);
    const current = this.#sidecars.get(workloadId);
    if (current?.incarnation === incarnation) return current;
    await current?.remove();
    const sidecar = await this.#create(entry, incarnation, false);
    await sidecar.confirm();
    return await this.#start(sidecar);
  }

  async startSuccessor({ workloadId, incarnation }: Sidecar): Promise<SuccessorSidecar> {
    const entry = this.#entries.get(workloadId);
    if (entry === undefined) throw new MeshError('NOT_FOUND', `There is no host process '${workloadId}'.`);
    return await this.#start(await this.#create(entry, incarnation, this.#options.sharePorts !== false));
  }

  /** They end with the control plane, so none is of an earlier program. */
  async isCurrent(): Promise<boolean> {
    return true;
  }

  /** None: sidecars of host processes end with the control plane that started them. */
  async adopt(): Promise<readonly Sidecar[]> {
    return [];
  }

  async disturb(workloadId: string, what: Disturbance, limits: HoldLimits): Promise<WorkloadHold> {
    const entry = this.#entries.get(workloadId);
    if (entry === undefined) throw new MeshError('NOT_FOUND', `There is no host process '${workloadId}'.`);
    const { sidecarProgram } = this.#options;
    return await disturbProcess(entry, what, limits, { sidecarProgram, held: this.#held });
  }

  async openTerminal(request: Parameters<Runtime['openTerminal']>[0]): Promise<TerminalSession> {
    if (request.kind === 'shell') {
      throw new MeshError(
        'BAD_REQUEST',
        'A host process has no shell of its own; any terminal of this machine is one.',
      );
    }
    const output =
      request.target === 'sidecar'
        ? this.#sidecars.get(request.workloadId)?.process.output
        : this.#entries.get(request.workloadId)?.registration.output;
    return followOutput(output ?? startedElsewhere());
  }

  async doctor(): Promise<readonly DoctorCheck[]> {
    const port = await this.#ports.reserve(['doctor']).then(
      ([free]) => ({ status: 'ok' as const, message: `127.0.0.1 has free ports (${free} is one)`, fix: null }),
      (error: unknown) => ({
        status: 'fail' as const,
        message: String(error),
        fix: 'End what uses the ports 21000 to 31999.',
      }),
    );
    return [{ name: 'loopback ports', ...port }];
  }

  async cleanup(): Promise<CleanupResult> {
    await Promise.all([...this.#running].map((sidecar) => sidecar.remove()));
    return { containers: [], rules: [], images: [], problems: [] };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#probeTimer !== null) clearInterval(this.#probeTimer);
    await this.cleanup();
    if (this.#dir !== null) await rm(await this.#dir, { recursive: true, force: true });
  }

  async #create(entry: ProcessEntry, incarnation: string, joins: boolean): Promise<Attached> {
    this.#dir ??= makeSocketFolder(this.#options.portFile);
    this.#count += 1;
    const key = createHash('sha256').update(`${entry.id} ${incarnation} ${this.#count}`).digest('hex').slice(0, 10);
    const process = new SidecarProcess({
      name: entry.registration.name,
      program: this.#options.sidecarProgram,
      dir: join(await this.#dir, key),
      log: this.#log,
      joins,
      onRestart: (message) => this.#events?.onNotice({ level: 'warn', code: null, message }),
    });
    return this.#toSidecar(entry, incarnation, process);
  }

  async #start(sidecar: Attached): Promise<Attached> {
    this.#running.add(sidecar);
    try {
      await sidecar.process.start();
    } catch (error) {
      await sidecar.remove();
      throw error;
    }
    return sidecar;
  }

  #toSidecar(entry: ProcessEntry, incarnation: string, process: SidecarProcess): Attached {
    const listeners = () => this.#listeners.of(entry);
    const { registration } = entry;
    const sidecar: Attached = {
      workloadId: entry.id,
      incarnation,
      process,
      get listeners() {
        return listeners();
      },
      endpointPorts: registration.ports.map(({ port }) => ({
        port,
        targetPort: this.#listeners.inbound(entry, port).port,
      })),
      connect: () => process.connect(),
      redirect: async () => undefined,
      undirect: async () => undefined,
      confirm: async () => {
        this.#sidecars.set(entry.id, sidecar);
      },
      remove: async () => {
        if (this.#sidecars.get(entry.id) === sidecar) this.#sidecars.delete(entry.id);
        await process.remove();
        this.#running.delete(sidecar);
      },
    };
    return sidecar;
  }

  #handle(entry: ProcessEntry): RegisteredProcess {
    const { id, registration } = entry;
    return {
      id,
      outbound: (service, port) => this.#listeners.outbound(registration, service, port),
      httpProxy: () => this.#listeners.httpProxy(registration),
      started: (pid) => this.#update(entry, { pid, startedAtMs: Date.now(), running: true }),
      ended: () => this.#update(entry, { running: false }),
      unregister: () => {
        if (this.#entries.get(id) === entry) this.#entries.delete(id);
        this.#announce();
      },
    };
  }

  #update(entry: ProcessEntry, change: Partial<Pick<ProcessEntry, 'pid' | 'startedAtMs' | 'running'>>): void {
    Object.assign(entry, change);
    this.#announce();
  }

  #announce(): void {
    const workloads = this.workloads();
    const text = JSON.stringify(workloads);
    if (this.#closed || text === this.#announced) return;
    this.#announced = text;
    this.#events?.onWorkloads(workloads);
  }

  /** Processes that somebody else started (no output of ours) live as long as their first port answers. */
  async #probeAll(): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => this.#probe(entry)));
    this.#announce();
  }

  async #probe(entry: ProcessEntry): Promise<void> {
    const { registration } = entry;
    const port = registration.ports[0]?.port;
    if (registration.output !== undefined || port === undefined) return;
    let answering: string | null = null;
    for (const address of addressesOf(registration)) {
      if (answering === null && (await portAnswers(address, port))) answering = address;
    }
    if (answering !== null && !entry.running) entry.startedAtMs = Date.now();
    entry.address = answering ?? entry.address;
    entry.running = answering !== null;
  }
}

function startedElsewhere(): OutputBuffer {
  const output = new OutputBuffer();
  output.append('Meshdesk did not start this process: its output is where it was started.\n');
  return output;
}

/** A declared process without a port cannot be watched and counts as running. */
function toEntry(registration: ProcessRegistration): ProcessEntry {
  const { pid, declared, ports } = registration;
  const running = pid !== null || (declared === true && ports.length === 0);
  const nowMs = Date.now();
  return {
    id: processId(registration),
    registration,
    registeredAtMs: nowMs,
    address: addressesOf(registration)[0] ?? loopback,
    pid,
    startedAtMs: running ? nowMs : null,
    running,
  };
}
