/**
 * `mesh/`: the brain of the control plane. It knows what runs (registry), what is wanted (wanted set, resources, faults)
 * and what is attached (attachments), and makes the one out of the other: the publisher compiles snapshots and pushes
 * them, the coordinator attaches and detaches, the reconciler sees to it that what is wanted stays attached.
 * Must not: talk to an engine (runtime/), to users (api/), or to files other than its own state.
 */
import { randomBytes } from 'node:crypto';
import type { MethodParsed, Selection } from '../../contract/contract.ts';
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
import type { Finding } from '../../model/finding.ts';
import { defaultTrustDomain } from '../../model/identity.ts';
import type { DiscoveredWorkload } from '../../model/workload.ts';
import type { MeshSnapshot } from '../../snapshot/snapshot.ts';
import { CertificateAuthority } from '../identity/certificate-authority.ts';
import type { Runtime, TerminalSession } from '../runtime/runtime.ts';
import { systemClock } from '../system-clock.ts';
import { buildSeries } from '../telemetry/build-series.ts';
import { TelemetryStore } from '../telemetry/telemetry-store.ts';
import { countApplied } from './applied.ts';
import { assembleParts, type CertifiedParts } from './assemble-parts.ts';
import { type Attachment, linksOf } from './attachment.ts';
import { Explanations } from './explanations.ts';
import { FaultBook } from './fault-book.ts';
import { FindingNotices, toConfigurationChecks } from './finding-notices.ts';
import { mergeCleanups } from './merge-cleanups.ts';
import type {
  MeshApi,
  MeshCertificates,
  MeshChange,
  MeshFaults,
  MeshListener,
  MeshRequests,
  MeshSplits,
} from './mesh-api.ts';
import { MeshMarkers } from './mesh-markers.ts';
import type { MeshOptions } from './mesh-options.ts';
import { type MeshParts, noEngine, toStatus, toTopology, toWorkloadView } from './mesh-views.ts';
import { ObservedFindings } from './observed-findings.ts';
import { Publisher } from './publisher.ts';
import { RuleFiles } from './rule-files.ts';
import { toSnapshotInput } from './snapshot-input.ts';
import { SplitBook } from './split-book.ts';
import { WantedSet } from './wanted-set.ts';
import { type WorkloadWork, workOnEach } from './work-on-each.ts';
import { createWorkloadDirectory } from './workload-directory.ts';
import { WorkloadFaults } from './workload-faults.ts';
import { WorkloadRegistry } from './workload-registry.ts';

/** Attaching more at once makes each slower without making all faster. */
const concurrency = 4;

