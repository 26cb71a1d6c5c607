// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createContractClient } from '../../../core/contract/client.ts';
import { ExportView } from '../../../renderer/features/export/export-view.tsx';
import { FaultDialog } from '../../../renderer/features/faults/fault-dialog.tsx';
import { FirstStart } from '../../../renderer/features/first-start/first-start.tsx';
import { SecurityView } from '../../../renderer/features/security/security-view.tsx';
import { TrafficView } from '../../../renderer/features/traffic/traffic-view.tsx';
import { DetachDialog } from '../../../renderer/features/workloads/detach-dialog.tsx';
import { ListenersDialog } from '../../../renderer/features/workloads/listeners-dialog.tsx';
import { WorkloadsView } from '../../../renderer/features/workloads/workloads-view.tsx';
import { MeshProvider } from '../../../renderer/state/mesh-context.tsx';
import { createMeshFeed, type MeshFeed } from '../../../renderer/state/mesh-store.ts';
import { useNavigation } from '../../../renderer/state/navigation.ts';
import { FakeControlPlane, type FakeOptions } from '../../support/fake-control-plane.ts';
import { demoListeners, demoWorkloads } from '../../support/fake-mesh-data.ts';

const ordersId = demoWorkloads(true)[1]?.id ?? '';

let feed: MeshFeed | null = null;

async function show(view: ReactNode, options: FakeOptions = {}) {
  const mesh = new FakeControlPlane({ stepMs: 1, ...options });
  const client = createContractClient(mesh);
  feed = createMeshFeed(client);
  render(<MeshProvider access={{ client, feed, platform: { kind: 'browser' } }}>{view}</MeshProvider>);
  const { store } = feed;
  await waitFor(() => expect(store.getState().loaded).toBe(true));
  return mesh;
}

const callsOf = (mesh: FakeControlPlane, method: string) =>
  mesh.calls.filter((call) => call.method === method).map(({ input }) => input);

beforeEach(() =>
  useNavigation.setState({
    view: 'workloads',
    service: null,
    certificate: null,
    terminal: null,
    dialog: null,
    selected: null,
  }),
);
afterEach(() => {
  cleanup();
  feed?.close();
  feed = null;
});

