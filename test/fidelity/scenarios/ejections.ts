/** Outlier detection with times and shares: who is left alone, how many at once, and for how long. */
import type { Ask, Scenario } from '../scenario.ts';
import { destinationRule, to, toAll, virtualService } from './resources.ts';

const four: readonly string[] = ['v1', 'v2', 'v3', 'v4'];
const failing = (status: number): Ask => ({ order: { status } });
const reset: Ask = { order: { reset: true } };
const roundRobin = 'loadBalancer: { simple: ROUND_ROBIN }';
/** Envoy passes changes of health on once a second at most. */
const passedOnMs = 1_300;
const slow: Ask = { order: { delayMs: 4_000 } };
const later: Ask = { afterMs: passedOnMs };
const long = 'interval: 300s, baseEjectionTime: 300s';

const listed = (fields: string) => (fields === '' ? '' : `${fields}, `);

/** A subset of one endpoint, whose requests are told one after the other how to end. @param rule of the VirtualService's rule */
const counting = (name: string, fields: string, asks: readonly Ask[], rule = 'retries: { attempts: 0 }'): Scenario => ({
  name: `DestinationRule.outlierDetection.${name}`,
  yaml: `${virtualService(`- route: [${to('v1')}]\n  ${rule}`)}\n${destinationRule(
    `outlierDetection: { ${listed(fields)}${long}, maxEjectionPercent: 100 }`,
  )}`,
  asks,
});

/** Four endpoints that all fail, and then how many of them still get requests. */
const sharing = (name: string, fields: string): Scenario => ({
  name: `DestinationRule.outlierDetection.${name}`,
  yaml: `${virtualService(`- route: [${toAll}]\n  retries: { attempts: 0 }`)}\n${destinationRule(
    `${roundRobin}\noutlierDetection: { consecutive5xxErrors: 1, ${listed(fields)}${long} }`,
    [],
  )}`,
  versions: four,
  draws: true,
  asks: [
    { order: { status: 500, delayMs: 100 }, repeat: 8, atOnce: true },
    { afterMs: passedOnMs, repeat: 60, sticky: true },
  ],
});

/** One of three endpoints fails all the time. */
const lasting = (name: string, detection: string, forMs: number): Scenario => ({
  name: `DestinationRule.outlierDetection.${name}`,
  yaml: `${virtualService(`- route: [${toAll}]\n  retries: { attempts: 0 }`)}\n${destinationRule(
    `${roundRobin}\noutlierDetection: { ${detection}, maxEjectionPercent: 100 }`,
    [],
  )}`,
  versions: ['v1', 'v2', 'v3'],
  asks: [{ ...failing(503), watch: { version: 'v2', forMs } }],
});

export const ejections: readonly Scenario[] = [
  counting('consecutive5xxErrors: five by default', '', [...Array.from({ length: 5 }, () => failing(500)), later]),
  counting('consecutive5xxErrors: a good answer begins anew', 'consecutive5xxErrors: 2', [
    ...[failing(500), later, failing(500), failing(404), failing(503), later, failing(502), failing(500), later],
  ]),
  counting(
    'consecutive5xxErrors: off',
    'consecutive5xxErrors: 0',
    Array.from({ length: 8 }, () => failing(500)),
  ),
  counting(
    'consecutiveGatewayErrors: 500 is none, and begins anew',
    'consecutiveGatewayErrors: 2, consecutive5xxErrors: 0',
    [
      ...[failing(500), failing(500), failing(500), failing(502), failing(500), failing(503)],
      ...[later, failing(504), failing(503), later],
    ],
  ),
  counting('consecutiveGatewayErrors: before 5xx', 'consecutiveGatewayErrors: 2, consecutive5xxErrors: 4', [
    ...[failing(500), failing(502), failing(503), later],
  ]),
  counting('consecutiveGatewayErrors: resets are some', 'consecutiveGatewayErrors: 2, consecutive5xxErrors: 0', [
    ...[reset, failing(503), later],
  ]),
  counting('consecutive5xxErrors: resets are some', 'consecutive5xxErrors: 2', [reset, failing(500), later]),
  counting(
    'splitExternalLocalOriginErrors: resets are counted apart',
    'splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 3, consecutive5xxErrors: 2',
    [reset, failing(500), reset, later, reset, reset, reset, later],
  ),
  counting(
    'consecutive5xxErrors: timeouts are some',
    'consecutive5xxErrors: 2',
    [slow, slow, later],
    'timeout: 1s\n  retries: { attempts: 0 }',
  ),
  counting(
    'consecutiveGatewayErrors: timeouts of tries are some',
    'consecutive5xxErrors: 0, consecutiveGatewayErrors: 2',
    [slow, later],
    'retries: { attempts: 1, retryOn: 5xx, perTryTimeout: 1s }',
  ),
  counting(
    'splitExternalLocalOriginErrors: timeouts are counted apart',
    'splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 1, consecutive5xxErrors: 1',
    [slow, later],
    'timeout: 1s\n  retries: { attempts: 0 }',
  ),
  counting(
    'splitExternalLocalOriginErrors: answers are no resets',
    'splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 5, consecutive5xxErrors: 3',
    [failing(500), reset, failing(500), reset, failing(500), later],
  ),
  sharing('maxEjectionPercent: ten by default', ''),
  sharing('maxEjectionPercent: a quarter and some', 'maxEjectionPercent: 30'),
  sharing('maxEjectionPercent: half', 'maxEjectionPercent: 50'),
  sharing('maxEjectionPercent: all but one', 'maxEjectionPercent: 99'),
  sharing('maxEjectionPercent: all', 'maxEjectionPercent: 100'),
  sharing('minHealthPercent: half ejected, half must be healthy', 'maxEjectionPercent: 50, minHealthPercent: 50'),
  sharing('minHealthPercent: half ejected, more must be healthy', 'maxEjectionPercent: 50, minHealthPercent: 51'),
  sharing('minHealthPercent: all ejected', 'maxEjectionPercent: 100, minHealthPercent: 20'),
  lasting(
    'baseEjectionTime: grows with each ejection',
    'consecutive5xxErrors: 1, interval: 300ms, baseEjectionTime: 1500ms',
    10_500,
  ),
  lasting(
    'baseEjectionTime: shorter than the interval',
    'consecutive5xxErrors: 1, interval: 2500ms, baseEjectionTime: 100ms',
    9_000,
  ),
];