/** What exists only once the CA has been read. */
interface Started extends CertifiedParts {
  readonly parts: MeshParts;
  readonly figuresTimer: NodeJS.Timeout;
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
  readonly #ruleFiles: RuleFiles;
  readonly #faults: FaultBook;
  readonly #workloadFaults: WorkloadFaults;
  readonly #splits: SplitBook;
  readonly #explanations: Explanations;
  readonly #observed: ObservedFindings;
  readonly #onProgress: MeshListener['onProgress'] = (step) => this.#tell((listener) => listener.onProgress(step));
  readonly #onNotice: MeshListener['onNotice'] = (notice) => this.#tell((listener) => listener.onNotice(notice));
  readonly #findings = new FindingNotices(this.#onNotice);
  readonly #wanted: WantedSet;
  readonly #listeners = new Set<MeshListener>();
  #started: Started | null = null;
  #hasNewFigures = false;
  #isReady = false;
  #isClosed = false;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? (() => randomBytes(4).readUInt32BE() / 2 ** 32);
    this.#registry = new WorkloadRegistry(options.runtimes);
    this.#wanted = new WantedSet(options.stateDir, options.log);
    this.#markers = new MeshMarkers(this.#clock);
    this.#telemetry = new TelemetryStore({
      clock: this.#clock,
      directory: createWorkloadDirectory(this.#registry, this.#attachments),
    });
    const shared = {
      resources: options.resources,
      publisher: () => this.#publisher,
      telemetry: this.#telemetry,
      markers: this.#markers,
      applied: countApplied({ [Symbol.iterator]: () => this.#attachments.values() }),
    };
    this.#faults = new FaultBook({ ...shared, clock: this.#clock, onChange: () => this.#faultsChanged() });
    this.#workloadFaults = new WorkloadFaults({
      ...{ registry: this.#registry, clock: this.#clock, stateDir: options.stateDir, log: options.log },
      active: () => this.#faults.injections(),
      faultSeen: (fault, hit) => this.#telemetry.faultSeen(fault, hit),
      leaseMs: options.leaseMs ?? defaultLeaseMs,
      onNotice: this.#onNotice,
    });
    this.#splits = new SplitBook({ ...shared, onChange: () => this.#changed('splits') });
    const observing = { snapshot: () => this.#publisher.snapshot, telemetry: this.#telemetry, clock: this.#clock };
    this.#observed = new ObservedFindings(observing);
    this.#explanations = new Explanations({
      ...{ registry: this.#registry, attachments: this.#attachments, telemetry: this.#telemetry, random: this.#random },
      snapshot: () => this.#publisher.snapshot,
    });
    this.#ruleFiles = new RuleFiles({
      dir: options.project.dir,
      log: options.log,
      stored: (name) => options.credentials?.textOf(name) ?? null,
      onChange: () => this.#publisher.schedule(),
    });
    this.#publisher = new Publisher({
      input: () => toSnapshotInput(options, this.#registry, this.#attachments, this.#faults),
      links: () => linksOf(this.#attachments.values()),
      clock: this.#clock,
      complete: (config) => this.#ruleFiles.complete(this.#started?.gatewayCertificates.complete(config) ?? config),
      onPublished: (snapshot) => {
        this.#findings.update(snapshot.findings);
        this.#changed('status');
      },
    });
  }

  get faults(): MeshFaults {
    return this.#faults;
  }

  get splits(): MeshSplits {
    return this.#splits;
  }

  get requests(): MeshRequests {
    return this.#explanations;
  }

  get certificates(): MeshCertificates {
    return this.#run().certificateService;
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
        onProgress: this.#onProgress,
        onNotice: this.#onNotice,
      });
      this.#registry.update(runtime, runtime.workloads());
    }
    await this.#started.adoption.run(options.runtimes);
    await this.#workloadFaults.recover();
    this.#isReady = true;
    this.#started.certificateService.resume();
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

  async attach(select: Selection): Promise<WorkloadResult[]> {
    const { coordinator } = this.#run();
    const chosen = this.#registry.select(select);
    const isAttachable = (workload: DiscoveredWorkload) =>
      workload.notAttachable === null && workload.state === 'running';
    const workloads = select.names === undefined ? chosen.filter(isAttachable) : chosen;
    return this.#forEach(workloads, (workload) => coordinator.attach(workload));
  }

  async detach(select: Selection, deadlineMs = 10_000): Promise<WorkloadResult[]> {
    const { coordinator } = this.#run();
    const isKnown = ({ id }: DiscoveredWorkload) => this.#attachments.has(id) || this.#wanted.has(id);
    const chosen = this.#registry.select(select);
    const workloads = select.names === undefined ? chosen.filter(isKnown) : chosen;
    // All at once: a deadline that one waits for must not hold the next one up.
    return this.#forEach(workloads, (workload) => coordinator.detach(workload.id, deadlineMs), workloads.length);
  }

  async renew(select: Selection, deadlineMs = 30_000): Promise<WorkloadResult[]> {
    const { renewal } = this.#run();
    const chosen = this.#registry.select(select);
    // A gateway is not renewed: it is stopped and started.
    const isAttached = ({ id, runtime }: DiscoveredWorkload) =>
      runtime !== 'gateway' && this.#attachments.get(id)?.phase === 'attached';
    const workloads = select.names === undefined ? chosen.filter(isAttached) : chosen;
    // They take turns by themselves; only older connections end side by side.
    return this.#forEach(workloads, (workload) => renewal.renew(workload.id, deadlineMs), workloads.length);
  }

  topology(windowSeconds = 30): Topology {
    return toTopology(this.#parts(), windowSeconds, this.#clock.nowMs());
  }

  series(query: MethodParsed<'series.get'>): Series {
    return buildSeries(this.#telemetry, query, this.#markers.all());
  }

  findings(): readonly Finding[] {
    return this.#observed.all();
  }

  snapshot(): MeshSnapshot {
    return this.#publisher.snapshot;
  }

  faultDefinitions(): readonly FaultDefinition[] {
    return this.#faults.definitions();
  }

  async openTerminal(request: MethodParsed<'terminal.open'>): Promise<TerminalSession> {
    const { workload: name, ...rest } = request;
    const workload = this.#registry.find(name);
    return this.#registry.runtimeOf(workload).openTerminal({ ...rest, workloadId: workload.id });
  }

  async doctor(): Promise<DoctorCheck[]> {
    const checks = await Promise.all(this.#options.runtimes.map((runtime) => runtime.doctor()));
    return [...checks.flat(), ...toConfigurationChecks(this.findings())];
  }

  async cleanup(): Promise<CleanupResult> {
    const problems: string[] = [];
    await this.detach({ all: true }, 0).catch((error: unknown) => problems.push(String(error)));
    const results = await Promise.all(this.#options.runtimes.map((runtime) => runtime.cleanup()));
    for (const attachment of [...this.#attachments.values()]) await this.#run().coordinator.discard(attachment);
    return mergeCleanups(problems, results);
  }

  listen(listener: MeshListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(options: { detach?: boolean } = {}): Promise<void> {
    const started = this.#started;
    if (started === null || this.#isClosed) return;
    started.reconciler.close();
    // Who stands still cannot be left politely.
    await this.#workloadFaults.close();
    if (options.detach === true) {
      await this.detach({ all: true }, 5_000).catch((error: unknown) =>
        this.#options.log.error('not everything was detached', error),
      );
    }
    this.#isClosed = true;
    clearInterval(started.figuresTimer);
    await started.renewal.close();
    started.certificateService.close();
    started.adoption.close();
    started.stopWatching();
    this.#faults.close();
    started.identityFaults.close();
    this.#publisher.close();
    this.#ruleFiles.close();
    for (const attachment of this.#attachments.values()) attachment.close();
    await started.coordinator.settle();
    await this.#wanted.close();
    this.#listeners.clear();
  }

  #assemble(authority: CertificateAuthority): Started {
    const [registry, attachments, telemetry] = [this.#registry, this.#attachments, this.#telemetry];
    const [publisher, wanted, faults] = [this.#publisher, this.#wanted, this.#faults];
    const certified = assembleParts({
      ...{ options: this.#options, authority, registry, attachments, publisher, wanted },
      ...{ clock: this.#clock, random: this.#random, onProgress: this.#onProgress, onNotice: this.#onNotice },
      injections: () => faults.injections(),
      onChange: () => this.#changed('workloads'),
      onCertificate: (workload) => this.#tell((listener) => listener.onCertificate({ workload })),
      onRemoved: (id) => telemetry.forget(id),
      onTelemetry: (id, report, isLate) => {
        if (isLate) telemetry.takeLate(id, report);
        else telemetry.take(id, report);
        this.#hasNewFigures = true;
      },
    });
    const figuresTimer = setInterval(() => this.#tellFigures(), 1_000);
    figuresTimer.unref();
    const stopWatching = this.#options.resources.onChange(() => {
      faults.reload();
      publisher.schedule();
      this.#changed('splits');
    });
    const snapshot = () => publisher.snapshot;
    const { certificates } = certified;
    const parts = { registry, attachments, certificates, telemetry, wanted, faults, snapshot };
    return { ...certified, parts, figuresTimer, stopWatching };
  }

  #workloadsChanged(runtime: Runtime, workloads: readonly DiscoveredWorkload[]): void {
    if (this.#isClosed) return;
    this.#registry.update(runtime, workloads);
    this.#publisher.schedule();
    this.#started?.reconciler.reconcile();
    this.#workloadFaults.reconcile();
    this.#changed('workloads');
  }

  #faultsChanged(): void {
    this.#workloadFaults.reconcile();
    this.#started?.identityFaults.reconcile();
    this.#changed('faults');
  }

  #engineChanged(runtime: Runtime): void {
    if (this.#isReady && !this.#isClosed) this.#started?.adoption.engineChanged(runtime);
    this.#changed('status');
  }

  async #forEach(
    workloads: readonly DiscoveredWorkload[],
    work: WorkloadWork,
    limit = concurrency,
  ): Promise<WorkloadResult[]> {
    const outcomes = await workOnEach(workloads, work, { limit, clock: this.#clock });
    this.#changed('workloads');
    return outcomes.map(({ workload, remark, durationMs }) => {
      const view = toWorkloadView(this.#registry.get(workload.id) ?? workload, this.#parts());
      return { ...view, reason: remark ?? view.reason, durationMs };
    });
  }

  #run(): Started {
    if (this.#started === null) throw new Error('the mesh has not been started');
    return this.#started;
  }

  #parts(): MeshParts {
    return this.#run().parts;
  }

  /** Figures (traffic, cost, hits of faults) change all the time: once a second is enough. */
  #tellFigures(): void {
    if (!this.#hasNewFigures) return;
    this.#hasNewFigures = false;
    this.#changed('status');
    this.#changed('workloads');
    if (this.#faults.injections().length > 0) this.#changed('faults');
  }

  #changed(what: MeshChange): void {
    this.#tell((listener) => listener.onChange(what));
  }

  #tell(call: (listener: MeshListener) => void): void {
    for (const listener of this.#listeners) call(listener);
  }
}
