/**
 * `mesh/`: the brain of the control plane. It knows what runs (registry), what is wanted (wanted set, resources, faults)
 * and what is attached (attachments), and makes the one out of the other: the publisher compiles snapshots and pushes
 * them, the coordinator attaches and detaches, the reconciler sees to it that what is wanted stays attached.
 * Must not: talk to an engine (runtime/), to users (api/), or to files other than its own state.
 */
import { randomBytes } from 'node:crypto';
import type { MethodOutput, MethodParsed, Selection } from '../../contract/contract.ts';
import { MeshError } from '../../contract/errors.ts';
import type {
  CleanupResult,
  DoctorCheck,
  MeshStatus,
  Series,
  Topology,
  WorkloadResult,
  WorkloadView,
} from '../../contract/shapes.ts';
import { defaultLeaseMs } from '../../model/control-stream.ts';
import type { FaultDefinition } from '../../model/fault-injection.ts';
import { defaultTrustDomain } from '../../model/identity.ts';
import { type DiscoveredWorkload, toServiceKey } from '../../model/workload.ts';
import { defaultRootNamespace, type MeshSnapshot, type SnapshotInput } from '../../snapshot/snapshot.ts';
import { CertificateAuthority } from '../identity/certificate-authority.ts';
import type { SidecarLink } from '../push/sidecar-link.ts';
import type { Runtime, TerminalSession } from '../runtime/runtime.ts';
import { systemClock } from '../system-clock.ts';
import { buildSeries } from '../telemetry/build-series.ts';
import { TelemetryStore } from '../telemetry/telemetry-store.ts';
import { countApplied } from './applied.ts';
import { AttachCoordinator } from './attach-coordinator.ts';
import type { Attachment } from './attachment.ts';
import { CertificateBook } from './certificate-book.ts';
import { FaultBook } from './fault-book.ts';
import type { MeshApi, MeshCertificates, MeshChange, MeshFaults, MeshListener, MeshSplits } from './mesh-api.ts';
import { MeshMarkers } from './mesh-markers.ts';
import type { MeshOptions } from './mesh-options.ts';
import { type MeshParts, noEngine, toStatus, toTopology, toWorkloadView } from './mesh-views.ts';
import { Publisher } from './publisher.ts';
import { Reconciler } from './reconciler.ts';
import { rotateRoot } from './root-rotation.ts';
import { runLimited } from './run-limited.ts';
import { SidecarSessions } from './sidecar-sessions.ts';
import { SplitBook } from './split-book.ts';
import { WantedSet } from './wanted-set.ts';
import { WorkloadRegistry } from './workload-registry.ts';

/** Attaching more at once makes each slower without making all faster. */
const concurrency = 4;
const rotationCheckMs = 30_000;

/** What exists only once the CA has been read. */
interface Started {
  readonly certificates: CertificateBook;
  readonly coordinator: AttachCoordinator;
  readonly reconciler: Reconciler;
  readonly parts: MeshParts;
  readonly timers: readonly NodeJS.Timeout[];
  readonly stopWatching: () => void;
}

