/**
 * The project's configuration in a real browser, with the real control plane and the sample shop: a file is edited in
 * the editor and traffic follows; a broken one says so at its line while traffic keeps to the last good; and back again.
 */
import { mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { findPart, root } from './support/parts.ts';
import { call, type Product, startInBrowser } from './support/product.ts';

const artefacts = join(root, 'test', 'e2e', 'artefacts');
const browser = findPart('browser');
const path = 'traffic/shop.payments.yaml';

describe.skipIf(browser === null)('the project in the editor', () => {
  let product: Product;
  const page = () => product.page;
  const open = (view: string) =>
    page().getByRole('navigation', { name: 'Views' }).getByRole('link', { name: view }).click();
  const button = (name: string) => page().getByRole('button', { name, exact: true });
  const file = () => page().getByRole('navigation', { name: 'Files' }).getByTitle(path);
  const editor = () => page().getByLabel(`Text of ${path}`);
  const onDisk = () => readFile(join(product.projectDir, path), 'utf8');
  const split = () => call(page(), 'split.show', { service: 'payments', windowSeconds: 30 });
  const picture = (name: string) => page().screenshot({ path: join(artefacts, `config-${name}.png`) });
  /** Types over the one line that has this text, as a user does. */
  const overtype = async (word: string, text: string) => {
    await page().locator('.cm-line', { hasText: word }).click();
    await page().keyboard.press('End');
    await page().keyboard.press('Shift+Home');
    await page().keyboard.type(text);
  };

  beforeAll(async () => {
    mkdirSync(artefacts, { recursive: true });
    if (browser === null) return;
    product = await startInBrowser(browser);
    await page().emulateMedia({ colorScheme: 'dark' });
    await button('Start the sample shop').click();
    await eventually('the shop in the mesh', async () => (await call(page(), 'mesh.status', {})).sample === 'running');
    await call(page(), 'split.set', {
      service: 'payments',
      weights: [
        { subset: 'v1', weight: 90 },
        { subset: 'v2', weight: 10 },
      ],
    });
  });
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    const shown = await page().locator('main').innerText();
    process.stderr.write(`${task.name}: the page shows\n${shown}\n${product.pageErrors.join('\n')}\n`);
  });
  afterAll(async () => {
    await product?.close();
  });

  it('shows what the slider wrote, its resources, and nothing wrong', async () => {
    await open('Config');
    await file().click();
    await editor().waitFor();
    await page()
      .getByRole('list', { name: `Resources in ${path}` })
      .getByText('VirtualService')
      .waitFor();
    await page().getByText('no errors, no warnings').waitFor();
    expect(await onDisk()).toContain('weight: 90');
  });

  it('offers the fields of the place, and says what one is for', async () => {
    await page().locator('.cm-line', { hasText: 'weight: 90' }).getByText('weight').hover();
    await page().locator('.cm-field-help').getByText('Share of the traffic').waitFor();
    await page().locator('.cm-line', { hasText: 'weight: 90' }).click();
    await page().keyboard.press('End');
    await page().keyboard.press('Enter');
    await page().keyboard.press('Control+Space');
    await page().locator('.cm-tooltip-autocomplete').getByText('headers').waitFor();
    await picture('completion');
    await page().keyboard.press('Escape');
    await page().keyboard.press('Control+z');
    await page().getByText('unsaved', { exact: true }).waitFor({ state: 'hidden' });
  });

  it('moves traffic by an edit of the file', async () => {
    await overtype('weight: 90', 'weight: 60');
    await overtype('weight: 10', 'weight: 40');
    await page().getByText('unsaved', { exact: true }).waitFor();
    expect((await split()).weights).toContainEqual({ subset: 'v2', weight: 10 });
    await page().keyboard.press('Control+s');
    await eventually('the split in force', async () => {
      const { weights, applied } = await split();
      return weights.some(({ subset, weight }) => subset === 'v2' && weight === 40) && applied.acked === applied.of;
    });
    await picture('saved');
    await open('Traffic');
    await page()
      .getByRole('navigation', { name: 'Services' })
      .getByRole('button', { name: /payments/ })
      .click();
    await eventually(
      'the slider where the file says',
      async () => (await page().getByLabel('Weight of v2 in percent').inputValue()) === '40',
    );
    await eventually('far more than a tenth at version 2', async () => {
      const { observed } = await split();
      const requests = observed.reduce((sum, version) => sum + version.requests, 0);
      return requests >= 40 && (observed.find(({ version }) => version === 'v2')?.percent ?? 0) > 20;
    });
  });

  it('says at its line what is wrong with a text, and traffic keeps to the last good one', async () => {
    await open('Config');
    await overtype('weight: 40', 'wieght: 40');
    const finding = page()
      .getByRole('region', { name: 'Findings' })
      .getByRole('button', { name: /MD0104/ });
    await finding.waitFor();
    await page().keyboard.press('Control+s');
    await page().getByText('last good version in force').waitFor();
    expect(await onDisk()).toContain('wieght: 40');
    const [said] = (await call(page(), 'config.findings', {})).filter(({ number }) => number === 'MD0104');
    const line = (await onDisk()).split('\n').findIndex((text) => text.includes('wieght')) + 1;
    expect(said).toMatchObject({ file: path, line, severity: 'error', hint: expect.stringContaining('weight') });
    await finding.click();
    await page()
      .locator('.cm-activeLineGutter', { hasText: new RegExp(`^${line}$`) })
      .waitFor();
    await page().locator('.cm-lintRange-error').first().hover();
    await page().locator('.cm-tooltip').getByText('MD0104').waitFor();
    await picture('broken');
    expect((await split()).weights).toContainEqual({ subset: 'v2', weight: 40 });
    await page().getByRole('navigation', { name: 'Views' }).getByLabel('1 error').waitFor();
  });

  it('shows each change, takes it back from the palette, and brings it back with a button', async () => {
    await button('History').click();
    const changes = page().getByRole('list', { name: 'Changes, newest first' });
    await changes
      .getByRole('button', { name: `edit ${path}` })
      .nth(1)
      .click();
    await page()
      .getByRole('region', { name: `Change of ${path}` })
      .getByText('weight: 60')
      .waitFor();
    await picture('history');
    await page().keyboard.press('Control+k');
    await page().getByRole('combobox').fill('undo the last change');
    await page().keyboard.press('Enter');
    await eventually('the good text again', async () => !(await onDisk()).includes('wieght'));
    await button(`Undo: edit ${path}`).click();
    await eventually('the first split again', async () =>
      (await split()).weights.some(({ subset, weight }) => subset === 'v2' && weight === 10),
    );
    await button(`Redo: edit ${path}`).click();
    await eventually('the second split again', async () =>
      (await split()).weights.some(({ subset, weight }) => subset === 'v2' && weight === 40),
    );
    await page().getByRole('button', { name: 'Back to the file' }).click();
    await button('Close details').click();
  });

  it('asks before it writes over what was changed on disk', async () => {
    await editor().waitFor();
    await overtype('weight: 40', 'weight: 41');
    const theirs = `# theirs\n${await onDisk()}`;
    await writeFile(join(product.projectDir, path), theirs);
    await page().getByText('changed on disk').waitFor();
    await page().keyboard.press('Control+s');
    await page().getByRole('dialog').getByText('# theirs').waitFor();
    await picture('conflict');
    await button('Take theirs').click();
    await eventually('theirs in the editor', async () => (await editor().textContent())?.startsWith('# theirs'));
    expect(await onDisk()).toBe(theirs);
  });

  it('imports a dump of a cluster under the names that things have here', async () => {
    const route = (namespace: string, host: string) =>
      `    - destination: {host: ${host}.${namespace}.svc.cluster.local}\n`;
    await button('Import').click();
    await page()
      .getByLabel('YAML to import')
      .fill(
        `apiVersion: v1\nkind: List\nitems:\n- apiVersion: networking.istio.io/v1\n  kind: VirtualService\n  metadata: {name: catalog, namespace: prod, uid: abc, resourceVersion: "7"}\n  spec:\n    hosts: [catalog]\n    http:\n    - timeout: 3s\n      route:\n  ${route('prod', 'catalog')}  status: {}\n`,
      );
    await button('Preview').click();
    await page().getByText('VirtualService shop/catalog').waitFor();
    expect(await page().getByLabel('Namespace here for prod').inputValue()).toBe('shop');
    await picture('import');
    await button('Put into the project').click();
    await eventually('it is in the project', async () =>
      (await call(page(), 'config.get', { kind: 'VirtualService', name: 'catalog' }))
        .at(0)
        ?.yaml.includes('catalog.shop'),
    );
    await page().getByLabel('Text of traffic/shop.catalog.yaml').waitFor();
    expect(await readFile(join(product.projectDir, 'traffic/shop.catalog.yaml'), 'utf8')).not.toMatch(
      /uid|status|prod/,
    );
  });

  it('shows the view in dark and light', async () => {
    for (const colorScheme of ['dark', 'light'] as const) {
      await page().emulateMedia({ colorScheme });
      await file().click();
      await editor().waitFor();
      expect((await picture(colorScheme)).byteLength).toBeGreaterThan(10_000);
    }
    expect(product.pageErrors).toEqual([]);
  });
});
