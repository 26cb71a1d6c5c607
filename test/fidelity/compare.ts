import type { Observation } from './observe.ts';
import type { Attempt } from './upstreams.ts';

/** One way in which the two sides did not agree on a request. */
export interface Difference {
  /** `status`, `body`, `answer header x-foo`, `attempts`, `path`, `authority`, `request header x-foo`, `version`, `share of ...`. */
  readonly what: string;
  readonly istio: string;
  readonly meshdesk: string;
}

/** @param isDrawn the endpoint is drawn at random, so which version answered may differ */
export function compareAnswers(istio: Observation, meshdesk: Observation, isDrawn: boolean): readonly Difference[] {
  const differences: Difference[] = [];
  const check = (what: string, a: unknown, b: unknown) => {
    if (JSON.stringify(a) !== JSON.stringify(b)) {
      differences.push({ what, istio: JSON.stringify(a) ?? 'none', meshdesk: JSON.stringify(b) ?? 'none' });
    }
  };
  check('status', istio.status, meshdesk.status);
  const isLocal = istio.attempts.length === 0 || istio.headers['x-version'] === undefined;
  if (isLocal || !isDrawn) check('body', istio.body.trim(), meshdesk.body.trim());
  checkHeaders('answer header', istio.headers, meshdesk.headers, isDrawn ? ['x-version'] : [], check);
  check('attempts', istio.attempts.length, meshdesk.attempts.length);
  if (istio.attempts.length !== meshdesk.attempts.length) return differences;
  const others = sorted(meshdesk);
  for (const [index, attempt] of sorted(istio).entries()) {
    const other = others[index];
    if (other !== undefined) checkAttempt(attempt, other, isDrawn, check);
  }
  return differences;
}

type Check = (what: string, a: unknown, b: unknown) => void;

function checkAttempt(attempt: Attempt, other: Attempt, isDrawn: boolean, check: Check): void {
  if (!isDrawn) check('version', attempt.version, other.version);
  check('method', attempt.method, other.method);
  check('path', attempt.path, other.path);
  check('authority', attempt.authority, other.authority);
  check('request body', attempt.body, other.body);
  checkHeaders('request header', attempt.headers, other.headers, [], check);
}

/** Of a mirrored request, which attempt comes first is chance: shadows come last here, those to one version together. */
function sorted({ attempts }: Observation): Observation['attempts'] {
  const key = ({ authority, version }: Attempt) => `${authority.includes('-shadow') ? 1 : 0}${version}`;
  return attempts.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

function checkHeaders(
  kind: string,
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
  except: readonly string[],
  check: Check,
): void {
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (!except.includes(name)) check(`${kind} ${name}`, a[name] ?? null, b[name] ?? null);
  }
}

/** Beyond this many standard errors two shares are not the same: one false alarm in some 300,000 comparisons. */
const maxDeviation = 4.7;

/** How often each outcome (status, and who answered) came up. */
export type Tally = Readonly<Record<string, number>>;

export function tally(observations: readonly Observation[]): Tally {
  const counts: Record<string, number> = {};
  for (const { status, attempts, body } of observations) {
    const versions = attempts.map(({ version }) => version).join('>');
    const outcome = `${status} from ${attempts.length === 0 ? `the mesh: ${body.trim()}` : versions}`;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** Compares shares of outcomes. @param unevenness by which each share may be off besides, relative to itself; default 0 */
export function compareShares(istio: Tally, meshdesk: Tally, unevenness = 0): readonly Difference[] {
  const sum = (counts: Tally) => Object.values(counts).reduce((all, count) => all + count, 0);
  const [istioTotal, meshdeskTotal] = [sum(istio), sum(meshdesk)];
  const differences: Difference[] = [];
  for (const outcome of new Set([...Object.keys(istio), ...Object.keys(meshdesk)])) {
    const [x, y] = [istio[outcome] ?? 0, meshdesk[outcome] ?? 0];
    const pooled = (x + y) / (istioTotal + meshdeskTotal);
    const chance = pooled * (1 - pooled) * (1 / istioTotal + 1 / meshdeskTotal);
    const error = Math.sqrt(chance + 2 * (unevenness * pooled) ** 2);
    if (Math.abs(x / istioTotal - y / meshdeskTotal) > maxDeviation * error) {
      const what = `share of ${outcome}`;
      differences.push({ what, istio: `${x} of ${istioTotal}`, meshdesk: `${y} of ${meshdeskTotal}` });
    }
  }
  return differences;
}

/** Versions that answered a series. */
export function distinctVersions(observations: readonly Observation[]): number {
  return new Set(observations.map(({ attempts }) => attempts[0]?.version ?? '')).size;
}
