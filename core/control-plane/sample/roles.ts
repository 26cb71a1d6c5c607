/** What each service of the sample shop does with a request. Latencies and failures are small and drawn at random. */
import { setTimeout as pause } from 'node:timers/promises';
import type { LedgerClient } from './ledger.ts';
import type { Answer, HttpUpstream } from './upstream.ts';

export interface RoleContext {
  readonly version: string | null;
  readonly random: () => number;
  upstream(name: string): HttpUpstream;
  readonly ledger: LedgerClient | null;
}

export type Role = (method: string, url: URL, context: RoleContext) => Promise<Answer>;

const json = (status: number, body: unknown): Answer => ({ status, body: `${JSON.stringify(body)}\n` });
const products = ['kettle', 'teapot', 'cup', 'spoon', 'sugar', 'tray'];

/** Waits `fromMs` plus up to `spreadMs`, mostly little of it. */
const work = (context: RoleContext, fromMs: number, spreadMs: number) =>
  pause(fromMs + spreadMs * context.random() ** 2);

/** An answer that passes on what the other service said when that is not a success. */
function passOn(name: string, answer: Answer): Answer | null {
  return answer.status < 400
    ? null
    : json(answer.status, { error: `${name} said ${answer.status}`, cause: answer.body.trim() });
}

const web: Role = async (method, url, context) => {
  await work(context, 1, 3);
  if (method === 'POST') {
    const headers: Record<string, string> = url.searchParams.has('beta') ? { 'x-beta': '1' } : {};
    const order = await context.upstream('orders').call('POST', `/orders${url.search}`, headers);
    return passOn('orders', order) ?? json(201, { ordered: JSON.parse(order.body) });
  }
  const list = await context.upstream('catalog').call('GET', url.pathname);
  return passOn('catalog', list) ?? json(200, { page: JSON.parse(list.body) });
};

const catalog: Role = async (_method, url, context) => {
  await work(context, 2, 6);
  const product = /^\/products\/(\w+)$/.exec(url.pathname)?.[1];
  if (product !== undefined && !products.includes(product)) return json(404, { error: `no product ${product}` });
  const stock = await context.upstream('inventory').call('GET', `/stock/${product ?? 'all'}`);
  return passOn('inventory', stock) ?? json(200, { products: product ?? products, stock: JSON.parse(stock.body) });
};

const orders: Role = async (_method, url, context) => {
  await work(context, 2, 4);
  const product = url.searchParams.get('product') ?? 'cup';
  const beta = url.searchParams.has('beta');
  const reserved = await context.upstream('inventory').call('POST', `/stock/${product}/reserve`);
  const charged = await context.upstream('payments').call('POST', '/charge', beta ? { 'x-beta': '1' } : {});
  const failed = passOn('inventory', reserved) ?? passOn('payments', charged);
  if (failed !== null) return failed;
  const entry = await context.ledger?.append(`${product} ${charged.body.trim()}`);
  return json(201, { product, payment: JSON.parse(charged.body), ledger: entry ?? null });
};

const payments: Role = async (_method, _url, context) => {
  await (context.version === 'v2' ? work(context, 5, 10) : work(context, 9, 20));
  const draw = context.random();
  if (draw < 0.03) return json(402, { error: 'card declined', version: context.version });
  if (draw < 0.037) return json(500, { error: 'the bank did not answer', version: context.version });
  return json(200, { paid: true, version: context.version });
};

const inventory: Role = async (_method, url, context) => {
  await work(context, 1, 4);
  return json(200, { path: url.pathname, left: Math.floor(context.random() * 90) + 10 });
};

export const roles: Readonly<Record<string, Role>> = { web, catalog, orders, payments, inventory };

/** What a shopper does next: mostly looks, often at things that exist, sometimes buys. */
export function nextVisit(random: () => number): { method: string; path: string } {
  const draw = random();
  const product = products[Math.floor(random() * products.length)] ?? 'cup';
  if (draw < 0.4) return { method: 'POST', path: `/checkout?product=${product}${random() < 0.1 ? '&beta=1' : ''}` };
  if (draw < 0.42) return { method: 'GET', path: '/products/unicorn' };
  return { method: 'GET', path: draw < 0.7 ? '/products' : `/products/${product}` };
}
