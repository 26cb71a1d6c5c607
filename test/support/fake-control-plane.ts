/**
 * A control plane in memory, behind the contract's Transport: a lively demo mesh for component tests and for the page
 * renderer/dev.html. It keeps the contract's shapes (a test checks every answer), not the product's behaviour in depth.
 */
import type {
  CallResponse,
  EventName,
  EventPayload,
  MethodName,
  MethodOutput,
  MethodParsed,
  Transport,
} from '../../core/contract/contract.ts';
import { contract } from '../../core/contract/contract.ts';
import { errorCatalogue, MeshError } from '../../core/contract/errors.ts';
import type { FaultView, MeshStatus, SplitView, WorkloadView } from '../../core/contract/shapes.ts';
import { demoCertificate, demoTopology, demoWorkloads, largeTopology, meshed, startMs } from './fake-mesh-data.ts';

export interface FakeOptions {
  /** `empty`: no engine, nothing runs. `detached`: containers, none attached. `attached`: the whole shop is meshed. `large`: 500 services. */
  scene?: 'empty' | 'detached' | 'attached' | 'large';
  nowMs?: () => number;
  /** How long an attach step takes. */
  stepMs?: number;
}

type Handlers = { [M in MethodName]: (input: MethodParsed<M>) => MethodOutput<M> | Promise<MethodOutput<M>> };

