/** The page without a mouse, and in a small window: what has the focus, what Escape and the arrow keys do, what stays within reach. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { findPart } from './support/parts.ts';
import { call, type Product, startInBrowser } from './support/product.ts';

const browser = findPart('browser');

describe.skipIf(browser === null)('the page by keyboard', () => {
  let product: Product;
  const page = () => product.page;
  const focused = () => page().evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');
  const press = async (...keys: string[]) => {
    for (const key of keys) await page().keyboard.press(key);
  };
  const edge = async () => {
    const { nodes, edges } = await call(page(), 'topology.get', {});
    const named = (name: string) => nodes.find(({ service }) => service === name)?.id;
    const found = edges.find(({ from, to }) => from === named('orders') && to === named('payments'));
    return found ? page().getByTestId(`edge-${found.from}-${found.to}`) : null;
  };

  beforeAll(async () => {
    product = await startInBrowser(browser ?? '');
    await page().getByRole('button', { name: 'Start the sample shop' }).focus();
    await press('Enter');
    await eventually('traffic from orders to payments', edge, 60_000);
  });
  afterAll(() => product.close());

  it('goes past the views to the content, and among the views by arrow keys', async () => {
    await page().reload();
    await eventually(
      'the graph',
      async () =>
        (await page()
          .getByTestId(/^edge-/)
          .count()) > 0,
    );
    await press('Tab');
    expect(await page().evaluate(() => document.activeElement?.textContent)).toBe('Skip to Topology');
    await press('Enter');
    expect(await focused()).toBe('Topology');
    await page().getByRole('link', { name: 'Workloads' }).focus();
    await press('ArrowDown', 'ArrowDown');
    expect(await focused()).toBe('Traffic');
    await press('End');
    expect(await focused()).toBe('Export');
  });

  it('keeps the focus on an edge while its figures move', async () => {
    await press('Control+2');
    const label = await eventually('the edge', edge);
    await label.focus();
    const { atMs } = await call(page(), 'topology.get', {});
    await eventually('three later pictures', async () => {
      const now = await call(page(), 'topology.get', {});
      return now.atMs > atMs + 3_000;
    });
    expect(await focused()).toMatch(/^orders to payments/);
  });

  it('opens an edge, goes on in its details, and is back on the edge after Escape', async () => {
    const label = await eventually('the edge', edge);
    await press('Control+2');
    await label.focus();
    await press('Enter');
    const drawer = page().getByRole('complementary', { name: 'orders → payments' });
    await drawer.waitFor();
    await eventually('the focus in the details', async () => (await focused()) === 'orders → payments');
    await press('Tab');
    expect(await focused()).toBe('Close details');
    await press('Escape');
    await drawer.waitFor({ state: 'detached' });
    await eventually('the focus on the edge', async () => (await focused()).startsWith('orders to payments'));
  });

  it('runs what was typed, not what shares its letters', async () => {
    await press('Control+k');
    await page().getByRole('combobox').fill('logs');
    const [first] = await page().getByRole('option').allTextContents();
    expect(first).toMatch(/^Logs of /);
    await page().getByRole('combobox').fill('logs web');
    await press('Enter');
    await page().getByRole('region', { name: 'logs of web' }).waitFor();
    await page().getByRole('button', { name: 'Close terminal' }).click();
  });

  it('puts cleared faults back, as they were', async () => {
    await call(page(), 'fault.set', {
      from: null,
      to: 'payments.shop',
      action: { kind: 'delay', delayMs: 50 },
      percent: 20,
    });
    await press('Control+k');
    await page().getByRole('combobox').fill('panic');
    await press('Enter');
    await eventually('no fault', async () => (await call(page(), 'fault.list', {})).length === 0);
    await page().getByRole('button', { name: 'Undo' }).focus();
    await press('Enter');
    await eventually('the fault again', async () =>
      (await call(page(), 'fault.list', {})).some(({ enabled, percent }) => enabled && percent === 20),
    );
  });

  it('keeps the menu of a fault and the switch of a workload within a small window', async () => {
    await page().setViewportSize({ width: 900, height: 600 });
    await press('Control+4');
    const menu = page().getByRole('button', { name: /^Actions of delay/ });
    await menu.waitFor();
    const isInSight = async (locator: typeof menu) => {
      const box = await locator.boundingBox();
      return box !== null && box.x + box.width <= 900;
    };
    expect(await isInSight(menu)).toBe(true);
    await press('Control+1');
    expect(await isInSight(page().getByRole('switch', { name: 'web in the mesh', exact: true }))).toBe(true);
    expect(await page().evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(900);
    expect(product.pageErrors).toEqual([]);
  });
});
