/** A mux session over real mesh TLS. */
import type { TLSSocket } from 'node:tls';
import { defaultLimits, type MuxLimits } from '../../core/data-plane/mux/limits.ts';
import { MuxSession } from '../../core/data-plane/mux/session.ts';
import type { MuxStream } from '../../core/data-plane/mux/stream.ts';
import { createUpstreamConnector } from '../../core/data-plane/tls/upstream-connector.ts';
import { openWire, type WireKind } from '../../core/data-plane/wire/open-wire.ts';
import type { WireOwner } from '../../core/data-plane/wire/wire.ts';
import { meshAlpn } from '../../core/model/identity.ts';
import { identityOf, MeshServer } from './mesh-tls.ts';
import { Recorder } from './mux-pair.ts';
import { TestCa } from './test-ca.ts';
import { spiffeIdOfName } from './test-sidecar.ts';

const nobody: WireOwner = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};
const monotonicMs = () => performance.now();

export interface TlsMux {
  readonly client: MuxSession;
  readonly server: () => MuxSession;
  readonly clientSocket: TLSSocket;
  readonly served: Recorder[];
  readonly closed: { client?: Error | null; server?: Error | null };
  close(): Promise<void>;
}

/** `onServed` is called for each stream that the server accepts, before its head. */
export async function openTlsMux(
  kind: WireKind,
  onServed: (recorder: Recorder, stream: MuxStream) => void,
  limits: Partial<MuxLimits> = {},
): Promise<TlsMux> {
  const ca = await TestCa.create();
  const server = await MeshServer.start(await identityOf(ca, 'orders'));
  const served: Recorder[] = [];
  const closed: TlsMux['closed'] = {};
  let serverSession: MuxSession | null = null;
  server.onAccept = ({ socket }) => {
    serverSession = new MuxSession(openWire(socket, nobody, kind), {
      role: 'server',
      monotonicMs,
      limits: { ...defaultLimits, ...limits },
      owner: {
        onReady: () => undefined,
        onStream: (stream) => {
          const recorder = new Recorder();
          recorder.stream = stream;
          served.push(recorder);
          onServed(recorder, stream);
          return recorder;
        },
        onRoom: () => undefined,
        onDraining: () => undefined,
        onClose: (error) => {
          closed.server = error;
        },
      },
    });
  };
  const connector = createUpstreamConnector(await identityOf(ca, 'web'), 5_000);
  const socket = await connector.connect({
    host: '127.0.0.1',
    port: server.port,
    tls: { alpn: meshAlpn.mux, spiffeId: spiffeIdOfName('orders'), serverName: 'orders.shop' },
  });
  let ready: () => void = () => undefined;
  const whenReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const client = new MuxSession(openWire(socket, nobody, kind), {
    role: 'client',
    monotonicMs,
    limits: { ...defaultLimits, ...limits },
    owner: {
      onReady: () => ready(),
      onStream: () => new Recorder(),
      onRoom: () => undefined,
      onDraining: () => undefined,
      onClose: (error) => {
        closed.client = error;
      },
    },
  });
  await whenReady;
  return {
    client,
    server: () => {
      if (serverSession === null) throw new Error('not accepted yet');
      return serverSession;
    },
    clientSocket: socket as TLSSocket,
    served,
    closed,
    close: async () => {
      client.wire.destroy();
      await server.close();
    },
  };
}
