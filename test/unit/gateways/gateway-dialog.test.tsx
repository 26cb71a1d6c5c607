// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createContractClient } from '../../../core/contract/client.ts';
import type { GatewayView } from '../../../core/contract/shapes.ts';
import { GatewayDialog } from '../../../renderer/features/workloads/gateway-dialog.tsx';
import { MeshProvider } from '../../../renderer/state/mesh-context.tsx';
import { createMeshFeed } from '../../../renderer/state/mesh-store.ts';
import { FakeControlPlane } from '../../support/fake-control-plane.ts';

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const gateway: GatewayView = {
  id: 'gateway:istio-system/istio-ingressgateway',
  name: 'istio-ingressgateway',
  namespace: 'istio-system',
  gateways: ['default/shop'],
  mesh: 'attached',
  reason: null,
  place: 'docker',
  listeners: [
    {
      gateway: 'default/shop',
      port: 443,
      published: 8443,
      protocol: 'https',
      tls: 'simple',
      hosts: ['shop.example.com'],
      url: 'https://shop.example.com:8443',
      command: 'curl --resolve shop.example.com:8443:127.0.0.1 https://shop.example.com:8443/',
      certificate: 'mesh',
    },
  ],
  rootFile: '/project/.meshdesk/mesh-root.crt',
};

async function show(view: GatewayView) {
  const mesh = new FakeControlPlane({ stepMs: 1 });
  mesh.gateways = [view];
  const client = createContractClient(mesh);
  const feed = createMeshFeed(client);
  render(
    <MeshProvider access={{ client, feed, platform: { kind: 'browser' } }}>
      <GatewayDialog workload={gateway.id} onClose={() => undefined} />
    </MeshProvider>,
  );
  await waitFor(() => expect(feed.store.getState().loaded).toBe(true));
  return feed;
}

describe('the dialog of a gateway', () => {
  it('shows where it is reached, whose certificate that is, and copies what to type', async () => {
    const copied: string[] = [];
    vi.stubGlobal('navigator', { clipboard: { writeText: async (text: string) => copied.push(text) } });
    const feed = await show(gateway);
    expect(await screen.findByText('https://shop.example.com:8443')).toBeTruthy();
    expect(screen.getByText(/a certificate of the mesh/)).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Copy the address: try it' }));
    fireEvent.click(screen.getByRole('button', { name: 'Copy the address: file' }));
    expect(copied).toEqual([gateway.listeners[0]?.command, gateway.rootFile]);
    feed.close();
  });

  it('says how to start one that does not run', async () => {
    const feed = await show({ ...gateway, mesh: 'detached', place: null });
    expect(await screen.findByText(/It does not run/)).toBeTruthy();
    feed.close();
  });
});
