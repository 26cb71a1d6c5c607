import type { PortProtocol } from '../../core/model/protocol.ts';
import type { ServiceConfig, SidecarConfig } from '../../core/model/sidecar-config.ts';
import { TestCa } from './test-ca.ts';
import { emptyConfig, freePort, serviceOf, TestSidecar } from './test-sidecar.ts';

export interface SidecarPair {
  readonly web: TestSidecar;
  /** One for each application. */
  readonly servers: readonly TestSidecar[];
  /** Where web's application calls the service `shop`. */
  readonly port: number;
  /** Gives web another configuration, made from the one it has. */
  change(change: (config: SidecarConfig) => SidecarConfig): Promise<void>;
  close(): Promise<void>;
}

export interface PairOptions {
  /** What the service's port is declared to speak. Default `auto`. */
  readonly protocol?: PortProtocol;
  /** False: the applications have no sidecar, web's connects to them directly. */
  readonly mesh?: boolean;
  readonly service?: (service: ServiceConfig) => ServiceConfig;
}

const listen = (port: number) => ({ host: '127.0.0.1', port });
const servicePort = 50_051;

/** web's sidecar, and one sidecar for each application (by its port) of the service `shop`, as in the process runtime. */
export async function startSidecarPair(
  applications: readonly number[],
  options: PairOptions = {},
): Promise<SidecarPair> {
  const { protocol = 'auto', mesh = true, service = (asIs) => asIs } = options;
  const ca = await TestCa.create();
  const web = await TestSidecar.start({ ca, name: 'web' });
  const servers: TestSidecar[] = [];
  const endpoints: { mesh: boolean; ports: { port: number; targetPort: number }[] }[] = [];
  for (const application of applications) {
    if (!mesh) {
      endpoints.push({ mesh, ports: [{ port: servicePort, targetPort: application }] });
      continue;
    }
    const inboundPort = await freePort();
    const server = await TestSidecar.start({ ca, name: 'shop' });
    servers.push(server);
    const pushed = await server.control.push(
      emptyConfig('shop', 1, {
        listeners: {
          kind: 'explicit',
          inbound: [{ listen: listen(inboundPort), target: listen(application), port: servicePort }],
          outbound: [],
          httpProxy: null,
        },
        inbound: { mtls: 'PERMISSIVE', ports: [{ port: servicePort, protocol, mtls: 'PERMISSIVE' }] },
      }),
    );
    if (pushed.type !== 'ack') throw new Error('the configuration of shop was refused');
    endpoints.push({ mesh, ports: [{ port: servicePort, targetPort: inboundPort }] });
  }
  const port = await freePort();
  const base = serviceOf('shop', servicePort, endpoints);
  let config = emptyConfig('web', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [],
      outbound: [{ listen: listen(port), service: base.key, port: servicePort }],
      httpProxy: null,
    },
    services: [service({ ...base, ports: [{ port: servicePort, protocol }] })],
  });
  const push = async (next: SidecarConfig) => {
    config = next;
    if ((await web.control.push(config)).type !== 'ack') throw new Error('the configuration of web was refused');
  };
  await push(config);
  return {
    web,
    servers,
    port,
    change: (change) => push({ ...change(config), revision: config.revision + 1 }),
    async close() {
      await web.close();
      for (const server of servers) await server.close();
    },
  };
}
