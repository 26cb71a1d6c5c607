// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createContractClient } from '../../../core/contract/client.ts';
import { matchCommand } from '../../../renderer/app/match-command.ts';
import { Palette } from '../../../renderer/app/palette.tsx';
import { MeshProvider } from '../../../renderer/state/mesh-context.tsx';
import { createMeshFeed, type MeshFeed } from '../../../renderer/state/mesh-store.ts';
import { setPaletteOpen, useNavigation } from '../../../renderer/state/navigation.ts';
import { useToasts } from '../../../renderer/state/toasts.ts';
import { ToastList } from '../../../renderer/ui/toast-list.tsx';
import { FakeControlPlane } from '../../support/fake-control-plane.ts';

let feed: MeshFeed | null = null;

async function show() {
  const client = createContractClient(new FakeControlPlane({ stepMs: 1 }));
  feed = createMeshFeed(client);
  render(
    <MeshProvider access={{ client, feed, platform: { kind: 'browser' } }}>
      <Palette />
      <ToastList />
    </MeshProvider>,
  );
  const { store } = feed;
  await waitFor(() => expect(store.getState().loaded).toBe(true));
}

async function type(text: string) {
  setPaletteOpen(true);
  fireEvent.change(await screen.findByRole('combobox'), { target: { value: text } });
  return waitFor(() => {
    const options = screen.getAllByRole('option').map(({ textContent }) => textContent);
    expect(options.length).toBeGreaterThan(0);
    return options;
  });
}

const faultsNow = () =>
  (feed?.store.getState().faults ?? [])
    .map(({ id, enabled }) => ({ id, enabled }))
    .sort((left, right) => left.id.localeCompare(right.id));
const faultsOn = () => faultsNow().filter(({ enabled }) => enabled).length;

beforeEach(() => {
  useNavigation.setState({ view: 'topology', panel: null, dialog: null, terminal: null, paletteOpen: false });
  useToasts.setState({ list: [] });
});
afterEach(() => {
  cleanup();
  feed?.close();
  feed = null;
});

describe('what fits a command', () => {
  it('is every word of it, the start of the name first', () => {
    expect(matchCommand('Logs of web', 'logs')).toBeGreaterThan(matchCommand('Sidecar logs of web', 'logs'));
    expect(matchCommand('Logs of web', 'web logs')).toBeGreaterThan(0);
    expect(matchCommand('Logs of web', 'orders logs')).toBe(0);
  });

  it('is sooner what names it early: a look at a service comes before what is done to it', () => {
    const [show, split, fault] = [
      'Show payments in the topology',
      'Split traffic of payments',
      'Inject a fault: orders → payments',
    ].map((name) => matchCommand(name, 'payments'));
    expect(show).toBeGreaterThan(split ?? 1);
    expect(split).toBeGreaterThan(fault ?? 1);
  });

  it('is never letters that are strewn over the name', () => {
    expect(matchCommand('Undo the last change of the configuration', 'logs', ['take', 'back', 'history'])).toBe(0);
  });

  it('is a keyword too, below a name', () => {
    expect(matchCommand('Clear all faults', 'panic', ['panic'])).toBeGreaterThan(0);
    expect(matchCommand('Import files', 'import')).toBeGreaterThan(matchCommand('Take in files', 'import', ['import']));
  });
});

describe('the palette', () => {
  it('offers what was typed and nothing that only shares its letters', async () => {
    await show();
    const options = await type('logs');
    expect(options[0]).toMatch(/^Logs of /);
    expect(options.filter((text) => !/logs/i.test(text ?? ''))).toEqual([]);
  });

  it.each([
    ['history', 'Show the history', 'config', 'history'],
    ['import', 'Import files', 'config', 'import'],
    ['rotate the root', 'Rotate the root', 'security', 'rotate-root'],
    ['write', 'Write the export to a folder', 'export', 'write-export'],
    ['yaml', 'Show the YAML of the routes', 'traffic', 'yaml'],
  ])('opens what a view has: %s', async (text, name, view, panel) => {
    await show();
    await type(text);
    fireEvent.click(screen.getByText(name));
    expect(useNavigation.getState()).toMatchObject({ view, panel, paletteOpen: false });
  });

  it('switches a fault off', async () => {
    await show();
    await type('switch off');
    const before = faultsOn();
    fireEvent.click(screen.getAllByText(/^Switch off: /)[0] as HTMLElement);
    await waitFor(() => expect(faultsOn()).toBe(before - 1));
  });
});

describe('undo', () => {
  it('puts cleared faults back, on where they were on', async () => {
    await show();
    const before = faultsNow();
    await type('panic');
    fireEvent.click(screen.getByText('Clear all faults'));
    const undo = await screen.findByRole('button', { name: 'Undo' });
    await waitFor(() => expect(faultsNow()).toEqual([]));
    fireEvent.click(undo);
    await waitFor(() => expect(faultsNow()).toEqual(before));
  });
});
