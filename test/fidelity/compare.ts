import type { Observation } from './observe.ts';

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
  const [first, other] = [sorted(istio)[0], sorted(meshdesk)[0]];
  if (first === undefined || other === undefined) return differences;
  if (!isDrawn) check('version', first.version, other.version);
  check('method', first.method, other.method);
  check('path', first.path, other.path);
  check('authority', first.authority, other.authority);
  check('request body', first.body, other.body);
  checkHeaders('request header', first.headers, other.headers, [], check);
  return differences;
}

/** Of a mirrored request, which attempt comes first is chance; the shadow comes last here. */
function sorted({ attempts }: Observation): Observation['attempts'] {
  return attempts.toSorted((a, b) => Number(a.authority.includes('-shadow')) - Number(b.authority.includes('-shadow')));
}

function checkHeaders(
  kind: string,
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
  except: readonly string[],
  check: (what: string, a: unknown, b: unknown) => void,
): void {
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (!except.includes(name)) check(`${kind} ${name}`, a[name] ?? null, b[name] ?? null);
  }
}

/** Beyond this many standard errors two shares are not the same: one false alarm in some 300,000 comparisons. */
const maxDeviation = 4.7;

/** Compares how often each outcome (status and version) came up. */
export function compareShares(istio: readonly Observation[], meshdesk: readonly Observation[]): readonly Difference[] {
  const [a, b] = [tally(istio), tally(meshdesk)];
  const differences: Difference[] = [];
  for (const outcome of new Set([...a.keys(), ...b.keys()])) {
    const [x, y] = [a.get(outcome) ?? 0, b.get(outcome) ?? 0];
    const pooled = (x + y) / (istio.length + meshdesk.length);
    const error = Math.sqrt(pooled * (1 - pooled) * (1 / istio.length + 1 / meshdesk.length));
    if (Math.abs(x / istio.length - y / meshdesk.length) > maxDeviation * error) {
      differences.push({
        what: `share of ${outcome}`,
        istio: `${x} of ${istio.length}`,
        meshdesk: `${y} of ${meshdesk.length}`,
      });
    }
  }
  return differences;
}

function tally(observations: readonly Observation[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { status, attempts, body } of observations) {
    const versions = attempts.map(({ version }) => version).join('>');
    const outcome = `${status} from ${attempts.length === 0 ? `the mesh: ${body.trim()}` : versions}`;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  return counts;
}
