import { afterEach } from 'vitest';
import type { ServiceConfig, SidecarConfig } from '../../../core/model/sidecar-config.ts';
import {
  endpoint,
  type ProxyOptions,
  RawConnection,
  RawUpstream,
  service,
  sidecarConfig,
  startProxy,
  type TestProxy,
} from './harness.ts';

export interface FixtureOptions {
  /** The proxy stands before the application instead of before its clients. */
  readonly inbound?: boolean;
  /** The client has dialled the upstream's own address. */
  readonly originalToUpstream?: boolean;
  readonly service?: Partial<ServiceConfig>;
  readonly config?: Partial<SidecarConfig>;
  readonly proxy?: Partial<ProxyOptions>;
}

export interface Fixture {
  readonly proxy: TestProxy;
  readonly upstream: RawUpstream;
  readonly client: RawConnection;
  connect(): Promise<RawConnection>;
}

/** One service `orders` with one raw upstream, one client connection; everything ends with the test. */
export function useProxy(): (options?: FixtureOptions) => Promise<Fixture> {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  return async (options = {}) => {
    const upstream = await new RawUpstream().start();
    closers.push(() => upstream.close());
    const orders = service('orders', [endpoint('orders-1', upstream.port)], options.service);
    const context = {
      ...(options.inbound ? { direction: 'inbound' as const } : {}),
      ...(options.inbound || options.originalToUpstream
        ? { originalDestination: { host: '127.0.0.1', port: upstream.port } }
        : {}),
      ...options.proxy?.context,
    };
    const proxy = await startProxy({ config: sidecarConfig([orders], options.config), ...options.proxy, context });
    closers.push(() => proxy.close());
    const connect = async () => {
      const client = await RawConnection.open(proxy.port);
      closers.push(() => client.socket.destroy());
      return client;
    };
    return { proxy, upstream, client: await connect(), connect };
  };
}
