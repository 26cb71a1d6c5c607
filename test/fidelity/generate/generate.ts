import { stringify } from 'yaml';
import type { Ask, Scenario } from '../scenario.ts';
import { drawAction } from './actions.ts';
import { drawAsk } from './asks.ts';
import { Draw, type Json } from './draw.ts';
import { drawMatch } from './matches.ts';

/** A generated scenario, with its resources as they can be made smaller. */
export interface Case {
  readonly name: string;
  readonly resources: readonly Json[];
  readonly asks: readonly Ask[];
}

/**
 * Seeded cases of several rules each, with requests that tend to hit them. A case depends on the seed and its number alone, so
 * that any one can be had again without the others.
 */
export function generateCases(count: number, seed: number): readonly Case[] {
  return Array.from({ length: count }, (_, index) => {
    return generate(new Draw(seed * 1_000_003 + index), `generated ${seed}/${index}`);
  });
}

export function toScenario({ name, resources, asks }: Case): Scenario {
  return {
    name,
    asks,
    draws: isForNobody(resources),
    yaml: resources
      .map((resource) => stringify(resource, { lineWidth: 0, version: '1.1', aliasDuplicateObjects: false }))
      .join('---\n'),
  };
}

/** No rule is for the caller, so that the service is as without rules and any endpoint may be drawn. */
function isForNobody(resources: readonly Json[]): boolean {
  const [root, ...others] = resources.filter(({ kind }) => kind === 'VirtualService').map(({ spec }) => rulesOf(spec));
  const delegated = others.flat().some(isForCaller);
  return !(root ?? []).some((rule) => isForCaller(rule) && ('delegate' in rule ? delegated : true));
}

const rulesOf = (spec: unknown) => ((spec as Json).http ?? []) as readonly Json[];

function isForCaller({ match }: Json): boolean {
  const blocks = (match ?? []) as readonly Json[];
  return blocks.length === 0 || blocks.some(isBlockForCaller);
}

function isBlockForCaller({ sourceLabels, sourceNamespace = 'shop', gateways, port }: Json): boolean {
  // Names of gateways take the place of the other selectors.
  if (gateways !== undefined) return (gateways as readonly string[]).includes('mesh') && port === undefined;
  const { app = 'web' } = (sourceLabels ?? {}) as Json;
  return app === 'web' && sourceNamespace === 'shop' && port === undefined;
}

const self = '{host}.shop.svc.cluster.local';
const networking = 'networking.istio.io/v1';

function generate(draw: Draw, name: string): Case {
  const delegated = draw.chance(0.12) ? drawRules(draw, 1 + draw.below(2)) : [];
  const rules = [...drawRules(draw, 1 + draw.below(4))];
  if (delegated.length > 0) {
    const delegate = { name: '{host}-delegate', namespace: 'shop' };
    rules.splice(draw.below(rules.length + 1), 0, { ...drawConditions(draw, 0.8), delegate });
  }
  // Whether anything is left of a delegate depends on both; something else has to be there then.
  const isLast =
    draw.chance(0.8) || (delegated.length > 0 && !rules.some((rule) => !('delegate' in rule) && isForCaller(rule)));
  if (isLast) rules.push(drawAction(draw));
  const all = [...rules, ...delegated];
  const matches = all.flatMap(({ match }) => (match ?? []) as readonly Json[]);
  return {
    name,
    resources: [
      virtualService('{host}', { hosts: [self], http: rules }),
      ...(delegated.length === 0 ? [] : [virtualService('{host}-delegate', { http: delegated })]),
      drawDestinationRule(draw),
    ],
    asks: Array.from({ length: 5 + draw.below(4) }, () => drawAsk(draw, matches, all)),
  };
}

function drawRules(draw: Draw, count: number): readonly Json[] {
  return Array.from({ length: count }, (_, index) => ({
    ...(draw.chance(0.3) ? { name: `rule-${index}` } : {}),
    ...drawConditions(draw, 0.95),
    ...drawAction(draw),
  }));
}

function drawConditions(draw: Draw, share: number): Json {
  return draw.chance(share) ? { match: Array.from({ length: 1 + draw.below(2) }, () => drawMatch(draw)) } : {};
}

function virtualService(name: string, spec: Json): Json {
  return { apiVersion: networking, kind: 'VirtualService', metadata: { name, namespace: 'shop' }, spec };
}

function drawDestinationRule(draw: Draw): Json {
  const subset = (version: string): Json => ({ name: version, labels: { version } });
  const loadBalancer = draw.of<Json>([
    { simple: 'ROUND_ROBIN' },
    { simple: 'RANDOM' },
    { simple: 'LEAST_REQUEST' },
    { consistentHash: { httpHeaderName: 'x-user' } },
    { consistentHash: { httpQueryParameterName: 'q' } },
    { consistentHash: { httpCookie: { name: 'sticky', ttl: draw.of(['0s', '60s']), ...drawCookiePath(draw) } } },
    { consistentHash: { useSourceIp: true } },
  ]);
  const policy = draw.chance(0.2) ? { trafficPolicy: { loadBalancer } } : {};
  return {
    apiVersion: networking,
    kind: 'DestinationRule',
    metadata: { name: '{host}', namespace: 'shop' },
    spec: { host: self, ...policy, subsets: [subset('v1'), subset('v2')] },
  };
}

const drawCookiePath = (draw: Draw): Json => (draw.chance(0.5) ? { path: '/' } : {});
