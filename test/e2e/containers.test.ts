/**
 * The user's job on real containers, in a browser, with 200 requests/s running from beginning to end: see, attach, watch,
 * harm, split, certificates, terminals, export, detach. Every step is done with the page's own controls. No request may
 * fail that no fault was told to refuse.
 */
import { mkdirSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerProblem } from '../support/docker-mesh.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';
import { isRate, startMeasuring } from '../support/measured-rate.ts';
import { artefacts, createControls, expectAnswers } from './support/containers-page.ts';
import { findPart } from './support/parts.ts';
import { call, type Product, startOnContainers } from './support/product.ts';

const engineProblem = await dockerProblem();
const chromium = findPart('browser');
const views = ['Workloads', 'Topology', 'Traffic', 'Faults', 'Security', 'Export'];

describe.skipIf(engineProblem !== null || chromium === null)('running containers (browser)', () => {
  const shop = new DockerShop();
  const grouped = ['web', 'orders', 'payments-v1', 'payments-v2'];
  let product: Product;
  let load: Awaited<ReturnType<DockerShop['startLoad']>>;

  const page = () => product.page;
  const controls = createControls(page, shop);
  const { open, button, dialogButton, group, row, memberSwitch, groupSwitch } = controls;
  const { terminalText, shoot, edgeBetween, label, crowdedNodes } = controls;
  /** Answers that a fault was told to give. */
  let refused = 0;
  const expectNothingLost = (more = 100) => expectAnswers(load, refused, more);

  beforeAll(async () => {
    mkdirSync(artefacts, { recursive: true });
    await shop.start();
    load = await shop.startLoad('http://web:8080/', 200);
    await eventually('load flows', async () => (await load.read()).ok > 100);
    if (chromium !== null) product = await startOnContainers(chromium);
  });
  afterAll(async () => {
    await product?.close();
    await shop.close();
  });

  it('lists containers by compose project with image, ports, version and state', async () => {
    await page().getByTestId(`node-payments.${shop.project}`).waitFor();
    expect(await crowdedNodes()).toEqual([]);
    await shoot('topology-before');
    await open('Workloads');
    const members = group(shop.project);
    await members.waitFor();
    for (const short of grouped) await members.getByText(shop.name(short), { exact: true }).waitFor();
    await members.getByText('compose project').waitFor();
    await members.getByText(`0 of ${grouped.length} meshed`).waitFor();
    await row('web').getByText(/8080/).waitFor();
    expect(await row('payments-v2').getByText('v2', { exact: true }).count()).toBe(1);
    const others = group('Containers without a compose project');
    await others.getByText(shop.name('redis'), { exact: true }).waitFor();
    await row('redis').getByText(/6379/).waitFor();
    await shoot('workloads-before');
  });

  it('shows a container that is started later, and forgets it when it is removed', async () => {
    const late = await shop.add({ name: 'late', command: ['sleep', '600'] });
    await row('late').waitFor();
    await late.remove({ force: true });
    await row('late').waitFor({ state: 'detached' });
  });

  it('says why a container on the host network cannot be attached', async () => {
    const onHost = await shop.add({ name: 'onhost', command: ['sleep', '600'], networkMode: 'host' });
    await row('onhost').getByText('cannot be attached').waitFor();
    await row('onhost').getByText(/host/).last().waitFor();
    expect(await memberSwitch('onhost').isDisabled()).toBe(true);
    const { notAttachable } = await eventually('its view', async () =>
      (await call(page(), 'workload.list', {})).find(({ name }) => name === shop.name('onhost')),
    );
    expect(await row('onhost').textContent()).toContain(notAttachable?.message);
    await shoot('not-attachable');
    await onHost.remove({ force: true });
    await row('onhost').waitFor({ state: 'detached' });
  });

  it('attaches the group with its switch and shows its progress', async () => {
    await groupSwitch().click();
    await page()
      .getByText(/attaching/)
      .first()
      .waitFor();
    await shoot('attaching');
    await group(shop.project).getByText(`${grouped.length} of ${grouped.length} meshed`).waitFor({ timeout: 90_000 });
    expect(await groupSwitch().isChecked()).toBe(true);
    await memberSwitch('redis').click();
    await row('redis').getByText('meshed', { exact: true }).waitFor();
    await expectNothingLost();
  });

  it('says how many connections were opened before attach', async () => {
    await row('orders')
      .getByText(/connections? opened before attach (is|are) not seen yet/)
      .waitFor();
    await shoot('attached');
  });

  it('draws real rates and closed locks, and the database as TCP', async () => {
    await open('Topology');
    // The shop keeps its one database connection from before; this one goes through the mesh and stays open.
    const subscribe = await shop.docker
      .getContainer(shop.id('orders'))
      .exec({ Cmd: ['redis-cli', '-h', 'redis', 'subscribe', 'news'] });
    await subscribe.start({ Detach: true });
    const measured = await startMeasuring(async () => (await load.read()).ok);
    const calls = await eventually('as many requests as are sent, over mutual TLS', async () => {
      const edge = await edgeBetween('orders', 'payments');
      const rate = await measured();
      if (edge?.mtls === 'closed' && isRate(edge.requestsPerSecond, rate)) return edge;
      throw new Error(`${rate}/s measured, ${JSON.stringify(edge)} seen`);
    });
    await page().locator(`[data-testid="edge-${calls.from}-${calls.to}"][data-mtls="closed"]`).waitFor();
    await eventually('its rate on the label', async () => /[1-9]\d*\/s/.test((await label(calls).textContent()) ?? ''));
    const database = await eventually('an edge to the database', () => edgeBetween('orders', 'redis'));
    expect(database).toMatchObject({ protocol: 'tcp', mtls: 'closed' });
    await label(database).getByText(/tcp/).waitFor();
    await expectNothingLost();
  });

  it('refuses a share of an edge from the switchboard, those requests alone, and stops when all is cleared', async () => {
    await open('Faults');
    await button('New fault').click();
    const dialog = page().getByRole('dialog');
    await dialog.getByLabel('From').selectOption(`orders.${shop.project}`);
    await dialog.getByLabel('To').selectOption(`payments.${shop.project}`);
    await dialog.getByRole('button', { name: 'abort', exact: true }).click();
    await dialog.getByLabel('HTTP status').fill('503');
    await dialog.getByLabel('Share of requests', { exact: true }).fill('10');
    await dialogButton('Inject fault').click();
    await page().getByRole('switch', { name: 'abort 503 on orders → payments' }).waitFor();
    await eventually('refused requests', async () => ((await load.read()).statuses['503'] ?? 0) > 20);
    await page()
      .getByText(/^errors \d/)
      .waitFor();
    await shoot('abort');
    await button('Clear all').click();
    await page().getByText('No faults').waitFor();
    const settled = await eventually('no more refusals', async () => {
      const before = await load.read();
      const now = await eventually('200 more answers', async () => {
        const totals = await load.read();
        return totals.ok >= before.ok + 200 && totals;
      });
      return now.failed === before.failed && now;
    });
    refused = settled.statuses['503'] ?? 0;
    expect(settled.failed).toBe(refused);
    expect(Object.keys(settled.errors).filter((why) => !why.startsWith('status 503 '))).toEqual([]);
    const share = (refused / settled.sent) * 100;
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(10);
  });

  it('delays an edge from its drawer and shows it there and in the graph; the switch takes it away', async () => {
    await open('Topology');
    const edge = await eventually('orders -> payments', () => edgeBetween('orders', 'payments'));
    await label(edge).click();
    const drawer = page().getByRole('complementary', { name: 'orders → payments' });
    await drawer.getByText('mTLS', { exact: true }).waitFor();
    await button('Fault').click();
    await page().getByLabel('Delay', { exact: true }).fill('400');
    await page().getByLabel('Share of requests', { exact: true }).fill('30');
    await shoot('fault-dialog');
    await dialogButton('Inject fault').click();
    const toggle = drawer.getByRole('switch', { name: 'Fault delay 400 ms · 30 %' });
    await toggle.waitFor();
    await label(edge).getByText('30 %').waitFor();
    await eventually('the delay on the label', async () => / 4\d\d ms/.test((await label(edge).textContent()) ?? ''));
    await page()
      .getByText(/1 fault on/)
      .waitFor();
    await toggle.click();
    await page()
      .getByText(/1 fault on/)
      .waitFor({ state: 'detached' });
    await eventually('the old latency', async () => ((await edgeBetween('orders', 'payments'))?.p95Ms ?? 999) < 390);
    await toggle.click();
    await page()
      .getByText(/1 fault on/)
      .waitFor();
    await eventually('hits', async () => ((await call(page(), 'fault.list', {}))[0]?.hits ?? 0) > 50);
    await expectNothingLost();
  });

  it('moves 10 % to version 2 with the slider from the edge, and shows what was observed', async () => {
    await button('Split').click();
    const dialog = page().getByRole('dialog');
    await dialog.getByRole('slider', { name: 'Weight of v2' }).fill('10');
    expect(await dialog.getByLabel('Weight of v1 in percent').inputValue()).toBe('90');
    await dialog.getByText(/applied to (\d+) of \1 sidecars?/).waitFor();
    await eventually('about a tenth at version 2', async () => {
      const { observed, configured } = await call(page(), 'split.show', {
        service: `payments.${shop.project}`,
        windowSeconds: 10,
      });
      const share = observed.find(({ version }) => version === 'v2')?.percent ?? 0;
      return configured && share > 6 && share < 14;
    });
    await shoot('split-dialog');
    await button('Open in Traffic').click();
    await page().getByLabel('Header name').fill('x-user');
    await page().getByLabel('Header value').fill('beta');
    await button('Add pin').click();
    await page().getByRole('button', { name: 'Remove pin x-user = beta' }).waitFor();
    await eventually('the pin in force', async () => {
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => shop.call('load', 'http://web:8080/', { 'x-user': 'beta' })),
      );
      return answers.every((answer) => answer.includes('paymentsv2'));
    });
    await expectNothingLost();
  });

  it('opens a certificate and rotates it under load', async () => {
    await open('Security');
    await button(shop.name('orders')).click();
    await page().getByText('verified against the bundle').waitFor();
    const before = await call(page(), 'certificate.show', { workload: shop.name('orders') });
    expect(before.spiffeId).toBe(`spiffe://cluster.local/ns/${shop.project}/sa/orders`);
    await page().getByText(before.spiffeId).last().waitFor();
    await button('Rotate now').click();
    await page().getByText('rotated 1×').waitFor();
    const after = await call(page(), 'certificate.show', { workload: shop.name('orders') });
    expect(after.fingerprintSha256).not.toBe(before.fingerprintSha256);
    await page().getByText('verified against the bundle').waitFor();
    await expectNothingLost(300);
  });

  it('shows the logs of a container and of its sidecar, and finds words in them', async () => {
    await open('Workloads');
    await button(`Actions of ${shop.name('redis')}`).click();
    await page().getByRole('menuitem', { name: 'Logs', exact: true }).click();
    await eventually('the log of the database', async () => /Ready to accept connections/i.test(await terminalText()));
    await page().getByLabel('Search in the terminal').fill('Ready to accept');
    await eventually('the match is selected', async () => (await page().locator('.xterm-selection div').count()) > 0);
    await shoot('logs');
    await page().getByRole('group', { name: 'Where' }).getByRole('button', { name: 'sidecar' }).click();
    await eventually('the log of the sidecar', async () => /sidecar|listen|control/i.test(await terminalText()));
    await shoot('sidecar-logs');
    await button('Close terminal').click();
  });

  it('opens a shell in a container', async () => {
    await button(`Actions of ${shop.name('orders')}`).click();
    await page().getByRole('menuitem', { name: 'Shell', exact: true }).click();
    await eventually('a prompt', async () => /[#$] *$/.test((await terminalText()).trimEnd()));
    const input = page().locator('.xterm-helper-textarea').last();
    await input.focus();
    await input.pressSequentially('echo hello-$((40+2))');
    await input.press('Enter');
    await eventually('the answer', async () => {
      const text = await terminalText();
      if (!/hello-42/.test(text)) throw new Error(`the terminal shows: ${text}`);
      return true;
    });
    await page().getByLabel('Search in the terminal').fill('hello-42');
    await eventually('the match is selected', async () => (await page().locator('.xterm-selection div').count()) > 0);
    await shoot('shell');
    await button('Close terminal').click();
  });

  it('works with the keyboard alone', async () => {
    const keys = page().keyboard;
    const current = (view: string) =>
      page().getByRole('link', { name: view, exact: true }).and(page().locator('[aria-current="page"]')).waitFor();
    await keys.press('Control+1');
    await current('Workloads');
    await memberSwitch('orders').focus();
    await keys.press('Space');
    await page().getByRole('dialog').waitFor();
    await keys.press('Escape');
    await page().getByRole('dialog').waitFor({ state: 'detached' });
    expect(await memberSwitch('orders').isChecked()).toBe(true);
    await keys.press('Control+2');
    await current('Topology');
    const drawer = page().getByRole('complementary', { name: 'orders → payments' });
    const edge = await eventually('orders -> payments', () => edgeBetween('orders', 'payments'));
    if (await drawer.isVisible()) await keys.press('Escape');
    await drawer.waitFor({ state: 'detached' });
    await label(edge).focus();
    await keys.press('Enter');
    await drawer.waitFor();
    await keys.press('Control+3');
    await current('Traffic');
    const slider = page().getByRole('slider', { name: 'Weight of v2' });
    await slider.focus();
    await keys.press('ArrowRight');
    expect(await slider.inputValue()).toBe('11');
    await keys.press('ArrowLeft');
    expect(await slider.inputValue()).toBe('10');
    await keys.press('Tab');
    await eventually('a visible focus', () =>
      page().evaluate(() => {
        const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement ?? document.body);
        return outlineStyle !== 'none' || boxShadow !== 'none';
      }),
    );
    await keys.press('Control+K');
    await keys.type('Security');
    await keys.press('Enter');
    await current('Security');
    await expectNothingLost();
  });

  it('writes the export of what was set up into a folder', async () => {
    const outDir = join(product.projectDir, 'out');
    await open('Export');
    await button('Write to folder').click();
    await page().getByLabel('Folder').fill(outDir);
    await dialogButton('Write files').click();
    await page()
      .getByText(/files? written/)
      .waitFor();
    const files = (await readdir(outDir, { recursive: true })).filter((file) => file.endsWith('.yaml'));
    const content = (await Promise.all(files.map((file) => readFile(join(outDir, file), 'utf8')))).join('\n');
    for (const kind of ['VirtualService', 'DestinationRule', 'PeerAuthentication'])
      expect(content).toContain(`kind: ${kind}`);
    expect(content).toContain('x-user');
    await dialogButton('Done').click();
  });

  it('shows every view in dark and light, also in a small window', async () => {
    const sizes = [
      { name: '', width: 1320, height: 860 },
      { name: '-small', width: 1000, height: 700 },
    ];
    for (const { name, ...size } of sizes) {
      await page().setViewportSize(size);
      for (const colorScheme of ['dark', 'light'] as const) {
        await page().emulateMedia({ colorScheme });
        for (const view of views) {
          await open(view);
          await page()
            .getByRole('link', { name: view, exact: true })
            .and(page().locator('[aria-current="page"]'))
            .waitFor();
          await eventually(
            'nothing is loading',
            async () => (await page().locator('main [aria-busy="true"]').count()) === 0,
          );
          const picture = await shoot(`${view.toLowerCase()}-${colorScheme}${name}`);
          expect(picture.byteLength).toBeGreaterThan(10_000);
          const overflow = await page().evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          if (view === 'Topology') expect(await crowdedNodes()).toEqual([]);
          expect(overflow, `${view} is wider than its window`).toBeLessThanOrEqual(0);
        }
      }
    }
    await page().setViewportSize({ width: 1320, height: 860 });
  });

  it('detaches the group with a deadline, and shows the connections that are kept until then', async () => {
    await open('Workloads');
    await groupSwitch().click();
    await page().getByRole('dialog').getByRole('button', { name: '10 s', exact: true }).click();
    await dialogButton('Detach').click();
    const kept = page()
      .getByRole('dialog')
      .getByRole('row')
      .filter({ hasText: shop.name('orders') });
    await eventually(
      'one kept TCP connection',
      async () => (await kept.getByRole('cell').allTextContents())[2] === '1',
    );
    await shoot('detaching');
    await group(shop.project).getByText(`0 of ${grouped.length} meshed`).waitFor();
    await memberSwitch('redis').click();
    await page().getByRole('dialog').getByRole('button', { name: 'now', exact: true }).click();
    await dialogButton('Detach').click();
    await row('redis').getByText('not attached').waitFor();
    for (const short of [...grouped, 'redis']) expect(await shop.rulesOf(short)).not.toContain('MESHDESK');
    await expectNothingLost(300);
  });

  it('had no error in the page', () => {
    expect(product.pageErrors).toEqual([]);
  });
});