describe('Workloads', () => {
  it('attaches everything with one click and shows the state of each', async () => {
    const mesh = await show(<WorkloadsView />, { scene: 'detached' });
    fireEvent.click(await screen.findByRole('button', { name: 'Attach all' }));
    await waitFor(() => expect(screen.getAllByText('meshed')).toHaveLength(8));
    expect(callsOf(mesh, 'workload.attach')).toEqual([{ select: { all: true } }]);
  });

  it('groups by compose project and attaches one with its switch', async () => {
    const mesh = await show(<WorkloadsView />, { scene: 'detached' });
    const group = await screen.findByRole('region', { name: 'shop' });
    fireEvent.click(within(group).getByRole('switch', { name: 'shop-orders-1 in the mesh' }));
    await waitFor(() => expect(within(group).getAllByText('meshed')).toHaveLength(1));
    expect(callsOf(mesh, 'workload.attach')).toEqual([{ select: { names: [mesh.workloads()[1]?.id] } }]);
  });

  it('says which revision a sidecar has not acknowledged yet', async () => {
    const mesh = await show(<WorkloadsView />);
    await screen.findAllByText('meshed');
    expect(screen.queryByText(/on its way/)).toBeNull();
    mesh.changeWorkload('shop-orders-1', { ackedRevision: 41, wantedRevision: 43 });
    await screen.findByText('revision 43 on its way, 41 in force');
  });

  it('says why a workload cannot be attached and refuses its switch', async () => {
    await show(<WorkloadsView />);
    const row = (await screen.findByText('shop-metrics-1')).closest('tr');
    expect(row?.textContent).toContain('host network');
    expect(
      within(row as HTMLElement)
        .getByRole('switch')
        .hasAttribute('data-disabled'),
    ).toBe(true);
  });

  it('says how many connections the mesh does not see yet', async () => {
    await show(<WorkloadsView />);
    expect(await screen.findByText('12 connections opened before attach are not seen yet')).toBeTruthy();
  });

  it('shows why a workload is degraded', async () => {
    const mesh = await show(<WorkloadsView />);
    mesh.changeWorkload('shop-web-1', { mesh: 'degraded', reason: 'refused revision 42' });
    expect(await screen.findByText('refused revision 42')).toBeTruthy();
  });

  it('shows where an attached host process reaches the others, and copies an address', async () => {
    const copied: string[] = [];
    vi.stubGlobal('navigator', { clipboard: { writeText: async (text: string) => copied.push(text) } });
    const mesh = await show(<ListenersDialog workload={ordersId} onClose={() => undefined} />);
    mesh.changeWorkload('shop-orders-1', { runtime: 'process', listeners: demoListeners });
    fireEvent.click(await screen.findByRole('button', { name: 'Copy the address: payments.shop:8080' }));
    fireEvent.click(screen.getByRole('button', { name: 'Copy the address: as HTTP proxy' }));
    fireEvent.click(screen.getByRole('button', { name: 'Copy the address: port 8080' }));
    expect(copied).toEqual(['http://127.0.0.1:21002', 'HTTP_PROXY=http://127.0.0.1:21004', 'http://127.0.0.1:21001']);
    mesh.changeWorkload('shop-orders-1', { mesh: 'detached', listeners: null });
    expect(await screen.findByText(/Attach shop-orders-1 first/)).toBeTruthy();
    vi.unstubAllGlobals();
  });

  it('asks for the deadline before it detaches', async () => {
    const mesh = await show(<DetachDialog names="all" onClose={() => undefined} />);
    fireEvent.click(await screen.findByRole('button', { name: '1 min' }));
    fireEvent.click(screen.getByRole('button', { name: 'Detach' }));
    await waitFor(() =>
      expect(callsOf(mesh, 'workload.detach')).toEqual([{ select: { all: true }, deadlineMs: 60_000 }]),
    );
    expect(await screen.findByText('TCP kept')).toBeTruthy();
  });
});

describe('Fault dialog', () => {
  it('says what is wrong and sends nothing', async () => {
    const mesh = await show(<FaultDialog draft={{ from: null, to: '' }} onClose={() => undefined} />);
    fireEvent.change(await screen.findByLabelText('Share of requests'), { target: { value: '140' } });
    fireEvent.click(screen.getByRole('button', { name: 'Inject fault' }));
    expect((await screen.findAllByRole('alert')).map(({ textContent }) => textContent)).toEqual([
      'Choose the service that is called.',
      'A share of 0 to 100 %.',
    ]);
    expect(callsOf(mesh, 'fault.set')).toEqual([]);
  });

  it('injects an abort on the edge it was opened for', async () => {
    let closed = false;
    const close = () => {
      closed = true;
    };
    const mesh = await show(<FaultDialog draft={{ from: 'orders.shop', to: 'payments.shop' }} onClose={close} />);
    fireEvent.click(await screen.findByRole('button', { name: 'abort' }));
    fireEvent.change(screen.getByLabelText('Share of requests'), { target: { value: '10' } });
    fireEvent.click(screen.getByRole('button', { name: 'Inject fault' }));
    await waitFor(() => expect(closed).toBe(true));
    expect(callsOf(mesh, 'fault.set')).toEqual([
      {
        spec: {
          ...{ from: 'orders.shop', to: 'payments.shop', duration: '60s' },
          fault: { abort: { percentage: { value: 10 }, httpStatus: 503 } },
        },
        enabled: true,
      },
    ]);
  });
});

