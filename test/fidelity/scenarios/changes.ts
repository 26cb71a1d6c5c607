/** What happens when a service gets or loses an endpoint while it is used. */
import type { Scenario } from '../scenario.ts';
import { destinationRule, toAll, virtualService } from './resources.ts';

const changing = (
  name: string,
  policy: string,
  versions: readonly string[],
  later: NonNullable<Scenario['later']>,
  asks: Scenario['asks'],
): Scenario => ({
  name: `DestinationRule.${name}`,
  yaml: `${virtualService(`- retries: { attempts: 0 }\n  route: [${toAll}]`)}\n${destinationRule(policy, [])}`,
  versions,
  draws: true,
  asks,
  later,
});
const many: Scenario['asks'] = [{ repeat: 200 }];
/** After it, an endpoint with a warm-up of 15 s is warm. */
const warmMs = 16_000;

export const changes: readonly Scenario[] = [
  changing(
    'loadBalancer: a third endpoint gets its share at once',
    'loadBalancer: { simple: ROUND_ROBIN }',
    ['v1', 'v2'],
    { versions: ['v1', 'v2', 'v3'], asks: many },
    many,
  ),
  changing(
    'loadBalancer: an endpoint that is gone gets nothing',
    'loadBalancer: { simple: RANDOM }',
    ['v1', 'v2', 'v3'],
    { versions: ['v1', 'v3'], asks: many },
    many,
  ),
  changing(
    'loadBalancer.warmupDurationSecs: a new endpoint among warm ones',
    'loadBalancer: { simple: ROUND_ROBIN, warmupDurationSecs: 15s }',
    ['v1', 'v2'],
    { versions: ['v1', 'v2', 'v3'], asks: many },
    [{ repeat: 20 }, { afterMs: warmMs, repeat: 100 }],
  ),
  changing(
    'loadBalancer.warmupDurationSecs: least request, a new endpoint among warm ones',
    'loadBalancer: { simple: LEAST_REQUEST, warmupDurationSecs: 15s }',
    ['v1', 'v2'],
    { versions: ['v1', 'v2', 'v3'], asks: many },
    [{ repeat: 20 }, { afterMs: warmMs, repeat: 100 }],
  ),
  changing(
    'loadBalancer.warmupDurationSecs: a new endpoint soon after the start',
    'loadBalancer: { simple: ROUND_ROBIN, warmupDurationSecs: 600s }',
    ['v1', 'v2'],
    { versions: ['v1', 'v2', 'v3'], asks: many },
    many,
  ),
];
