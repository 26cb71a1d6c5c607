import { describe, expect, it } from 'vitest';
import { createContractClient } from '../../../core/contract/client.ts';
import type { CallResponse, Transport } from '../../../core/contract/contract.ts';
import { createMeshFeed } from '../../../renderer/state/mesh-store.ts';
import { FakeControlPlane } from '../../support/fake-control-plane.ts';

/** Lets everything that is already due run. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Answers are held until the test lets them go. */
class HeldTransport implements Transport {
  readonly inner = new FakeControlPlane({ scene: 'attached', nowMs: () => 1_000 });
  readonly #held: (() => void)[] = [];
  hold = true;

  async call(method: string, input: unknown): Promise<CallResponse> {
    const answer = await this.inner.call(method, input);
    if (this.hold) await new Promise<void>((resolve) => this.#held.push(resolve));
    return answer;
  }

  listen: Transport['listen'] = (onEvent, onState) => this.inner.listen(onEvent, onState);

  release(): void {
    this.hold = false;
    for (const go of this.#held.splice(0)) go();
  }
}

describe('mesh store', () => {
  it('is not loaded until the whole picture is here', async () => {
    const transport = new HeldTransport();
    const feed = createMeshFeed(createContractClient(transport));
    await settle();
    expect(feed.store.getState()).toMatchObject({ connection: 'connected', loaded: false, workloads: [] });
    transport.release();
    await settle();
    expect(feed.store.getState().loaded).toBe(true);
    expect(feed.store.getState().workloads.length).toBeGreaterThan(0);
    feed.close();
  });

  it('holds events that arrive while it fetches and applies them on top of the picture', async () => {
    const transport = new HeldTransport();
    const feed = createMeshFeed(createContractClient(transport));
    await settle();
    transport.inner.changeWorkload('shop-web-1', { mesh: 'degraded', reason: 'no answer' });
    expect(feed.store.getState().workloads).toEqual([]);
    transport.release();
    await settle();
    expect(feed.store.getState().workloads.find(({ name }) => name === 'shop-web-1')?.mesh).toBe('degraded');
    feed.close();
  });

  it('drops a topology that is older than the one it has', async () => {
    const transport = new FakeControlPlane({ nowMs: () => 5_000 });
    const feed = createMeshFeed(createContractClient(transport));
    await settle();
    const known = feed.store.getState().topology;
    expect(known?.atMs).toBe(5_000);
    transport.emit('topology', { windowSeconds: 30, atMs: 4_000, revision: 1, nodes: [], edges: [] });
    expect(feed.store.getState().topology).toBe(known);
    transport.emit('topology', { windowSeconds: 30, atMs: 6_000, revision: 1, nodes: [], edges: [] });
    expect(feed.store.getState().topology?.atMs).toBe(6_000);
    feed.close();
  });

  it('fetches everything again after a gap, and tells views to do so', async () => {
    const transport = new FakeControlPlane();
    const feed = createMeshFeed(createContractClient(transport));
    await settle();
    const before = feed.store.getState();
    transport.setConnected(false);
    expect(feed.store.getState().connection).toBe('disconnected');
    await settle();
    const calls = transport.calls.length;
    transport.setConnected(true);
    await settle();
    const after = feed.store.getState();
    expect(after.connection).toBe('connected');
    expect(
      transport.calls
        .slice(calls)
        .map(({ method }) => method)
        .sort(),
    ).toEqual(['fault.list', 'mesh.status', 'topology.get', 'workload.list']);
    expect(after.splitsChange).toBeGreaterThan(before.splitsChange);
    expect(after.certificatesChange).toBeGreaterThan(before.certificatesChange);
    feed.close();
  });

  it('is connecting, not disconnected, before it was connected once', () => {
    const transport = new FakeControlPlane();
    const feed = createMeshFeed(createContractClient(transport));
    transport.setConnected(false);
    expect(feed.store.getState().connection).toBe('connecting');
    feed.close();
  });

  it('says why when the picture cannot be fetched, and mends itself on refresh', async () => {
    const inner = new FakeControlPlane();
    let broken = true;
    const transport: Transport = {
      call: (method, input) =>
        broken
          ? Promise.resolve({
              ok: false,
              error: { code: 'ENGINE_FAILED', message: 'engine says no', hint: '', issues: [] },
            })
          : inner.call(method, input),
      listen: (onEvent, onState) => inner.listen(onEvent, onState),
    };
    const feed = createMeshFeed(createContractClient(transport));
    await settle();
    expect(feed.store.getState()).toMatchObject({ loaded: false, problem: 'engine says no' });
    broken = false;
    await feed.refresh();
    expect(feed.store.getState()).toMatchObject({ loaded: true, problem: null });
    feed.close();
  });

  it('keeps the latest step of an operation until its workload is done', async () => {
    const transport = new FakeControlPlane();
    const feed = createMeshFeed(createContractClient(transport));
    await settle();
    const web = transport.workloads().find(({ name }) => name === 'shop-web-1');
    const id = web?.id ?? '';
    transport.changeWorkload('shop-web-1', { mesh: 'attaching' });
    transport.emit('progress', {
      operation: 'attach',
      workload: id,
      step: 'start the sidecar',
      state: 'running',
      message: null,
      percent: 20,
    });
    expect(feed.store.getState().progress[id]?.step).toBe('start the sidecar');
    transport.changeWorkload('shop-web-1', { mesh: 'attached' });
    expect(feed.store.getState().progress[id]).toBeUndefined();
    feed.close();
  });

  it('says that the session has ended when waiting would not help', async () => {
    const inner = new FakeControlPlane();
    let refused = false;
    const transport: Transport = {
      call: (method, input) =>
        refused
          ? Promise.resolve({
              ok: false,
              error: { code: 'UNAUTHORIZED', message: 'there is no session', hint: '', issues: [] },
            })
          : inner.call(method, input),
      listen: (onEvent, onState) => inner.listen(onEvent, onState),
    };
    const feed = createMeshFeed(createContractClient(transport));
    await settle();
    refused = true;
    inner.setConnected(false);
    await settle();
    expect(feed.store.getState()).toMatchObject({ connection: 'disconnected', loaded: true });
    expect(feed.store.getState().problem).toContain('there is no session');
    feed.close();
  });

  it('hears nothing after close', async () => {
    const transport = new FakeControlPlane();
    const feed = createMeshFeed(createContractClient(transport));
    await settle();
    const before = feed.store.getState();
    feed.close();
    transport.tick();
    expect(feed.store.getState()).toBe(before);
  });
});