describe('Traffic', () => {
  it('moves both sliders together and applies the last value once', async () => {
    const mesh = await show(<TrafficView />);
    const slider = await screen.findByRole<HTMLInputElement>('slider', { name: 'Weight of v2' });
    fireEvent.change(slider, { target: { value: '20' } });
    fireEvent.change(slider, { target: { value: '25' } });
    expect(screen.getByRole<HTMLInputElement>('slider', { name: 'Weight of v1' }).value).toBe('75');
    expect(screen.getByRole<HTMLInputElement>('spinbutton', { name: 'Weight of v1 in percent' }).value).toBe('75');
    await waitFor(() => expect(callsOf(mesh, 'split.set')).toHaveLength(1));
    expect(callsOf(mesh, 'split.set')).toMatchObject([
      {
        service: 'payments.shop',
        weights: [
          { subset: 'v1', weight: 75 },
          { subset: 'v2', weight: 25 },
        ],
      },
    ]);
  });

  it('applies the last value when the view is left while the slider still rests', async () => {
    const mesh = await show(<TrafficView />);
    fireEvent.change(await screen.findByRole('slider', { name: 'Weight of v2' }), { target: { value: '30' } });
    expect(callsOf(mesh, 'split.set')).toEqual([]);
    cleanup();
    expect(callsOf(mesh, 'split.set')).toMatchObject([{ weights: [{ weight: 70 }, { weight: 30 }] }]);
  });

  it('adds a header pin and keeps the weights', async () => {
    const mesh = await show(<TrafficView />);
    fireEvent.change(await screen.findByLabelText('Header name'), { target: { value: 'X-Tester' } });
    fireEvent.change(screen.getByLabelText('Header value'), { target: { value: 'ann' } });
    fireEvent.click(screen.getByRole('button', { name: 'Add pin' }));
    await waitFor(() => expect(callsOf(mesh, 'split.set')).toHaveLength(1));
    expect(callsOf(mesh, 'split.set')).toMatchObject([
      {
        weights: [{ weight: 90 }, { weight: 10 }],
        pins: [{ name: 'x-canary' }, { name: 'x-tester', value: 'ann', subset: 'v2' }],
      },
    ]);
  });

  it('says why a TCP service cannot be split', async () => {
    await show(<TrafficView />);
    fireEvent.click(await screen.findByRole('button', { name: /^postgres/ }));
    expect(await screen.findByText(/postgres speaks TCP/)).toBeTruthy();
  });
});

describe('Security', () => {
  it('opens a certificate, verifies and rotates it', async () => {
    const mesh = await show(<SecurityView />);
    fireEvent.click(await screen.findByRole('button', { name: 'shop-orders-1' }));
    expect(await screen.findByText('verified against the bundle')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Rotate now' }));
    expect(await screen.findByText('rotated 1×')).toBeTruthy();
    expect(callsOf(mesh, 'certificate.rotate')).toEqual([{ workload: mesh.workloads()[1]?.id }]);
  });

  it('rotates the root only after it was confirmed', async () => {
    const mesh = await show(<SecurityView />);
    await screen.findByRole('button', { name: 'shop-orders-1' });
    fireEvent.click(screen.getByRole('button', { name: 'Rotate root' }));
    expect(callsOf(mesh, 'certificate.rotate')).toEqual([]);
    fireEvent.click(await screen.findByRole('button', { name: 'Rotate the root' }));
    await waitFor(() => expect(callsOf(mesh, 'certificate.rotate')).toEqual([{ root: true }]));
  });
});

describe('Export', () => {
  it('previews the files with the loss report and writes them where the user says', async () => {
    const mesh = await show(<ExportView />);
    expect(await screen.findByText('duration of 60 s')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Write to folder' }));
    fireEvent.change(await screen.findByLabelText('Folder'), { target: { value: '/tmp/mesh' } });
    fireEvent.click(screen.getByRole('button', { name: 'Write files' }));
    expect(await screen.findByText('3 files written')).toBeTruthy();
    expect(callsOf(mesh, 'export.write')).toEqual([{ targets: ['istio'], names: 'production', outDir: '/tmp/mesh' }]);
  });
});

describe('First start', () => {
  it('says why there are no containers and starts the sample shop', async () => {
    const mesh = await show(<FirstStart />, { scene: 'empty' });
    expect(screen.getByText('connect ENOENT /var/run/docker.sock')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Start the sample shop' }));
    await waitFor(() => expect(useNavigation.getState().view).toBe('topology'));
    expect(mesh.workloads().every(({ runtime }) => runtime === 'process')).toBe(true);
  });
});
