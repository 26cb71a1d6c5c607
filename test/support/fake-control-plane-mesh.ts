import type { MeshStatus, Topology, WorkloadView } from '../../core/contract/shapes.ts';
import type { FakeFaults } from './fake-control-plane-faults.ts';
import type { FakeHost, HandlersOf } from './fake-control-plane-host.ts';
import { demoTopology, demoWorkloads, largeTopology, meshed } from './fake-mesh-data.ts';

export type FakeScene = 'empty' | 'detached' | 'attached' | 'large';

/** Workloads, the sample shop, and the figures of status and topology, which wobble. */
export class FakeMesh {
  readonly #host: FakeHost;
  readonly #faults: FakeFaults;
  readonly #weights: () => { subset: string; weight: number }[];
  readonly #large: boolean;
  #workloads: WorkloadView[];
  #engine: MeshStatus['engine'];
  #sample: MeshStatus['sample'] = 'stopped';
  #revision = 41;
  #tick = 0;

  constructor(
    host: FakeHost,
    scene: FakeScene,
    faults: FakeFaults,
    weights: () => { subset: string; weight: number }[],
  ) {
    this.#host = host;
    this.#faults = faults;
    this.#weights = weights;
    this.#large = scene === 'large';
    this.#workloads = scene === 'empty' ? [] : demoWorkloads(scene === 'attached' || scene === 'large');
    const gone = 'connect ENOENT /var/run/docker.sock';
    this.#engine =
      scene === 'empty'
        ? { state: 'unavailable', name: null, version: null, endpoint: 'unix:///var/run/docker.sock', message: gone }
        : { state: 'connected', name: 'Docker', version: '28.2', endpoint: 'unix socket', message: null };
  }

  workloads(): readonly WorkloadView[] {
    return this.#workloads;
  }

  tick(): void {
    this.#tick += 1;
  }

  /** A new revision is in force. */
  revise(): void {
    this.#revision += 1;
  }

  /** Everything that moves, as events. */
  tell(): void {
    this.#host.emit('topology', this.topology());
    this.#host.emit('status', this.#status());
    this.#host.emit('workloads', this.#workloads);
  }

  changeWorkload(name: string, change: Partial<WorkloadView>): void {
    this.#workloads = this.#workloads.map((view) => (view.name === name ? { ...view, ...change } : view));
    this.#host.emit('workloads', this.#workloads);
  }

