/** Faults of gRPC calls, through two sidecars with mutual TLS. */
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InjectionConfig } from '../../../core/model/injection-config.ts';
import type { HttpRoute } from '../../../core/model/sidecar-config.ts';
import { type SidecarPair, startSidecarPair } from '../../support/declared-pair.ts';
import { abort, fixedDelay, httpFault } from '../../support/fault-shop.ts';
import { call, connectShop, GrpcShop } from '../../support/grpc-shop.ts';

let shop: GrpcShop;
let pair: SidecarPair;
let client: ReturnType<typeof connectShop>;
beforeEach(async () => {
  shop = await GrpcShop.start();
  pair = await startSidecarPair([shop.port], { protocol: 'grpc' });
  client = connectShop(pair.port, 'shop');
});
afterEach(async () => {
  client.close();
  await pair.close();
  shop.stop();
});

const inject = (injections: InjectionConfig[], routes: HttpRoute[] = []) =>
  pair.change((config) => ({
    ...config,
    injections,
    services: config.services.map((service) => ({ ...service, routes })),
  }));
const echo = () => call(client, 'echo', Buffer.from('hello'));
const unavailable = grpc.status.UNAVAILABLE;

describe('a fault of gRPC', () => {
  it.each([
    ['a gRPC status', abort(200, { grpcStatus: 5 }), 5],
    ['an HTTP status', abort(503), unavailable],
  ])('aborts calls with %s', async (_what, action, code) => {
    await inject([httpFault(action)]);
    await expect(echo()).rejects.toMatchObject({ code, details: 'fault filter abort' });
    expect(shop.calls).toBe(0);
  });

  it('tells which fault it was, in metadata', async () => {
    await inject([httpFault(abort(200, { grpcStatus: 14, body: 'on purpose: 100 %' }), { id: 'down' })]);
    const error: grpc.ServiceError = await echo().then(
      () => Promise.reject(new Error('the call succeeded')),
      (reason) => reason,
    );
    expect(error.details).toBe('on purpose: 100 %');
    expect(error.metadata.get('x-mesh-fault')).toEqual(['down']);
    expect(error.metadata.get('x-mesh-error')).toEqual(['FI']);
  });

  it.each(['request', 'attempt'] as const)('in the layer of the %s is met by retries or not', async (layer) => {
    const destination = { service: 'shop.shop', subset: null, port: null, weight: 1 };
    const retries = {
      ...{ attempts: 1, retryOn: 'unavailable', perTryTimeoutMs: null, backoffBaseMs: 1 },
      avoidPreviousHosts: false,
    };
    const trigger = { kind: 'first', count: 1 } as const;
    await inject(
      [httpFault(abort(200, { grpcStatus: unavailable }), { layer, trigger })],
      [{ name: 'all', match: [], destinations: [destination], timeoutMs: null, retries }],
    );
    if (layer === 'request') await expect(echo()).rejects.toMatchObject({ code: unavailable });
    else expect((await echo()).toString()).toBe('hello');
  });

  it('delays calls', async () => {
    await inject([httpFault(fixedDelay(200))]);
    const beganMs = performance.now();
    expect((await echo()).toString()).toBe('hello');
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(199);
  });

  it('slows streams down and keeps their trailers', async () => {
    await inject([httpFault({ kind: 'response-bandwidth', bytesPerSecond: 100_000 })]);
    const beganMs = performance.now();
    const sizes: number[] = [];
    const stream = client.list(Buffer.from('20 2000'));
    const ended = new Promise<grpc.StatusObject>((resolve) => {
      stream.on('status', resolve);
    });
    for await (const part of stream) sizes.push((part as Buffer).length);
    expect(sizes).toEqual(Array.from({ length: 20 }, () => 2_000));
    expect((await ended).code).toBe(grpc.status.OK);
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(340);
  });

  it('cuts streams off with an error', async () => {
    await inject([httpFault({ kind: 'truncate', afterBytes: 5_000 })]);
    const sizes: number[] = [];
    const read = async () => {
      for await (const part of client.list(Buffer.from('20 2000'))) sizes.push((part as Buffer).length);
    };
    await expect(read()).rejects.toMatchObject({ code: expect.any(Number) });
    expect(sizes.length).toBeLessThan(3);
  });

  it('leaves messages as they are when bodies are to be changed', async () => {
    await inject([httpFault({ kind: 'body', set: 'x', replace: [] })]);
    expect((await echo()).toString()).toBe('hello');
  });
});
