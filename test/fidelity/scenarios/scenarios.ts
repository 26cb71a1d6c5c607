import type { Scenario } from '../scenario.ts';
import { chances } from './chances.ts';
import { changes } from './changes.ts';
import { ejections } from './ejections.ts';
import { envoyDetails } from './envoy-details.ts';
import { forwarding } from './forwarding.ts';
import { limits } from './limits.ts';
import { matching } from './matching.ts';
import { resilience } from './resilience.ts';
import { upstreams } from './upstreams.ts';

/** Every hand-written scenario. */
export const scenarios: readonly Scenario[] = [
  ...matching,
  ...forwarding,
  ...envoyDetails,
  ...resilience,
  ...upstreams,
  ...chances,
  ...ejections,
  ...changes,
  ...limits,
];
