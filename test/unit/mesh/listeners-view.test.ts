import { describe, expect, it } from 'vitest';
import { Attachment } from '../../../core/control-plane/mesh/attachment.ts';
import { toListenersView } from '../../../core/control-plane/mesh/listeners-view.ts';
import type { ListenerConfig } from '../../../core/model/sidecar-config.ts';
import { fakeWorkload } from '../../support/fake-runtime.ts';
import { meshOf, workload } from '../snapshot/mesh-of.ts';

const own = fakeWorkload('web', {
  ports: [
    { port: 3000, protocol: 'http', publishedPort: 3000 },
    { port: 3001, protocol: 'tcp', publishedPort: 3001 },
  ],
});
const { services } = meshOf([
  workload({ name: 'orders', ports: [{ port: 80, protocol: 'auto', publishedPort: null }] }),
  workload({ name: 'ledger', ports: [{ port: 4000, protocol: 'tcp', publishedPort: null }] }),
]);
const listen = (port: number, host = '127.0.0.1') => ({ host, port });
const explicit: ListenerConfig = {
  kind: 'explicit',
  inbound: [
    { listen: listen(21_000, '::1'), target: listen(3000, '::1'), port: 3000 },
    { listen: listen(21_001), target: listen(3001), port: 3001 },
  ],
  outbound: [
    { listen: listen(21_002), service: 'orders.shop', port: 80 },
    { listen: listen(21_003), service: 'ledger.shop', port: 4000 },
    { listen: listen(21_004), service: 'unknown.shop', port: 1 },
  ],
  httpProxy: listen(21_005),
};

function attachmentWith(listeners: ListenerConfig, phase: Attachment['phase'] = 'attached'): Attachment {
  const attachment = new Attachment(own);
  attachment.phase = phase;
  const nothing = async () => undefined;
  attachment.sidecar = {
    ...{ workloadId: own.id, incarnation: own.incarnation, listeners, endpointPorts: [] },
    ...{ redirect: nothing, undirect: nothing, remove: nothing, connect: () => Promise.reject(new Error('none')) },
  };
  return attachment;
}

describe('the addresses of a workload', () => {
  it('are URLs, by protocol', () => {
    expect(toListenersView(own, attachmentWith(explicit), services)).toEqual({
      inbound: [
        { port: 3000, url: 'http://[::1]:21000' },
        { port: 3001, url: 'tcp://127.0.0.1:21001' },
      ],
      outbound: [
        { service: 'orders.shop', port: 80, url: 'http://127.0.0.1:21002' },
        { service: 'ledger.shop', port: 4000, url: 'tcp://127.0.0.1:21003' },
        { service: 'unknown.shop', port: 1, url: 'http://127.0.0.1:21004' },
      ],
      httpProxy: 'http://127.0.0.1:21005',
    });
  });

  it('are none while it is not attached, and for a container', () => {
    const transparent: ListenerConfig = { kind: 'transparent', outboundPort: 15_001, inboundPort: 15_006 };
    expect(toListenersView(own, undefined, services)).toBeNull();
    expect(toListenersView(own, attachmentWith(explicit, 'attaching'), services)).toBeNull();
    expect(toListenersView(own, attachmentWith(transparent), services)).toBeNull();
  });
});
