/**
 * What a developer comes for, on the sample shop, in a browser and on the desktop: a live graph from nothing, identities,
 * a fault, a split, an export, and out again. Every step is done with the page's own controls and checked both in the
 * page and in what the control plane measured.
 */
import { mkdirSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { findPart, root } from './support/parts.ts';
import { call, type Product, startDesktop, startInBrowser } from './support/product.ts';

const artefacts = join(root, 'test', 'e2e', 'artefacts');
const shells = [
  { name: 'browser', start: startInBrowser },
  { name: 'electron', start: startDesktop },
] as const;

describe.each(shells)('the sample shop ($name)', ({ name, start }) => {
  const program = findPart(name);
  const step = it.skipIf(program === null);
  let product: Product;
  const open = (view: string) =>
    product.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: view }).click();
  const button = (label: string) => product.page.getByRole('button', { name: label, exact: true });
  const dialogButton = (label: string) =>
    product.page.getByRole('dialog').getByRole('button', { name: label, exact: true });
  const topology = () => call(product.page, 'topology.get', { windowSeconds: 10 });
  const edgeBetween = async (from: string, to: string) => {
    const { nodes, edges } = await topology();
    const idOf = (service: string) => nodes.find((node) => node.service === service)?.id;
    return edges.find((edge) => edge.from === idOf(from) && edge.to === idOf(to)) ?? null;
  };

  beforeAll(async () => {
    mkdirSync(artefacts, { recursive: true });
    if (program !== null) product = await start(program);
  });
  afterAll(async () => {
    await product?.close();
  });

  step('reaches a live graph from the one button of the first start', async () => {
    const begin = button('Start the sample shop');
    await begin.waitFor();
    await product.page.screenshot({ path: join(artefacts, `${name}-first-start.png`) });
    const startedAt = performance.now();
    await begin.click();
    await eventually('six edges with traffic', async () => (await product.page.getByTestId(/^edge-/).count()) >= 6);
    process.stdout.write(`${name}: live graph ${Math.round(performance.now() - startedAt)} ms after the click\n`);
  });

  step('shows every edge inside the mesh as mutual TLS, the ledger as TCP', async () => {
    await eventually('closed locks only', async () => (await topology()).edges.every(({ mtls }) => mtls === 'closed'));
    await eventually(
      'closed locks in the page',
      // The page looks at 30 s: a request from before both ends were attached counts that long.
      async () => (await product.page.locator('[data-testid^="edge-"]:not([data-mtls="closed"])').count()) === 0,
    );
    expect((await edgeBetween('orders', 'ledger'))?.protocol).toBe('tcp');
  });

  step('shows a certificate with its SPIFFE ID, and rotates it under load', async () => {
    await open('Security');
    await button('payments-v1').click();
    await product.page.getByText('verified against the bundle').waitFor();
    const before = await call(product.page, 'certificate.show', { workload: 'payments-v1' });
    expect(before.spiffeId).toMatch(/^spiffe:\/\/cluster\.local\/ns\/shop\/sa\//);
    await product.page.getByText(before.spiffeId).first().waitFor();
    await button('Rotate now').click();
    await product.page.getByText('rotated 1×').waitFor();
    const after = await call(product.page, 'certificate.show', { workload: 'payments-v1' });
    expect(after.fingerprintSha256).not.toBe(before.fingerprintSha256);
    expect(after.chain.at(-1)).toBe(before.chain.at(-1));
  });

  step('delays an edge with a button, shows it, and takes it away again', async () => {
    await open('Topology');
    const edge = await eventually('an edge from web to catalog', () => edgeBetween('web', 'catalog'));
    await product.page.getByTestId(`edge-${edge.from}-${edge.to}`).click();
    await button('Fault').click();
    await product.page.getByLabel('Delay', { exact: true }).fill('400');
    await product.page.getByLabel('Share of requests', { exact: true }).fill('100');
    await dialogButton('Inject fault').click();
    const switchedAt = performance.now();
    await eventually('a delayed request', async () => (await call(product.page, 'fault.list', {}))[0]?.hits);
    process.stdout.write(
      `${name}: first delayed request ${Math.round(performance.now() - switchedAt)} ms after the click\n`,
    );
    await product.page.getByText(/1 fault on/).waitFor();
    await eventually('the delay in the graph', async () => ((await edgeBetween('web', 'catalog'))?.p95Ms ?? 0) >= 400);
    await open('Faults');
    await product.page.getByRole('switch', { name: /delay 400 ms on web → catalog/ }).waitFor();
    await product.page.screenshot({ path: join(artefacts, `${name}-fault-on.png`) });
    await button('Clear all').click();
    await product.page.getByText('No faults').waitFor();
    await eventually('the old latency', async () => ((await edgeBetween('web', 'catalog'))?.p95Ms ?? 999) < 400);
  });

  step('moves 10 % to version 2 with the slider, shows what was observed, and pins a header', async () => {
    await open('Traffic');
    await product.page
      .getByRole('navigation', { name: 'Services' })
      .getByRole('button', { name: /payments/ })
      .click();
    await product.page.getByRole('slider', { name: 'Weight of v2' }).fill('10');
    expect(await product.page.getByLabel('Weight of v1 in percent').inputValue()).toBe('90');
    await eventually('the split in force', async () => {
      const { configured, applied } = await call(product.page, 'split.show', { service: 'payments' });
      return configured && applied.acked === applied.of;
    });
    await product.page.getByText(/applied to (\d+) of \1 sidecars/).waitFor();
    await eventually('about a tenth at version 2', async () => {
      const { observed } = await call(product.page, 'split.show', { service: 'payments', windowSeconds: 30 });
      const requests = observed.reduce((sum, version) => sum + version.requests, 0);
      const share = observed.find(({ version }) => version === 'v2')?.percent ?? 0;
      return requests >= 40 && share > 3 && share < 25;
    });
    await product.page.getByLabel('Header name').fill('x-canary');
    await product.page.getByLabel('Header value').fill('true');
    await button('Add pin').click();
    await product.page.getByRole('button', { name: 'Remove pin x-canary = true' }).waitFor();
    const split = await eventually('the pin in force', async () => {
      const view = await call(product.page, 'split.show', { service: 'payments' });
      return view.pins.length === 1 && view.applied.acked === view.applied.of && view;
    });
    expect(split.weights).toEqual([
      { subset: 'v1', weight: 90 },
      { subset: 'v2', weight: 10 },
    ]);
    expect(split.routes[0]?.destinations).toEqual([{ subset: 'v2', percent: 100 }]);
  });

  step('writes the export of what was set up into a folder', async () => {
    const outDir = join(product.projectDir, 'out');
    await open('Export');
    await product.application?.evaluate(({ dialog }, folder) => {
      dialog.showOpenDialog = async () => ({ canceled: false, filePaths: [folder] });
    }, outDir);
    await button('Write to folder').click();
    if (name === 'browser') {
      await product.page.getByLabel('Folder').fill(outDir);
      await dialogButton('Write files').click();
    }
    await product.page.getByText(/files? written/).waitFor();
    const files = (await readdir(outDir, { recursive: true })).filter((file) => file.endsWith('.yaml'));
    const content = await Promise.all(files.map((file) => readFile(join(outDir, file), 'utf8')));
    expect(content.join('\n')).toMatch(/kind: VirtualService/);
    expect(content.join('\n')).toMatch(/x-canary/);
    expect(content.join('\n')).toMatch(/kind: DestinationRule/);
    await dialogButton('Done').click();
  });

  step('shows every view in dark and light', async () => {
    const views = ['Workloads', 'Topology', 'Traffic', 'Faults', 'Security', 'Config', 'Export'];
    for (const colorScheme of ['dark', 'light'] as const) {
      await product.page.emulateMedia({ colorScheme });
      for (const view of views) {
        await open(view);
        await product.page
          .getByRole('link', { name: view, exact: true })
          .and(product.page.locator('[aria-current="page"]'))
          .waitFor();
        await eventually(
          'nothing is loading',
          async () => (await product.page.locator('main [aria-busy="true"]').count()) === 0,
        );
        const path = join(artefacts, `${name}-${view.toLowerCase()}-${colorScheme}.png`);
        const picture = await product.page.screenshot({ path });
        expect(picture.byteLength).toBeGreaterThan(10_000);
      }
    }
  });

  step('detaches everything; the shop goes on without the mesh', async () => {
    await open('Workloads');
    await button('Detach all').click();
    await dialogButton('Detach').click();
    await eventually('no workload in the mesh', async () =>
      (await call(product.page, 'workload.list', {})).every(({ mesh }) => mesh === 'detached'),
    );
    const status = await call(product.page, 'mesh.status', {});
    expect(status.sidecars.attached).toBe(0);
    expect(status.sample).toBe('running');
  });

  step('had no error in the page, and no warning of the mesh', async () => {
    expect(await product.page.getByText('INVALID_RESOURCE').count()).toBe(0);
    expect(product.pageErrors).toEqual([]);
  });
});
