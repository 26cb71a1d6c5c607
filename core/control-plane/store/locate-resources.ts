/** Where resources stand in a text, also those that are not valid: for lists, and to place what is said of them elsewhere. */
import { isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';
import { defaultNamespace } from '../../model/resource-metadata.ts';

export interface LocatedResource {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Of its name, from 1. */
  readonly line: number;
  readonly column: number;
  /** Of its last line, from 1. */
  readonly endLine: number;
}

/** In the order of the text; what has no kind or no name is left out. Never throws. */
export function locateResources(text: string): LocatedResource[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
  const found: LocatedResource[] = [];
  for (const document of Array.isArray(documents) ? documents : []) {
    const root = document.contents;
    const items = isMap(root) ? root.get('items', true) : null;
    const isList = isMap(root) && String(root.get('kind') ?? '').endsWith('List') && isSeq(items);
    for (const node of isList && isSeq(items) ? items.items : [root]) {
      const located = isNode(node) ? locate(node, lines) : null;
      if (located !== null) found.push(located);
    }
  }
  return found;
}

function locate(node: Node, lines: LineCounter): LocatedResource | null {
  if (!isMap(node)) return null;
  const kind = node.get('kind');
  const name = node.getIn(['metadata', 'name'], true);
  const namespace = node.getIn(['metadata', 'namespace']);
  if (typeof kind !== 'string' || !isScalar(name) || typeof name.value !== 'string') return null;
  const start = lines.linePos(name.range?.[0] ?? 0);
  return {
    kind,
    name: name.value,
    namespace: typeof namespace === 'string' ? namespace : defaultNamespace,
    line: Math.max(1, start.line),
    column: Math.max(1, start.col),
    endLine: lines.linePos(Math.max(0, (node.range?.[1] ?? 1) - 1)).line,
  };
}