  handlers(): HandlersOf<'mesh' | 'workload' | 'topology' | 'sample'> {
    return {
      'mesh.status': () => this.#status(),
      'mesh.cleanup': () => ({ containers: [], rules: [], images: [], problems: [] }),
      'mesh.doctor': () => [{ name: 'engine', status: 'ok', message: 'Docker 28.2 answers', fix: null }],
      'mesh.address': () => ({ url: 'http://127.0.0.1:7070/?token=once' }),
      'workload.list': () => this.#workloads,
      'workload.attach': ({ select }) =>
        this.#move(
          this.#chosen(select).filter(({ mesh }) => mesh === 'detached'),
          'attached',
        ),
      'workload.detach': ({ select }) =>
        this.#move(
          this.#chosen(select).filter(({ mesh }) => mesh === 'attached'),
          'detached',
        ),
      'workload.renew': ({ select }) =>
        this.#move(
          this.#chosen(select).filter(({ mesh }) => mesh === 'attached'),
          'attached',
        ),
      'topology.get': () => this.topology(),
      'sample.start': async () => {
        this.#sample = 'starting';
        this.#host.emit('status', this.#status());
        for (const [place, service] of ['web', 'catalog', 'orders', 'payments v1', 'payments v2', 'cache'].entries()) {
          this.#host.emit('progress', {
            operation: 'sample',
            workload: null,
            step: `start ${service}`,
            state: 'running',
            message: null,
            percent: (place / 6) * 100,
          });
          await new Promise((resolve) => setTimeout(resolve, this.#host.stepMs));
        }
        this.#workloads = demoWorkloads(true)
          .filter(({ project }) => project)
          .map((view) => ({ ...view, runtime: 'process', project: null, image: null, stateText: 'pid 4711' }));
        this.#sample = 'running';
        this.#host.emit('progress', {
          operation: 'sample',
          workload: null,
          step: 'running',
          state: 'done',
          message: null,
          percent: 100,
        });
        this.#host.changed();
        return this.#status();
      },
      'sample.stop': () => {
        this.#sample = 'stopped';
        this.#workloads = [];
        this.#host.changed();
        return this.#status();
      },
    };
  }

  #status(): MeshStatus {
    const attached = this.#workloads.filter(({ mesh }) => mesh === 'attached').length;
    const alive = attached > 0;
    return {
      ready: true,
      version: '0.1.0',
      project: { dir: '/home/dev/code/shop/mesh', name: 'shop' },
      engine: this.#engine,
      sample: this.#sample,
      mtlsMode: 'PERMISSIVE',
      trustDomain: 'cluster.local',
      revision: this.#revision,
      sidecars: { attached, acked: attached },
      traffic: { requestsPerSecond: alive ? 183 * this.#wobble(9) : 0, errorPercent: alive ? 0.4 : null },
      cost: {
        sidecarsRssBytes: attached * 52_000_000,
        sidecarsCpuPercent: attached * 0.7,
        controlPlaneRssBytes: 118_000_000,
      },
      faultsActive: this.#faults.list().filter(({ enabled }) => enabled).length,
    };
  }

  #wobble(seed: number): number {
    return 1 + Math.sin(this.#tick / 3 + seed * 1.7) * 0.06 + Math.sin(this.#tick * 1.3 + seed) * 0.03;
  }

  topology(): Topology {
    const on = this.#faults.list().find(({ enabled }) => enabled);
    const view = demoTopology(this.#workloads, this.#host.nowMs(), this.#revision, {
      wobble: (seed) => this.#wobble(seed),
      delayMs: on?.action?.kind === 'delay' ? on.action.delayMs : 0,
      delayPercent: on?.action?.kind === 'delay' ? on.percent : 0,
      abortPercent: on?.action?.kind === 'abort' ? on.percent : 0,
      faultId: on?.id ?? null,
      weights: this.#weights(),
    });
    if (this.#large) return largeTopology(500, view.atMs, (seed) => this.#wobble(seed));
    return this.#workloads.some(({ mesh }) => mesh === 'attached') ? view : { ...view, nodes: [], edges: [] };
  }

  #chosen(select: {
    names?: string[] | undefined;
    all?: true | undefined;
    project?: string | undefined;
  }): WorkloadView[] {
    const { names, project } = select;
    return this.#workloads.filter(
      (view) =>
        !view.notAttachable &&
        (select.all || (project ? view.project === project : names?.includes(view.id) || names?.includes(view.name))),
    );
  }

  async #move(views: readonly WorkloadView[], to: 'attached' | 'detached') {
    const steps =
      to === 'attached'
        ? ['start the sidecar', 'issue the certificate', 'push the configuration', 'redirect the traffic']
        : ['tell the others', 'remove the redirection', 'drain connections'];
    const operation = to === 'attached' ? ('attach' as const) : ('detach' as const);
    for (const view of views)
      this.changeWorkload(view.name, {
        mesh: to === 'attached' ? 'attaching' : 'detaching',
        keptConnections: to === 'attached' ? null : { http: 0, tcp: view.service === 'postgres' ? 14 : 0 },
      });
    for (const [place, step] of steps.entries()) {
      for (const view of views)
        this.#host.emit('progress', {
          operation,
          workload: view.id,
          step,
          state: 'running',
          message: null,
          percent: (place / steps.length) * 100,
        });
      await new Promise((resolve) => setTimeout(resolve, this.#host.stepMs));
    }
    views.forEach((view, place) => {
      this.changeWorkload(view.name, meshed(to === 'attached', view, place));
    });
    this.#host.changed();
    return this.#workloads
      .filter(({ id }) => views.some((view) => view.id === id))
      .map((view) => ({ ...view, durationMs: 640 }));
  }
}
