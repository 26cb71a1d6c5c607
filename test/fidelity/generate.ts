import { createSeededRandom } from '../../core/shared/random.ts';
import type { Ask, Scenario } from './scenario.ts';
import { destinationRule, to, virtualService } from './scenarios/resources.ts';

/** Seeded scenarios of several rules each, with requests that tend to hit them. Same count and seed, same scenarios. */
export function generateScenarios(count: number, seed: number): readonly Scenario[] {
  const draw = new Draw(seed);
  return Array.from({ length: count }, (_, index) => generate(draw, `generated ${seed}/${index}`));
}

const segments = ['/a', '/b', '/ab', '/a/b', '/api', '/api/v1', '/A'];
const names = ['x-a', 'x-b', 'x-user'];
const values = ['1', '2', 'one', 'One', 'on', ''];
const methods = ['GET', 'POST', 'PUT', 'DELETE'];

class Draw {
  readonly #random: () => number;
  constructor(seed: number) {
    this.#random = createSeededRandom(seed);
  }
  chance(share: number): boolean {
    return this.#random() < share;
  }
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
  of<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error('drew from an empty list');
    return item;
  }
}

function generate(draw: Draw, name: string): Scenario {
  const rules = Array.from({ length: 1 + draw.below(4) }, () => rule(draw, true));
  if (draw.chance(0.8)) rules.push(rule(draw, false));
  return {
    name,
    yaml: `${virtualService(rules.join('\n'))}\n${destinationRule()}`,
    asks: Array.from({ length: 4 + draw.below(5) }, () => ask(draw)),
  };
}

function rule(draw: Draw, conditional: boolean): string {
  const lines: string[] = [];
  if (conditional) lines.push(`match: [${Array.from({ length: 1 + draw.below(2) }, () => match(draw)).join(', ')}]`);
  const kind = draw.below(10);
  if (kind === 0)
    return item([
      ...lines,
      `directResponse: { status: ${draw.of([200, 404, 503])}, body: { string: "${draw.below(99)}" } }`,
    ]);
  if (kind === 1)
    return item([...lines, `redirect: { uri: ${draw.of(segments)}, redirectCode: ${draw.of([301, 302, 307, 308])} }`]);
  if (draw.chance(0.3)) lines.push(`rewrite: { uri: ${draw.of([...segments, '/'])} }`);
  if (draw.chance(0.3)) lines.push(headerOps(draw));
  if (draw.chance(0.25)) lines.push(retries(draw));
  if (draw.chance(0.1))
    lines.push(`fault: { abort: { httpStatus: ${draw.of([418, 503])}, percentage: { value: ${draw.of([0, 100])} } } }`);
  return item([...lines, `route: [${to(draw.of(['v1', 'v2']))}]`]);
}

const item = (lines: readonly string[]) => `- ${lines.join('\n  ')}`;

function stringMatch(draw: Draw, from: readonly string[], regexes: readonly string[]): string {
  const kind = draw.below(4);
  if (kind === 0) return `{ regex: "${draw.of(regexes)}" }`;
  const value = draw.of(from);
  return kind === 1 && value !== '' ? `{ prefix: "${value}" }` : `{ exact: "${value}" }`;
}

function match(draw: Draw): string {
  const parts: string[] = [];
  if (draw.chance(0.7)) parts.push(`uri: ${stringMatch(draw, segments, ['/a.*', '/[ab]', '/(a|api)/.+', '.*b'])}`);
  if (draw.chance(0.15) && parts.length > 0 && !parts[0]?.includes('regex')) parts.push('ignoreUriCase: true');
  if (draw.chance(0.25)) parts.push(`method: { exact: ${draw.of(methods)} }`);
  if (draw.chance(0.4)) parts.push(`headers: { ${draw.of(names)}: ${headerMatch(draw)} }`);
  if (draw.chance(0.2)) parts.push(`withoutHeaders: { ${draw.of(names)}: ${headerMatch(draw)} }`);
  if (draw.chance(0.25)) parts.push(`queryParams: { q: ${stringMatch(draw, ['1', 'one', ''], ['[0-9]+', '.*'])} }`);
  return parts.length === 0 ? '{ uri: { prefix: / } }' : `{ ${parts.join(', ')} }`;
}

function headerMatch(draw: Draw): string {
  return draw.chance(0.2) ? '{}' : stringMatch(draw, values.slice(0, -1), ['[0-9]+', 'o.*', '(?i)one']);
}

function headerOps(draw: Draw): string {
  const operations = [
    ...(draw.chance(0.5) ? [`set: { ${draw.of(names)}: set }`] : []),
    ...(draw.chance(0.5) ? [`add: { ${draw.of(names)}: added }`] : []),
    ...(draw.chance(0.5) ? [`remove: [${draw.of(names)}]`] : []),
  ];
  return `headers: { ${draw.of(['request', 'response'])}: { ${operations.join(', ')} } }`;
}

function retries(draw: Draw): string {
  const attempts = draw.below(4);
  const conditions = draw.of(['5xx', 'gateway-error', '"503"', 'reset', 'retriable-4xx', '"reset,503"']);
  // Istio refuses conditions for no attempts.
  return `retries: { attempts: ${attempts}${attempts > 0 && draw.chance(0.8) ? `, retryOn: ${conditions}` : ''} }`;
}

function ask(draw: Draw): Ask {
  const query = draw.of(['', '', '?q=1', '?q=one', '?q', '?x=1&q=22']);
  const method = draw.chance(0.7) ? 'GET' : draw.of(methods);
  const headers = Object.fromEntries(names.filter(() => draw.chance(0.4)).map((name) => [name, draw.of(values)]));
  return {
    method,
    path: `${draw.of([...segments, '/', '/none', '/a/b/c'])}${query}`,
    headers,
    ...(method === 'POST' ? { body: 'hello' } : {}),
    ...(draw.chance(0.3) ? { order: order(draw) } : {}),
  };
}

function order(draw: Draw): NonNullable<Ask['order']> {
  const times = draw.chance(0.5) ? { times: 1 + draw.below(2) } : {};
  if (draw.chance(0.2)) return { reset: true, ...times };
  return { status: draw.of([200, 404, 409, 500, 502, 503]), headers: { [draw.of(names)]: 'up' }, ...times };
}