export class Mesh implements MeshApi {
  readonly #options: MeshOptions;
  readonly #clock;
  readonly #random;
  readonly #registry: WorkloadRegistry;
  readonly #attachments = new Map<string, Attachment>();
  readonly #telemetry: TelemetryStore;
  readonly #markers: MeshMarkers;
  readonly #publisher: Publisher;
  readonly #faults: FaultBook;
  readonly #splits: SplitBook;
  readonly #wanted: WantedSet;
  readonly #listeners = new Set<MeshListener>();
  readonly #connectedEngines = new Set<Runtime>();
  #started: Started | null = null;
  #hasNewFigures = false;
  #isReady = false;
  #isClosed = false;
  #rootRotation: Promise<void> | null = null;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? (() => randomBytes(4).readUInt32BE() / 2 ** 32);
    this.#registry = new WorkloadRegistry(options.runtimes);
    this.#wanted = new WantedSet(options.stateDir, options.log);
    this.#markers = new MeshMarkers(this.#clock);
    this.#telemetry = new TelemetryStore({ clock: this.#clock, directory: this.#directory() });
    const shared = {
      resources: options.resources,
      publisher: () => this.#publisher,
      telemetry: this.#telemetry,
      markers: this.#markers,
      applied: countApplied({ [Symbol.iterator]: () => this.#attachments.values() }),
    };
    this.#faults = new FaultBook({ ...shared, clock: this.#clock, onChange: () => this.#changed('faults') });
    this.#splits = new SplitBook({ ...shared, onChange: () => this.#changed('splits') });
    this.#publisher = new Publisher({
      input: () => this.#snapshotInput(),
      links: () => this.#links(),
      clock: this.#clock,
      onPublished: () => this.#changed('status'),
    });
  }

  get faults(): MeshFaults {
    return this.#faults;
  }

  get splits(): MeshSplits {
    return this.#splits;
  }

  get certificates(): MeshCertificates {
    const { certificates } = this.#parts();
    return {
      list: () => certificates.list(),
      show: (workload) => certificates.show(this.#registry.find(workload).id),
      verify: (workload) => certificates.verify(this.#registry.find(workload).id),
      rotate: async (which) => {
        if ('workload' in which) {
          const { id } = this.#registry.find(which.workload);
          certificates.show(id);
          await this.#rotate([id]);
          return [certificates.show(id)];
        }
        if ('root' in which) await this.#rotateRoot(true);
        else await this.#rotate(certificates.ids());
        return certificates.list();
      },
    };
  }

  async start(): Promise<void> {
    const options = this.#options;
    await this.#wanted.load();
    const authority = await CertificateAuthority.open({
      stateDir: options.stateDir,
      trustDomain: options.trustDomain ?? defaultTrustDomain,
      protector: options.keyProtector ?? null,
      clock: this.#clock,
    });
    this.#started = this.#assemble(authority);
    for (const runtime of options.runtimes) {
      await runtime.start({
        onWorkloads: (workloads) => this.#workloadsChanged(runtime, workloads),
        onEngine: () => this.#engineChanged(runtime),
        onProgress: (progress) => this.#tell((listener) => listener.onProgress(progress)),
        onNotice: (notice) => this.#tell((listener) => listener.onNotice(notice)),
      });
      this.#registry.update(runtime, runtime.workloads());
    }
    for (const runtime of options.runtimes) await this.#adopt(runtime);
    this.#publisher.publish();
    this.#dialAdopted();
    this.#isReady = true;
    this.#started.reconciler.resume();
    if (authority.rotation !== 'none') this.#inBackground('root rotation', this.#resumeRootRotation());
    this.#changed('status');
  }

  status(): MeshStatus {
    const { version, project, runtimes, sampleState, trustDomain = defaultTrustDomain } = this.#options;
    const engine = runtimes.find((runtime) => runtime.kind === 'docker')?.engine() ?? noEngine;
    const facts = {
      ready: this.#isReady,
      version,
      project: { ...project },
      sample: sampleState?.() ?? 'stopped',
      trustDomain,
    };
    return toStatus(this.#parts(), { ...facts, engine });
  }

  workloads(): WorkloadView[] {
    return this.#registry.all().map((workload) => toWorkloadView(workload, this.#parts()));
  }

  findWorkload(nameOrId: string): WorkloadView {
    return toWorkloadView(this.#registry.find(nameOrId), this.#parts());
  }

  attach(select: Selection): Promise<WorkloadResult[]> {
    const { coordinator } = this.#run();
    const chosen = this.#registry.select(select);
    const isAttachable = (workload: DiscoveredWorkload) =>
      workload.notAttachable === null && workload.state === 'running';
    const workloads = select.names === undefined ? chosen.filter(isAttachable) : chosen;
    return this.#forEach(workloads, (workload) => coordinator.attach(workload));
  }

  detach(select: Selection, deadlineMs = 10_000): Promise<WorkloadResult[]> {
    const { coordinator } = this.#run();
    const isKnown = ({ id }: DiscoveredWorkload) => this.#attachments.has(id) || this.#wanted.has(id);
    const chosen = this.#registry.select(select);
    const workloads = select.names === undefined ? chosen.filter(isKnown) : chosen;
    // All at once: a deadline that one waits for must not hold the next one up.
    return this.#forEach(workloads, (workload) => coordinator.detach(workload.id, deadlineMs), workloads.length);
  }

  topology(windowSeconds = 30): Topology {
    return toTopology(this.#parts(), windowSeconds, this.#clock.nowMs());
  }

  series(query: MethodParsed<'series.get'>): Series {
    return buildSeries(this.#telemetry, query, this.#markers.all());
  }

  recentRequests(query: MethodParsed<'request.recent'>): MethodOutput<'request.recent'> {
    return this.#telemetry.recent(query);
  }

  snapshot(): MeshSnapshot {
    return this.#publisher.snapshot;
  }

  faultDefinitions(): readonly FaultDefinition[] {
    return this.#faults.definitions();
  }

  openTerminal(request: MethodParsed<'terminal.open'>): Promise<TerminalSession> {
    const { workload: name, ...rest } = request;
    const workload = this.#registry.find(name);
    return this.#registry.runtimeOf(workload).openTerminal({ ...rest, workloadId: workload.id });
  }

  async doctor(): Promise<DoctorCheck[]> {
    const checks = await Promise.all(this.#options.runtimes.map((runtime) => runtime.doctor()));
    return checks.flat();
  }

  async cleanup(): Promise<CleanupResult> {
    const problems: string[] = [];
    await this.detach({ all: true }, 0).catch((error: unknown) => problems.push(String(error)));
    const results = await Promise.all(this.#options.runtimes.map((runtime) => runtime.cleanup()));
    for (const attachment of [...this.#attachments.values()]) await this.#run().coordinator.discard(attachment);
    return {
      containers: results.flatMap(({ containers }) => containers),
      rules: results.flatMap(({ rules }) => rules),
      images: results.flatMap(({ images }) => images),
      problems: [...problems, ...results.flatMap((result) => result.problems)],
    };
  }

  listen(listener: MeshListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(options: { detach?: boolean } = {}): Promise<void> {
    const started = this.#started;
    if (started === null || this.#isClosed) return;
    started.reconciler.close();
    if (options.detach === true) {
      await this.detach({ all: true }, 5_000).catch((error: unknown) =>
        this.#options.log.error('not everything was detached', error),
      );
    }
    this.#isClosed = true;
    for (const timer of started.timers) clearInterval(timer);
    started.stopWatching();
    this.#faults.close();
    this.#publisher.close();
    for (const attachment of this.#attachments.values()) attachment.close();
    await started.coordinator.settle();
    await this.#wanted.close();
    this.#listeners.clear();
  }

  #assemble(authority: CertificateAuthority): Started {
    const options = this.#options;
    const { log } = options;
    const [registry, attachments, publisher, wanted] = [
      this.#registry,
      this.#attachments,
      this.#publisher,
      this.#wanted,
    ];
    const onNotice: MeshListener['onNotice'] = (notice) => this.#tell((listener) => listener.onNotice(notice));
    const onChange = () => this.#changed('workloads');
    const certificates = new CertificateBook({
      ...{ authority, clock: this.#clock, random: this.#random, log },
      workload: (id) => registry.get(id),
      onChanged: (workload) => this.#tell((listener) => listener.onCertificate({ workload })),
    });
    const sessions = new SidecarSessions({
      ...{ publisher, certificates, clock: this.#clock, random: this.#random, log, onChange, onNotice },
      leaseMs: options.leaseMs ?? defaultLeaseMs,
      nameOf: (id) => registry.get(id)?.name ?? id,
      replaceSidecar: (id) => registry.runtimeOf(this.#workload(id)).startSidecar(id),
      onTelemetry: (id, report) => {
        this.#telemetry.take(id, report);
        this.#hasNewFigures = true;
      },
    });
    const coordinator = new AttachCoordinator({
      ...{ registry, publisher, certificates, sessions, wanted, attachments, onChange, log },
      onProgress: (progress) => this.#tell((listener) => listener.onProgress(progress)),
      onRemoved: (id) => this.#telemetry.forget(id),
    });
    const reconciler = new Reconciler({ registry, coordinator, attachments, wanted, onNotice, log });
    const rotationTimer = setInterval(() => {
      this.#inBackground('rotation', this.#rotate(certificates.due()));
      if (authority.rotation !== 'none') this.#inBackground('root rotation', this.#rotateRoot(false));
    }, rotationCheckMs);
    rotationTimer.unref();
    const figuresTimer = setInterval(() => this.#tellFigures(), 1_000);
    figuresTimer.unref();
    const stopWatching = options.resources.onChange(() => {
      this.#faults.reload();
      publisher.schedule();
      this.#changed('splits');
    });
    const snapshot = () => publisher.snapshot;
    const parts = {
      registry,
      attachments,
      certificates,
      telemetry: this.#telemetry,
      wanted,
      faults: this.#faults,
      snapshot,
    };
    return { certificates, coordinator, reconciler, parts, timers: [rotationTimer, figuresTimer], stopWatching };
  }

  #snapshotInput(): Omit<SnapshotInput, 'revision'> {
    const options = this.#options;
    return {
      trustDomain: options.trustDomain ?? defaultTrustDomain,
      rootNamespace: options.rootNamespace ?? defaultRootNamespace,
      resources: options.resources.all(),
      faults: this.#faults.active(),
      workloads: this.#registry.all().map((discovered) => {
        const attachment = this.#attachments.get(discovered.id);
        const sidecar = attachment?.sidecar ?? null;
        return {
          discovered,
          attached: attachment?.isAnnounced ?? false,
          listeners: sidecar?.listeners ?? null,
          endpointPorts: sidecar?.endpointPorts ?? [],
        };
      }),
    };
  }

  #directory() {
    const toKnown = (workload: DiscoveredWorkload | null) =>
      workload === null
        ? null
        : {
            id: workload.id,
            service: toServiceKey(workload.service, workload.namespace),
            version: workload.version,
            attached: this.#attachments.get(workload.id)?.isAnnounced ?? false,
          };
    return {
      byId: (id: string) => toKnown(this.#registry.get(id)),
      byAddress: (address: string, seenBy: string) => toKnown(this.#registry.byAddress(address, seenBy)),
      isLocal: (address: string, seenBy: string) => this.#registry.isLocal(address, seenBy),
    };
  }

  *#links(): Iterable<readonly [string, SidecarLink]> {
    for (const [id, { link }] of this.#attachments) if (link !== null) yield [id, link];
  }

  /** Takes over what an earlier control plane left. What it had not finished is attached from the start. */
  async #adopt(runtime: Runtime): Promise<void> {
    const { coordinator } = this.#run();
    try {
      for (const sidecar of await runtime.adopt()) {
        const workload = this.#registry.get(sidecar.workloadId);
        const isOurs = workload !== null && !this.#attachments.has(workload.id);
        if (!isOurs || sidecar.incarnation !== workload.incarnation) continue;
        if (this.#wanted.has(workload.id)) coordinator.takeOver(sidecar, workload.runtime);
        else this.#wanted.add(workload.id);
      }
    } catch (error) {
      this.#options.log.warn(`sidecars of the ${runtime.kind} runtime were not taken over: ${String(error)}`);
    }
  }

  #dialAdopted(): void {
    for (const attachment of this.#attachments.values()) {
      const isNew = attachment.phase === 'attached' && attachment.link?.connection === null && attachment.isDegraded;
      if (isNew) this.#inBackground('taking over', attachment.link?.keep() ?? Promise.resolve());
    }
  }

  #workloadsChanged(runtime: Runtime, workloads: readonly DiscoveredWorkload[]): void {
    if (this.#isClosed) return;
    this.#registry.update(runtime, workloads);
    this.#publisher.schedule();
    this.#started?.reconciler.reconcile();
    this.#changed('workloads');
  }

  #engineChanged(runtime: Runtime): void {
    const isConnected = runtime.engine().state === 'connected';
    if (!isConnected) this.#connectedEngines.delete(runtime);
    else if (!this.#connectedEngines.has(runtime)) {
      this.#connectedEngines.add(runtime);
      if (this.#isReady) this.#inBackground('adoption', this.#adoptLate(runtime));
    }
    this.#changed('status');
  }

  /** The engine came up after we did. */
  async #adoptLate(runtime: Runtime): Promise<void> {
    const { reconciler } = this.#run();
    reconciler.pause();
    try {
      const before = new Set(this.#attachments.keys());
      await this.#adopt(runtime);
      this.#publisher.publish();
      await Promise.all([...this.#attachments].map(([id, { link }]) => (before.has(id) ? null : link?.keep())));
    } finally {
      if (!this.#isClosed) reconciler.resume();
    }
  }

  async #forEach(
    workloads: readonly DiscoveredWorkload[],
    work: (workload: DiscoveredWorkload) => Promise<void>,
    limit = concurrency,
  ): Promise<WorkloadResult[]> {
    const durations = new Map<string, number>();
    const results = await runLimited(workloads, Math.max(1, limit), async (workload) => {
      const startedAt = this.#clock.monotonicMs();
      try {
        await work(workload);
      } finally {
        durations.set(workload.id, Math.round(this.#clock.monotonicMs() - startedAt));
      }
    });
    const failures = results.map((result) => (result.status === 'rejected' ? result.reason : null));
    const failed = failures.filter((reason) => reason !== null);
    if (failed.length > 0 && failed.length === workloads.length) throw failed[0];
    this.#changed('workloads');
    return workloads.map((workload, index) => {
      const view = toWorkloadView(this.#registry.get(workload.id) ?? workload, this.#parts());
      const failure: unknown = failures[index];
      const reason = failure instanceof Error ? failure.message : view.reason;
      return { ...view, reason, durationMs: durations.get(workload.id) ?? 0 };
    });
  }

  /** A sidecar that is not connected gets its certificate when it is again. */
  async #rotate(ids: readonly string[]): Promise<void> {
    const { certificates } = this.#run();
    const results = await runLimited(ids, concurrency, async (id) => {
      const connection = this.#attachments.get(id)?.link?.connection ?? null;
      if (connection !== null) await certificates.rotate(id, connection);
      else if (ids.length === 1) throw new MeshError('SIDECAR_UNREACHABLE', 'The sidecar is not connected just now.');
    });
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Sidecars that were taken over have to be there first: they must know the next root before it signs. */
  async #resumeRootRotation(): Promise<void> {
    await Promise.all([...this.#links()].map(([, link]) => link.waitForAck(link.wanted?.revision ?? 0, 10_000)));
    if (!this.#isClosed) await this.#rotateRoot(false);
  }

  #rotateRoot(begin: boolean): Promise<void> {
    const parts = {
      certificates: this.#run().certificates,
      links: () => this.#links(),
      isStopped: () => this.#isClosed,
      reissue: (ids: string[]) => this.#rotate(ids.filter((id) => this.#attachments.get(id)?.link?.connection != null)),
    };
    this.#rootRotation ??= rotateRoot(parts, { begin }).finally(() => {
      this.#rootRotation = null;
    });
    return this.#rootRotation;
  }

  #workload(id: string): DiscoveredWorkload {
    const workload = this.#registry.get(id);
    if (workload === null) throw new MeshError('NOT_FOUND', 'The workload is gone.');
    return workload;
  }

  #run(): Started {
    if (this.#started === null) throw new Error('the mesh has not been started');
    return this.#started;
  }

  #parts(): MeshParts {
    return this.#run().parts;
  }

  #inBackground(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) =>
      this.#options.log.warn(`${what}: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  /** Figures (traffic, cost, hits of faults) change all the time: once a second is enough. */
  #tellFigures(): void {
    if (!this.#hasNewFigures) return;
    this.#hasNewFigures = false;
    this.#changed('status');
    this.#changed('workloads');
    if (this.#faults.active().length > 0) this.#changed('faults');
  }

  #changed(what: MeshChange): void {
    this.#tell((listener) => listener.onChange(what));
  }

  #tell(call: (listener: MeshListener) => void): void {
    for (const listener of this.#listeners) call(listener);
  }
}