export class FakeControlPlane implements Transport {
  readonly calls: { method: string; input: unknown }[] = [];
  readonly #listeners = new Set<{
    onEvent: (event: { name: string; payload: unknown }) => void;
    onState: (up: boolean) => void;
  }>();
  readonly #nowMs: () => number;
  readonly #stepMs: number;
  readonly #handlers: Handlers;
  #workloads: WorkloadView[];
  #faults: FaultView[] = [];
  #weights = [
    { subset: 'v1', weight: 90 },
    { subset: 'v2', weight: 10 },
  ];
  #configured: boolean;
  #pins: SplitView['pins'] = [{ name: 'x-canary', value: 'true', subset: 'v2' }];
  #revision = 41;
  #tick = 0;
  #engine: MeshStatus['engine'];
  #sample: MeshStatus['sample'] = 'stopped';
  #rotations = new Map<string, number>();
  readonly #large: boolean;

  constructor({ scene = 'attached', nowMs = () => Date.now(), stepMs = 500 }: FakeOptions = {}) {
    this.#nowMs = nowMs;
    this.#large = scene === 'large';
    this.#stepMs = stepMs;
    this.#workloads = scene === 'empty' ? [] : demoWorkloads(scene === 'attached' || scene === 'large');
    this.#configured = scene === 'attached';
    const gone = 'connect ENOENT /var/run/docker.sock';
    this.#engine =
      scene === 'empty'
        ? { state: 'unavailable', name: null, version: null, endpoint: 'unix:///var/run/docker.sock', message: gone }
        : { state: 'connected', name: 'Docker', version: '28.2', endpoint: 'unix socket', message: null };
    if (scene === 'attached' || scene === 'large') {
      this.#faults = [
        this.#fault('f1', { kind: 'delay', delayMs: 400 }, 30, true),
        this.#fault('f2', { kind: 'abort', httpStatus: 503 }, 10, false),
      ];
    }
    this.#handlers = this.#makeHandlers();
  }

  async call(method: string, input: unknown): Promise<CallResponse> {
    this.calls.push({ method, input });
    try {
      if (!isMethod(method)) throw new MeshError('BAD_REQUEST', `there is no method ${method}`);
      const parsed = contract[method].input.parse(input);
      const output = await this.#handlers[method](parsed as never);
      return { ok: true, output: contract[method].output.parse(output) };
    } catch (error) {
      const code = error instanceof MeshError ? error.code : 'INTERNAL';
      const message = error instanceof Error ? error.message : String(error);
      return { ok: false, error: { code, message, hint: errorCatalogue[code], issues: [] } };
    }
  }

  listen(onEvent: (event: { name: string; payload: unknown }) => void, onState: (up: boolean) => void): () => void {
    const listener = { onEvent, onState };
    this.#listeners.add(listener);
    queueMicrotask(() => this.#listeners.has(listener) && onState(true));
    return () => this.#listeners.delete(listener);
  }

  emit<E extends EventName>(name: E, payload: EventPayload<E>): void {
    for (const { onEvent } of this.#listeners) onEvent({ name, payload });
  }

  setConnected(up: boolean): void {
    for (const { onState } of this.#listeners) onState(up);
  }

  /** One second passes: figures move, events go out. */
  tick(): void {
    this.#tick += 1;
    this.#faults = this.#faults.map((fault) => this.#aged(fault));
    this.emit('topology', this.#topology());
    this.emit('faults', this.#faults);
    this.emit('status', this.#status());
    this.emit('workloads', this.#workloads);
  }

  workloads(): readonly WorkloadView[] {
    return this.#workloads;
  }

  /** Makes changes that a test needs visible at once. */
  changeWorkload(name: string, change: Partial<WorkloadView>): void {
    this.#workloads = this.#workloads.map((view) => (view.name === name ? { ...view, ...change } : view));
    this.emit('workloads', this.#workloads);
  }

  #fault(id: string, action: FaultView['action'], percent: number, enabled: boolean): FaultView {
    return {
      id,
      from: 'orders.shop',
      to: 'payments.shop',
      route: null,
      action,
      percent,
      durationMs: 60_000,
      enabled,
      expiresInMs: enabled ? 42_000 : null,
      seen: enabled ? 312 : 0,
      hits: enabled ? 94 : 0,
      applied: { of: enabled ? 1 : 0, acked: enabled ? 1 : 0 },
      effect: {
        p95BeforeMs: enabled ? 15 : null,
        p95NowMs: enabled ? 405 : null,
        errorPercentNow: enabled ? 0.4 : null,
      },
    };
  }

  #aged(fault: FaultView): FaultView {
    if (!fault.enabled) return fault;
    const expiresInMs = fault.expiresInMs === null ? null : fault.expiresInMs - 1_000;
    if (expiresInMs !== null && expiresInMs <= 0)
      return { ...fault, enabled: false, expiresInMs: null, applied: { of: 0, acked: 0 } };
    const seen = fault.seen + 36;
    return { ...fault, expiresInMs, seen, hits: Math.round((seen * fault.percent) / 100) };
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
      faultsActive: this.#faults.filter(({ enabled }) => enabled).length,
    };
  }

  #wobble(seed: number): number {
    return 1 + Math.sin(this.#tick / 3 + seed * 1.7) * 0.06 + Math.sin(this.#tick * 1.3 + seed) * 0.03;
  }

  #topology() {
    const on = this.#faults.find(({ enabled }) => enabled);
    const view = demoTopology(this.#workloads, this.#nowMs(), this.#revision, {
      wobble: (seed) => this.#wobble(seed),
      delayMs: on?.action.kind === 'delay' ? on.action.delayMs : 0,
      delayPercent: on?.action.kind === 'delay' ? on.percent : 0,
      abortPercent: on?.action.kind === 'abort' ? on.percent : 0,
      faultId: on?.id ?? null,
      weights: this.#configured
        ? this.#weights
        : [
            { subset: 'v1', weight: 100 },
            { subset: 'v2', weight: 0 },
          ],
    });
    if (this.#large) return largeTopology(500, view.atMs, (seed) => this.#wobble(seed));
    return this.#workloads.some(({ mesh }) => mesh === 'attached') ? view : { ...view, nodes: [], edges: [] };
  }

  #changed(): void {
    this.#revision += 1;
    this.tick();
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
        this.emit('progress', {
          operation,
          workload: view.id,
          step,
          state: 'running',
          message: null,
          percent: (place / steps.length) * 100,
        });
      await new Promise((resolve) => setTimeout(resolve, this.#stepMs));
    }
    views.forEach((view, place) => {
      this.changeWorkload(view.name, meshed(to === 'attached', view, place));
    });
    this.#changed();
    return this.#workloads
      .filter(({ id }) => views.some((view) => view.id === id))
      .map((view) => ({ ...view, durationMs: 640 }));
  }

  #split(service: string): SplitView {
    const name = service.split('.')[0] ?? service;
    const two = name === 'payments';
    const tcp = name === 'postgres' || name === 'redis';
    const topology = this.#topology().edges.find(({ to }) => to === 'payments.shop');
    const weights = two && this.#configured ? this.#weights : [];
    return {
      service: name,
      namespace: 'shop',
      versions: two
        ? [
            { version: 'v1', workloads: 1 },
            { version: 'v2', workloads: 1 },
          ]
        : [{ version: 'v1', workloads: 1 }],
      configured: two && this.#configured,
      weights,
      pins: two && this.#configured ? this.#pins : [],
      routes: two && this.#configured ? this.#routes() : [],
      observed: (two ? (topology?.versions ?? []) : []).map(({ version, percent, successPercent, p95Ms }) => ({
        version: version ?? '',
        percent,
        requests: Math.round(percent * 11),
        successPercent,
        p95Ms,
      })),
      observedWindowSeconds: 30,
      unavailable: two
        ? null
        : tcp
          ? `${name} speaks TCP: traffic can be split by version for HTTP only.`
          : `${name} runs one version; start a second one to split its traffic.`,
      applied: { of: 6, acked: 6 },
      yaml: weights.length > 0 ? this.#yaml() : '',
    };
  }

  #routes(): SplitView['routes'] {
    return [
      ...this.#pins.map((pin, place) => ({
        name: `pin-${place + 1}`,
        match: `${pin.name} = ${pin.value}`,
        destinations: [{ subset: pin.subset, percent: 100 }],
      })),
      {
        name: 'default',
        match: 'everything else',
        destinations: this.#weights.map(({ subset, weight }) => ({ subset, percent: weight })),
      },
    ];
  }

  #yaml(): string {
    const pins = this.#pins.map(
      (pin) =>
        `  - name: pin-${pin.subset}\n    match:\n    - headers:\n        ${pin.name}:\n          exact: "${pin.value}"\n    route:\n    - destination:\n        host: payments\n        subset: ${pin.subset}\n`,
    );
    const routes = this.#weights.map(
      ({ subset, weight }) =>
        `    - destination:\n        host: payments\n        subset: ${subset}\n      weight: ${weight}\n`,
    );
    return `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: payments\n  namespace: shop\nspec:\n  hosts:\n  - payments\n  http:\n${pins.join('')}  - name: default # moved here by the slider\n    route:\n${routes.join('')}`;
  }

  #certificates() {
    return this.#workloads
      .filter(({ identity }) => identity)
      .map((view) =>
        demoCertificate(
          view,
          this.#rotations.get(view.id) ?? 0,
          this.#rotations.has(view.id) ? this.#nowMs() : startMs,
        ),
      );
  }

  #makeHandlers(): Handlers {
    const find = <T>(value: T | undefined, name: string): T => {
      if (value === undefined) throw new MeshError('NOT_FOUND', `there is no ${name}`);
      return value;
    };
    const certificate = (workload: string) =>
      find(
        this.#certificates().find((view) => view.workload.id === workload || view.workload.name === workload),
        workload,
      );
    const exported = (outDir: string | null) => [
      {
        target: 'istio',
        files: [
          { path: 'shop/payments.yaml', content: this.#yaml() },
          {
            path: 'shop/mtls.yaml',
            content:
              'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: default\n  namespace: shop\nspec:\n  mtls:\n    mode: PERMISSIVE\n',
          },
          { path: 'REPORT.md', content: '# What was exported\n\n2 mapped, 1 approximated, 1 dropped.\n' },
        ],
        findings: [
          {
            kind: 'mapped' as const,
            what: 'split of payments',
            reason: 'VirtualService with 2 routes',
            file: 'shop/payments.yaml',
          },
          {
            kind: 'mapped' as const,
            what: 'mutual TLS',
            reason: 'PeerAuthentication, PERMISSIVE',
            file: 'shop/mtls.yaml',
          },
          {
            kind: 'approximated' as const,
            what: 'fault orders → payments',
            reason: 'a route cannot name its caller; sourceLabels select it instead',
            file: 'shop/payments.yaml',
          },
          {
            kind: 'dropped' as const,
            what: 'duration of 60 s',
            reason: 'Istio faults do not end by themselves',
            file: null,
          },
        ],
        outDir,
      },
    ];
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
      'topology.get': () => this.#topology(),
      'series.get': ({ from, to, seconds }) => this.#series(from, to, seconds),
      'request.recent': ({ to, limit }) =>
        Array.from({ length: Math.min(limit, 12) }, (_, place) => ({
          atMs: this.#nowMs() - place * 170,
          from: 'orders.shop',
          to,
          version: place % 4 === 3 ? 'v2' : 'v1',
          route: null,
          method: place % 3 === 2 ? 'GET' : 'POST',
          path: place % 3 === 2 ? '/limits' : '/charge',
          status: place === 5 ? 503 : 200,
          flags: place % 3 === 1 ? 'DI' : '-',
          durationMs: place % 3 === 1 ? 406 + place : 4 + place,
          mtls: true,
        })),
      'fault.list': () => this.#faults,
      'fault.set': (input) => {
        const id = input.id ?? `f${this.#faults.length + 1}-${this.#tick}`;
        const made: FaultView = {
          ...this.#fault(id, input.action, input.percent, input.enabled),
          from: input.from,
          to: input.to,
          route: input.route,
          durationMs: input.durationMs,
          expiresInMs: input.enabled ? input.durationMs : null,
          seen: 0,
          hits: 0,
        };
        this.#faults = [made, ...this.#faults.filter((fault) => fault.id !== id)];
        this.#changed();
        return made;
      },
      'fault.toggle': ({ id, enabled }) => {
        this.#faults = this.#faults.map((fault) =>
          fault.id === id
            ? {
                ...this.#fault(id, fault.action, fault.percent, enabled),
                from: fault.from,
                to: fault.to,
                durationMs: fault.durationMs,
                expiresInMs: enabled ? fault.durationMs : null,
              }
            : fault,
        );
        this.#changed();
        return find(
          this.#faults.find((fault) => fault.id === id),
          `fault ${id}`,
        );
      },
      'fault.clear': (input) => {
        this.#faults = 'id' in input ? this.#faults.filter(({ id }) => id !== input.id) : [];
        this.#changed();
        return this.#faults;
      },
      'split.list': () =>
        ['web', 'orders', 'payments', 'catalog', 'postgres', 'redis'].map((name) => this.#split(name)),
      'split.show': ({ service }) => this.#split(service),
      'split.set': ({ service, weights, pins }) => {
        this.#weights = weights;
        this.#pins = pins;
        this.#configured = true;
        this.#changed();
        this.emit('splits', { revision: this.#revision });
        return this.#split(service);
      },
      'split.clear': ({ service }) => {
        this.#configured = false;
        this.#changed();
        this.emit('splits', { revision: this.#revision });
        return this.#split(service);
      },
      'certificate.list': () => this.#certificates(),
      'certificate.show': ({ workload }) => certificate(workload),
      'certificate.rotate': (input) => {
        for (const view of this.#workloads)
          if (!('workload' in input) || input.workload === view.id)
            this.#rotations.set(view.id, (this.#rotations.get(view.id) ?? 0) + 1);
        this.emit('certificates', { workload: 'workload' in input ? input.workload : '' });
        return this.#certificates();
      },
      'certificate.verify': () => ({
        ok: true,
        checks: [
          { name: 'chain', ok: true, message: 'leads to the root of this mesh' },
          { name: 'validity', ok: true, message: 'valid now' },
          { name: 'identity', ok: true, message: 'SPIFFE ID matches the workload' },
        ],
      }),
      'export.preview': () => exported(null),
      'export.write': ({ outDir }) => exported(outDir),
      'sample.start': async () => {
        this.#sample = 'starting';
        this.emit('status', this.#status());
        for (const [place, service] of ['web', 'catalog', 'orders', 'payments v1', 'payments v2', 'cache'].entries()) {
          this.emit('progress', {
            operation: 'sample',
            workload: null,
            step: `start ${service}`,
            state: 'running',
            message: null,
            percent: (place / 6) * 100,
          });
          await new Promise((resolve) => setTimeout(resolve, this.#stepMs));
        }
        this.#workloads = demoWorkloads(true)
          .filter(({ project }) => project)
          .map((view) => ({ ...view, runtime: 'process', project: null, image: null, stateText: 'pid 4711' }));
        this.#sample = 'running';
        this.emit('progress', {
          operation: 'sample',
          workload: null,
          step: 'running',
          state: 'done',
          message: null,
          percent: 100,
        });
        this.#changed();
        return this.#status();
      },
      'sample.stop': () => {
        this.#sample = 'stopped';
        this.#workloads = [];
        this.#changed();
        return this.#status();
      },
      'terminal.open': ({ workload, kind }) => {
        const id = `t${this.calls.length}`;
        setTimeout(() => {
          for (let line = 0; line < 24; line += 1)
            this.emit('terminal.data', {
              id,
              data:
                kind === 'shell' && line > 0
                  ? ''
                  : `\x1b[90m2026-11-21T04:00:${String(line).padStart(2, '0')}Z\x1b[0m ${line % 7 === 4 ? '\x1b[33mwarn\x1b[0m slow answer from payments' : '\x1b[32minfo\x1b[0m POST /charge 200 11 ms'} ${workload}\r\n`,
            });
          if (kind === 'shell') this.emit('terminal.data', { id, data: '/app $ ' });
        }, 50);
        return { id };
      },
      'terminal.input': ({ id, data }) => {
        this.emit('terminal.data', { id, data: data === '\r' ? '\r\n/app $ ' : data });
        return {};
      },
      'terminal.resize': () => ({}),
      'terminal.close': () => ({}),
    };
  }

  #series(from: string | null, to: string, seconds: number): MethodOutput<'series.get'> {
    const edgeNow = this.#topology().edges.find((edge) => edge.to === to && (from === null || edge.from === from));
    const base = edgeNow?.p50Ms ?? null;
    const slow = edgeNow?.badges.some(({ kind }) => kind === 'fault') ? 120 : 0;
    const wave = (at: number, factor: number, extra: number) =>
      base === null
        ? null
        : base * factor * (1 + Math.sin((at + this.#tick) / 9) * 0.08 + Math.sin((at + this.#tick) * 1.9) * 0.05) +
          (seconds - at < slow ? extra : 0);
    const line = (factor: number, extra: number) => Array.from({ length: seconds }, (_, at) => wave(at, factor, extra));
    return {
      fromMs: this.#nowMs() - seconds * 1_000,
      stepMs: 1_000,
      requestsPerSecond: Array.from({ length: seconds }, (_, at) =>
        base === null ? null : (edgeNow?.requestsPerSecond ?? 0) * (1 + Math.sin(at / 7) * 0.07),
      ),
      errorPercent: Array.from({ length: seconds }, (_, at) =>
        base === null ? null : Math.max(0, 0.5 + Math.sin(at / 5) * 0.4),
      ),
      p50Ms: line(1, 0),
      p95Ms: line(1.9, 390),
      p99Ms: line(2.7, 400),
      bytesPerSecond: Array.from({ length: seconds }, (_, at) =>
        edgeNow?.tcp ? edgeNow.tcp.bytesPerSecond * (1 + Math.sin(at / 7) * 0.2) : null,
      ),
      markers: slow > 0 ? [{ atMs: this.#nowMs() - slow * 1_000, kind: 'fault', text: 'delay on' }] : [],
    };
  }
}

function isMethod(method: string): method is MethodName {
  return Object.hasOwn(contract, method);
}
