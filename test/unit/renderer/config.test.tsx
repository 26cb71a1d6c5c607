// @vitest-environment happy-dom
import { EditorView } from '@codemirror/view';
import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createContractClient } from '../../../core/contract/client.ts';
import { ConfigView } from '../../../renderer/features/config/config-view.tsx';
import { useDrafts } from '../../../renderer/features/config/drafts.ts';
import { MeshProvider } from '../../../renderer/state/mesh-context.tsx';
import { createMeshFeed, type MeshFeed } from '../../../renderer/state/mesh-store.ts';
import { openConfig, useNavigation } from '../../../renderer/state/navigation.ts';
import { useToasts } from '../../../renderer/state/toasts.ts';
import { FakeControlPlane, type FakeOptions } from '../../support/fake-control-plane.ts';

const routes = 'traffic/shop.payments.yaml';
let feed: MeshFeed | null = null;

async function show(options: FakeOptions = {}) {
  const mesh = new FakeControlPlane({ stepMs: 1, ...options });
  const client = createContractClient(mesh);
  feed = createMeshFeed(client);
  render(
    <MeshProvider access={{ client, feed, platform: { kind: 'browser' } }}>
      <ConfigView />
    </MeshProvider>,
  );
  const { store } = feed;
  await waitFor(() => expect(store.getState().loaded).toBe(true));
  return mesh;
}

async function openFile(path: string): Promise<EditorView> {
  fireEvent.click(await screen.findByTitle(path));
  const content = await screen.findByLabelText(`Text of ${path}`, {}, { timeout: 4_000 });
  const editor = EditorView.findFromDOM(content);
  if (editor === null) throw new Error('there is no editor');
  return editor;
}

const type = (editor: EditorView, from: string, to: string) => {
  const at = editor.state.doc.toString().indexOf(from);
  editor.dispatch({ changes: { from: at, to: at + from.length, insert: to } });
};
const textOf = (mesh: FakeControlPlane, path: string) => mesh.config.files().find((file) => file.path === path)?.text;
const saveWithKey = () => fireEvent.keyDown(window, { key: 's', ctrlKey: true });

beforeEach(() => {
  localStorage.clear();
  useDrafts.setState({ drafts: {} });
  useToasts.setState({ list: [] });
  useNavigation.setState({ view: 'config', configFile: null });
});
afterEach(() => {
  cleanup();
  feed?.close();
  feed = null;
});

