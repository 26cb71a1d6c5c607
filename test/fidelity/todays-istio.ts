import { parseAllDocuments, stringify } from 'yaml';

/** Istio's default of today: 503 is not among them any more. */
const retryOn = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes';

type Matcher = Readonly<Record<'exact' | 'prefix' | 'regex', string | undefined>>;

interface Block {
  readonly withoutHeaders?: Readonly<Record<string, Partial<Matcher>>>;
}

interface Rule {
  readonly match?: readonly Block[];
  readonly route?: unknown;
  readonly retries?: { readonly attempts?: number; readonly retryOn?: string };
}

interface Resource {
  readonly kind?: string;
  readonly spec?: { readonly http?: readonly Rule[] };
}

/**
 * Resources by which the arbiter of 2024 does what Istio of today does with those given:
 * - rules that say nothing about it get today's default of retries;
 * - `withoutHeaders` that asks about a value holds, too, where the header is absent, unless the value may be empty.
 */
export function asToday(yaml: string): string {
  const resources = parseAllDocuments(yaml).map((document) => document.toJS() as Resource | null);
  return resources
    .filter((resource) => resource !== null)
    .map((resource) => `---\n${stringify(toOlder(resource), { lineWidth: 0, version: '1.1' })}`)
    .join('');
}

function toOlder(resource: Resource): Resource {
  const { kind, spec } = resource;
  if (kind !== 'VirtualService' || spec?.http === undefined) return resource;
  return { ...resource, spec: { ...spec, http: spec.http.map((rule) => withBlocks(withRetries(rule))) } };
}

function withRetries(rule: Rule): Rule {
  const { route, retries } = rule;
  if (route === undefined) return rule;
  if (retries === undefined) return { ...rule, retries: { attempts: 2, retryOn } };
  const { attempts = 0, retryOn: own = '' } = retries;
  return attempts > 0 && own === '' ? { ...rule, retries: { ...retries, retryOn } } : rule;
}

function withBlocks(rule: Rule): Rule {
  return rule.match === undefined ? rule : { ...rule, match: rule.match.flatMap(ofBlock) };
}

/** A block for each way in which the headers may be absent. */
function ofBlock(block: Block): readonly Block[] {
  let blocks: readonly Block[] = [block];
  for (const [name, matcher] of Object.entries(block.withoutHeaders ?? {})) {
    if (takesNothing(matcher)) continue;
    blocks = blocks.flatMap((one) => [one, { ...one, withoutHeaders: { ...one.withoutHeaders, [name]: {} } }]);
  }
  return blocks;
}

/** It asks for no value, or an empty one will do. */
function takesNothing({ exact, prefix, regex }: Partial<Matcher>): boolean {
  if (exact !== undefined) return exact === '';
  if (prefix !== undefined) return prefix === '';
  // Istio takes `*` for a question whether the header is there.
  return regex === undefined || regex === '*' || new RegExp(`^(?:${regex.replace(/^\(\?i\)/, '')})$`).test('');
}
