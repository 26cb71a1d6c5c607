/**
 * A control plane in memory, behind the contract's Transport: a lively demo mesh for component tests and for the page
 * renderer/dev.html. It keeps the contract's shapes (a test checks every answer), not the product's behaviour in depth.
 * One file per subject (`fake-control-plane-<subject>.ts`); here they are put together.
 */
import type { CallResponse, EventName, EventPayload, MethodName, Transport } from '../../core/contract/contract.ts';
import { contract } from '../../core/contract/contract.ts';
import { errorCatalogue, MeshError } from '../../core/contract/errors.ts';
import type { GatewayView, WorkloadView } from '../../core/contract/shapes.ts';
import { FakeCertificates } from './fake-control-plane-certificates.ts';
import { FakeConfig } from './fake-control-plane-config.ts';
import { fakeExport } from './fake-control-plane-export.ts';
import { FakeFaults } from './fake-control-plane-faults.ts';
import type { FakeHost, Handlers } from './fake-control-plane-host.ts';
import { FakeMesh, type FakeScene } from './fake-control-plane-mesh.ts';
import { fakeRequests } from './fake-control-plane-requests.ts';
import { fakeTerminals } from './fake-control-plane-terminals.ts';
import { FakeTraffic } from './fake-control-plane-traffic.ts';

export interface FakeOptions {
  /** `empty`: no engine, nothing runs. `detached`: containers, none attached. `attached`: the whole shop is meshed. `large`: 500 services. */
  scene?: FakeScene;
  nowMs?: () => number;
  /** How long an attach step takes. */
  stepMs?: number;
}

export class FakeControlPlane implements Transport {
  readonly calls: { method: string; input: unknown }[] = [];
  readonly config: FakeConfig;
  /** What the project's Gateways ask for; none unless a test says so. */
  gateways: readonly GatewayView[] = [];
  readonly #listeners = new Set<{
    onEvent: (event: { name: string; payload: unknown }) => void;
    onState: (up: boolean) => void;
  }>();
  readonly #handlers: Handlers;
  readonly #mesh: FakeMesh;
  readonly #faults: FakeFaults;
  readonly #traffic: FakeTraffic;

  constructor({ scene = 'attached', nowMs = () => Date.now(), stepMs = 500 }: FakeOptions = {}) {
    const host: FakeHost = {
      nowMs,
      stepMs,
      emit: (name, payload) => this.emit(name, payload),
      changed: () => {
        this.#mesh.revise();
        this.tick();
      },
    };
    this.#faults = new FakeFaults(host, scene === 'attached' || scene === 'large');
    this.#traffic = new FakeTraffic(host, scene === 'attached', () => this.#mesh.topology());
    this.#mesh = new FakeMesh(host, scene, this.#faults, () => this.#traffic.weights());
    this.config = new FakeConfig(host, scene === 'attached');
    const certificates = new FakeCertificates(host, () => this.#mesh.workloads());
    this.#handlers = {
      ...this.#mesh.handlers(),
      ...this.#faults.handlers(),
      ...this.#traffic.handlers(),
      ...this.config.handlers(),
      ...certificates.handlers(),
      'gateway.list': () => [...this.gateways],
      ...fakeExport(() => this.#traffic.yaml()),
      ...fakeRequests(host),
      ...fakeTerminals(host),
    };
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
    for (const part of [this.#mesh, this.#faults, this.#traffic]) part.tick();
    this.emit('faults', this.#faults.list());
    this.#mesh.tell();
  }

  workloads(): readonly WorkloadView[] {
    return this.#mesh.workloads();
  }

  /** Makes changes that a test needs visible at once. */
  changeWorkload(name: string, change: Partial<WorkloadView>): void {
    this.#mesh.changeWorkload(name, change);
  }
}

function isMethod(method: string): method is MethodName {
  return Object.hasOwn(contract, method);
}
