import { join } from 'node:path';
import type { Page } from 'playwright';
import { expect } from 'vitest';
import type { DockerShop } from '../../support/docker-shop.ts';
import { eventually } from '../../support/eventually.ts';
import { root } from './parts.ts';
import { call } from './product.ts';

/** Where screenshots go. */
export const artefacts = join(root, 'test', 'e2e', 'artefacts');

/** What a user of the page finds and uses, for the containers of a shop. */
export function createControls(page: () => Page, shop: DockerShop) {
  const open = (view: string) =>
    page().getByRole('navigation', { name: 'Views' }).getByRole('link', { name: view }).click();
  const button = (label: string) => page().getByRole('button', { name: label, exact: true });
  const dialogButton = (label: string) => page().getByRole('dialog').getByRole('button', { name: label, exact: true });
  const group = (title: string) => page().getByRole('region', { name: title, exact: true });
  const row = (short: string) =>
    page()
      .getByRole('row')
      .filter({ hasText: shop.name(short) });
  const memberSwitch = (short: string) =>
    page().getByRole('switch', { name: `${shop.name(short)} in the mesh`, exact: true });
  const groupSwitch = () => page().getByRole('switch', { name: `${shop.project}: all in the mesh`, exact: true });
  const terminalText = async () => (await page().locator('.xterm-rows').innerText()).replaceAll('\u00a0', ' ');
  const shoot = (name: string) => page().screenshot({ path: join(artefacts, `containers-${name}.png`) });
  const edgeBetween = async (from: string, to: string) => {
    const { nodes, edges } = await call(page(), 'topology.get', { windowSeconds: 5 });
    // Other containers on this machine may have the same service names in projects of their own.
    const named = (service: string) => (node: { service: string; namespace: string | null }) =>
      (node.service === service && node.namespace === shop.project) || node.service === shop.name(service);
    const ids = [nodes.find(named(from))?.id, nodes.find(named(to))?.id];
    return edges.find((edge) => edge.from === ids[0] && edge.to === ids[1]) ?? null;
  };
  const label = (edge: { from: string; to: string }) => page().getByTestId(`edge-${edge.from}-${edge.to}`);
  /** Services of which the text runs into their version chips. */
  const crowdedNodes = () =>
    page().evaluate(() =>
      [...document.querySelectorAll('.service')].flatMap((node) => {
        const chips = node.querySelector('.service-versions')?.getBoundingClientRect();
        const text = document.createRange();
        text.selectNodeContents(node.querySelector('small') ?? node);
        const { right, bottom } = text.getBoundingClientRect();
        return chips && right > chips.left && bottom > chips.top ? [node.textContent] : [];
      }),
    );

  return {
    open,
    button,
    dialogButton,
    group,
    row,
    memberSwitch,
    groupSwitch,
    terminalText,
    shoot,
    edgeBetween,
    label,
    crowdedNodes,
  };
}

/** Every request that was sent so far was answered, with 200 unless refused on purpose, and `more` further ones are too. */
export async function expectAnswers(
  load: Awaited<ReturnType<DockerShop['startLoad']>>,
  refused: number,
  more: number,
): Promise<void> {
  const { ok } = await load.read();
  const { failed, errors } = await eventually(`${more} more answers`, async () => {
    const now = await load.read();
    return now.ok >= ok + more && now;
  });
  expect({ failed, errors: refused === 0 ? errors : {} }).toEqual({ failed: refused, errors: {} });
}
