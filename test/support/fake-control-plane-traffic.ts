import type { MethodOutput } from '../../core/contract/contract.ts';
import type { SplitView, Topology } from '../../core/contract/shapes.ts';
import type { FakeHost, HandlersOf } from './fake-control-plane-host.ts';

/** The split of payments and what it looks like over time. */
export class FakeTraffic {
  readonly #host: FakeHost;
  readonly #topology: () => Topology;
  #weights = [
    { subset: 'v1', weight: 90 },
    { subset: 'v2', weight: 10 },
  ];
  #configured: boolean;
  #pins: SplitView['pins'] = [{ name: 'x-canary', value: 'true', subset: 'v2' }];
  #revision = 0;
  #tick = 0;

  constructor(host: FakeHost, configured: boolean, topology: () => Topology) {
    this.#host = host;
    this.#configured = configured;
    this.#topology = topology;
  }

  weights(): { subset: string; weight: number }[] {
    if (this.#configured) return this.#weights;
    return [
      { subset: 'v1', weight: 100 },
      { subset: 'v2', weight: 0 },
    ];
  }

  tick(): void {
    this.#tick += 1;
  }

  handlers(): HandlersOf<'split' | 'series'> {
    return {
      'series.get': ({ from, to, seconds }) => this.#series(from, to, seconds),
      'split.list': () =>
        ['web', 'orders', 'payments', 'catalog', 'postgres', 'redis'].map((name) => this.#split(name)),
      'split.show': ({ service }) => this.#split(service),
      'split.set': ({ service, weights, pins }) => {
        this.#weights = weights;
        this.#pins = pins;
        this.#configured = true;
        this.#told();
        return this.#split(service);
      },
      'split.clear': ({ service }) => {
        this.#configured = false;
        this.#told();
        return this.#split(service);
      },
    };
  }

  #told(): void {
    this.#host.changed();
    this.#revision += 1;
    this.#host.emit('splits', { revision: this.#revision });
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
      yaml: weights.length > 0 ? this.yaml() : '',
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

  yaml(): string {
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
      fromMs: this.#host.nowMs() - seconds * 1_000,
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
      markers: slow > 0 ? [{ atMs: this.#host.nowMs() - slow * 1_000, kind: 'fault', text: 'delay on' }] : [],
    };
  }
}
