/** web's application -> web's sidecar -> mesh mTLS -> orders' sidecar -> orders' application, all in this process. */
import { TestCa } from './test-ca.ts';
import { emptyConfig, freePort, serviceOf, spiffeIdOfName, TestSidecar } from './test-sidecar.ts';

const servicePort = 8_080;

export class SidecarPair {
  readonly ca: TestCa;
  readonly web: TestSidecar;
  readonly orders: TestSidecar;
  /** Where web's application calls orders. */
  readonly outboundPort: number;
  /** Where orders' sidecar takes calls for its application. */
  readonly inboundPort: number;

  private constructor(ca: TestCa, web: TestSidecar, orders: TestSidecar, ports: [number, number]) {
    this.ca = ca;
    this.web = web;
    this.orders = orders;
    [this.outboundPort, this.inboundPort] = ports;
  }

  /** `meshPort`: where calls go instead of orders' sidecar. */
  static async start(applicationPort: number, options: { meshPort?: number; ca?: TestCa } = {}): Promise<SidecarPair> {
    const ca = options.ca ?? (await TestCa.create());
    const [outboundPort, inboundPort] = [await freePort(), await freePort()];
    const listen = (port: number) => ({ host: '127.0.0.1', port });
    const web = await TestSidecar.start({ ca, name: 'web' });
    const orders = await TestSidecar.start({ ca, name: 'orders' });
    const inbound = [{ listen: listen(inboundPort), target: listen(applicationPort), port: servicePort }];
    await orders.control.push(
      emptyConfig('orders', 1, {
        listeners: { kind: 'explicit', inbound, outbound: [], httpProxy: null },
        inbound: { mtls: 'STRICT', ports: [{ port: servicePort, protocol: 'auto', mtls: 'STRICT' }] },
      }),
    );
    const targetPort = options.meshPort ?? inboundPort;
    const outbound = [{ listen: listen(outboundPort), service: 'orders.shop', port: servicePort }];
    await web.control.push(
      emptyConfig('web', 1, {
        listeners: { kind: 'explicit', inbound: [], outbound, httpProxy: null },
        services: [
          serviceOf('orders', servicePort, [{ mesh: true, ports: [{ port: servicePort, targetPort }] }], 'auto'),
        ],
      }),
    );
    return new SidecarPair(ca, web, orders, [outboundPort, inboundPort]);
  }

  /** Connections that orders' sidecar took from web's, by its reports so far. */
  get meshConnections(): number {
    return this.orders.control.reports
      .flatMap(({ edges }) => edges)
      .reduce((sum, { connectionsOpened }) => sum + connectionsOpened, 0);
  }

  /** A new certificate for one of the two. */
  async rotate(name: 'web' | 'orders'): Promise<void> {
    await this[name].control.issue(this.ca, spiffeIdOfName(name));
  }

  async close(): Promise<void> {
    await this.web.close();
    await this.orders.close();
  }
}