describe('Config', () => {
  it('saves what was typed with Ctrl+S, and nothing before', async () => {
    const mesh = await show();
    const editor = await openFile(routes);
    type(editor, 'weight: 90', 'weight: 70');
    expect(await screen.findByText('unsaved')).toBeTruthy();
    expect(textOf(mesh, routes)).toContain('weight: 90');
    saveWithKey();
    await waitFor(() => expect(textOf(mesh, routes)).toContain('weight: 70'));
    await waitFor(() => expect(screen.queryByText('unsaved')).toBeNull());
    expect(mesh.calls.find(({ method }) => method === 'config.save')?.input).toMatchObject({ path: routes });
    saveWithKey();
    expect(mesh.calls.filter(({ method }) => method === 'config.save')).toHaveLength(1);
  });

  it('says what is wrong with what is typed, and goes to the line', async () => {
    await show();
    const editor = await openFile('security.yaml');
    type(editor, 'mode: PERMISSIVE', 'mode: SOMETIMES');
    const findings = await screen.findByRole('region', { name: 'Findings' });
    const row = await within(findings).findByRole('button', { name: /MD0103/ }, { timeout: 3_000 });
    expect(row.textContent).toContain('security.yaml:8');
    fireEvent.click(row);
    await waitFor(() => expect(editor.state.doc.lineAt(editor.state.selection.main.head).number).toBe(8));
  });

  it('compares a text with what is in force', async () => {
    await show();
    const editor = await openFile(routes);
    expect(screen.queryByRole('button', { name: 'Compare' })).toBeNull();
    type(editor, 'weight: 90', 'weight: 70');
    fireEvent.click(await screen.findByRole('button', { name: 'Compare' }));
    const diff = await screen.findByLabelText(`${routes}: in force, and as it is written`);
    expect(diff.textContent).toContain('removed:       weight: 90');
    expect(diff.textContent).toContain('added:       weight: 70');
    fireEvent.click(screen.getByRole('button', { name: 'Compare' }));
    expect(await screen.findByLabelText(`Text of ${routes}`)).toBeTruthy();
  });

  it('keeps what was typed while another file, or another view, is looked at', async () => {
    await show();
    type(await openFile('security.yaml'), 'PERMISSIVE', 'STRICT');
    await openFile(routes);
    expect(screen.getByRole('img', { name: 'unsaved' })).toBeTruthy();
    cleanup();
    await show();
    expect((await openFile('security.yaml')).state.doc.toString()).toContain('STRICT');
    fireEvent.click(screen.getByRole('button', { name: 'Revert' }));
    await waitFor(() => expect(screen.queryByText('unsaved')).toBeNull());
  });

  it('shows a change on disk at once in a file without an edit', async () => {
    const mesh = await show();
    const editor = await openFile('security.yaml');
    mesh.config.editOnDisk('security.yaml', '# from elsewhere\n');
    await waitFor(() => expect(editor.state.doc.toString()).toBe('# from elsewhere\n'));
    expect(screen.queryByText('unsaved')).toBeNull();
  });

  it('writes over what somebody else wrote only when it is told to', async () => {
    const mesh = await show();
    const editor = await openFile('security.yaml');
    type(editor, 'PERMISSIVE', 'STRICT');
    await screen.findByText('unsaved');
    mesh.config.editOnDisk('security.yaml', '# theirs\n');
    expect(await screen.findByText('changed on disk')).toBeTruthy();
    saveWithKey();
    const dialog = await screen.findByRole('dialog');
    expect(within(dialog).getByText('security.yaml was changed by somebody else')).toBeTruthy();
    expect(within(dialog).getByText('# theirs')).toBeTruthy();
    fireEvent.click(within(dialog).getByRole('button', { name: 'Go on editing' }));
    expect(textOf(mesh, 'security.yaml')).toBe('# theirs\n');
    saveWithKey();
    fireEvent.click(await screen.findByRole('button', { name: 'Overwrite with mine' }));
    await waitFor(() => expect(textOf(mesh, 'security.yaml')).toContain('STRICT'));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  });

  it('takes theirs', async () => {
    const mesh = await show();
    const editor = await openFile('security.yaml');
    type(editor, 'PERMISSIVE', 'STRICT');
    await screen.findByText('unsaved');
    mesh.config.editOnDisk('security.yaml', '# theirs\n');
    await screen.findByText('changed on disk');
    saveWithKey();
    fireEvent.click(await screen.findByRole('button', { name: 'Take theirs' }));
    await waitFor(() => expect(editor.state.doc.toString()).toBe('# theirs\n'));
    expect(textOf(mesh, 'security.yaml')).toBe('# theirs\n');
  });

  it('shows what a change did, takes it back and brings it back', async () => {
    const mesh = await show();
    type(await openFile(routes), 'weight: 90', 'weight: 70');
    await screen.findByText('unsaved');
    saveWithKey();
    fireEvent.click(await screen.findByRole('button', { name: 'History' }));
    const changes = await screen.findByRole('list', { name: 'Changes, newest first' });
    fireEvent.click(await within(changes).findByRole('button', { name: new RegExp(`edit ${routes}`) }));
    const diff = await screen.findByRole('region', { name: `Change of ${routes}` });
    expect(diff.textContent).toMatch(/removed:\s+weight: 90/);
    expect(diff.textContent).toMatch(/added:\s+weight: 70/);
    fireEvent.click(screen.getByRole('button', { name: `Undo: edit ${routes}` }));
    await waitFor(() => expect(textOf(mesh, routes)).toContain('weight: 90'));
    fireEvent.click(await screen.findByRole('button', { name: `Redo: edit ${routes}` }));
    await waitFor(() => expect(textOf(mesh, routes)).toContain('weight: 70'));
  });

  it('makes a new file that is on disk once it is saved, and removes it', async () => {
    const mesh = await show({ scene: 'empty' });
    expect(await screen.findByText('No configuration yet')).toBeTruthy();
    fireEvent.click(screen.getAllByRole('button', { name: 'New file' })[0] as HTMLElement);
    const path = await screen.findByLabelText('Path');
    fireEvent.change(path, { target: { value: 'x.txt' } });
    fireEvent.click(screen.getByRole('button', { name: 'Create' }));
    expect(await screen.findByText('The name must end in .yaml or .yml.')).toBeTruthy();
    fireEvent.change(path, { target: { value: 'traffic/mine.yaml' } });
    fireEvent.click(screen.getByRole('button', { name: 'Create' }));
    expect(await screen.findByText('new, not saved')).toBeTruthy();
    expect(mesh.config.files()).toEqual([]);
    saveWithKey();
    await waitFor(() => expect(textOf(mesh, 'traffic/mine.yaml')).toContain('kind: VirtualService'));
    await waitFor(() => expect(screen.queryByText('new, not saved')).toBeNull());
    fireEvent.click(screen.getByRole('button', { name: 'Remove traffic/mine.yaml' }));
    expect(await screen.findByText('No configuration yet')).toBeTruthy();
  });

  it('previews an import and writes nothing by it', async () => {
    const mesh = await show();
    fireEvent.click(await screen.findByRole('button', { name: 'Import' }));
    const text = 'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: x}\nspec: {}\n';
    fireEvent.change(await screen.findByLabelText('YAML to import'), { target: { value: text } });
    fireEvent.click(screen.getByRole('button', { name: 'Preview' }));
    expect(await screen.findByText('PeerAuthentication default/x')).toBeTruthy();
    expect(mesh.calls.filter(({ method }) => method === 'config.import').map(({ input }) => input)).toEqual([
      { texts: [{ file: 'pasted.yaml', text }], mapping: [], write: false },
    ]);
  });

  it('says why the files are not there', async () => {
    const mesh = new FakeControlPlane();
    const client = createContractClient({
      call: (method, input) =>
        method === 'config.files'
          ? Promise.resolve({
              ok: false,
              error: { code: 'INTERNAL', message: 'the disk is gone', hint: '', issues: [] },
            })
          : mesh.call(method, input),
      listen: (onEvent, onState) => mesh.listen(onEvent, onState),
    });
    feed = createMeshFeed(client);
    render(
      <MeshProvider access={{ client, feed, platform: { kind: 'browser' } }}>
        <ConfigView />
      </MeshProvider>,
    );
    expect(await screen.findByText('the disk is gone')).toBeTruthy();
  });

  it('opens at the place that another view names', async () => {
    openConfig(routes, 13, 9);
    await show();
    const content = await screen.findByLabelText(`Text of ${routes}`, {}, { timeout: 4_000 });
    const editor = EditorView.findFromDOM(content);
    await waitFor(() => expect(editor?.state.doc.lineAt(editor.state.selection.main.head).number).toBe(13));
  });
});
