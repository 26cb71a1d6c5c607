// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, test } from 'vitest';
import { createContractClient } from '../../../core/contract/client.ts';
import { ExplainDialog } from '../../../renderer/features/explain/explain-dialog.tsx';
import { parseHeaderLines } from '../../../renderer/features/explain/header-lines.ts';
import { MeshProvider } from '../../../renderer/state/mesh-context.tsx';
import { createMeshFeed, type MeshFeed } from '../../../renderer/state/mesh-store.ts';
import { FakeControlPlane } from '../../support/fake-control-plane.ts';

let feed: MeshFeed | null = null;
afterEach(() => {
  cleanup();
  feed?.close();
  feed = null;
});

async function show(id: string | null) {
  const mesh = new FakeControlPlane({ stepMs: 1 });
  const client = createContractClient(mesh);
  feed = createMeshFeed(client);
  render(
    <MeshProvider access={{ client, feed, platform: { kind: 'browser' } }}>
      <ExplainDialog id={id} service="payments.shop.svc.cluster.local" onClose={() => undefined} />
    </MeshProvider>,
  );
  const { store } = feed;
  await waitFor(() => expect(store.getState().loaded).toBe(true));
  return mesh;
}

describe('Try a request', () => {
  test('shows the rule that matched and why the others did not, and sends nothing', async () => {
    const mesh = await show(null);
    fireEvent.change(screen.getByLabelText('Headers'), { target: { value: 'x-canary: no' } });
    fireEvent.click(screen.getByRole('button', { name: 'Explain' }));
    await screen.findByRole('region', { name: 'Explanation' });
    expect(mesh.calls.find(({ method }) => method === 'request.explain')?.input).toMatchObject({
      method: 'GET',
      url: 'http://payments.shop.svc.cluster.local/',
      headers: [{ name: 'x-canary', value: 'no' }],
    });
    const [pin, rest] = screen.getAllByRole('listitem').map(({ textContent }) => textContent);
    expect(pin).toContain('pin-v2did not match: header x-canary');
    expect(rest).toContain('defaultmatched: it takes every request');
    expect(screen.getByText(/Draws between v1 90/)).toBeDefined();
    expect(screen.getByLabelText('chosen')).toBeDefined();
  });

  test('refuses headers that are none before it asks', async () => {
    await show(null);
    fireEvent.change(screen.getByLabelText('Headers'), { target: { value: 'nonsense' } });
    expect(screen.getByRole('alert').textContent).toContain('is no header');
    expect((screen.getByRole('button', { name: 'Explain' }) as HTMLButtonElement).disabled).toBe(true);
  });
});

test('a request that happened is explained with what became of it', async () => {
  await show('r6');
  await screen.findByText(/It was answered 503/);
  expect(screen.getByText('revision 41 in force')).toBeDefined();
});

test('a request that is not kept says so', async () => {
  await show('r99');
  await screen.findByText('It cannot be explained');
});

describe('headers of a request that is tried', () => {
  test('are lines of name: value', () => {
    expect(parseHeaderLines('x-user: alice\n\n X-Time:12:30 \n')).toEqual({
      headers: [
        { name: 'x-user', value: 'alice' },
        { name: 'X-Time', value: '12:30' },
      ],
      problem: null,
    });
  });

  test('name the line that is none', () => {
    expect(parseHeaderLines('x-user: alice\nnonsense').problem).toBe('“nonsense” is no header; write name: value');
  });
});
