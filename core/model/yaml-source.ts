/** A YAML document with its file, and where in it things stand. */
import { type Document, isMap, isNode, isPair, isScalar, type LineCounter, visit } from 'yaml';
import type { Finding } from './finding.ts';

export interface YamlSource {
  readonly file: string | null;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

type Place = Pick<Finding, 'file' | 'line' | 'column'>;
type Path = readonly PropertyKey[];

/** Where a path stands in its file; the nearest parent that is there when the path itself is not. */
export function placeOf(source: YamlSource, path: Path): Place {
  for (let length = path.length; length > 0; length -= 1) {
    const offset = offsetOf(source.document, path.slice(0, length));
    if (offset !== null) return positionOf(source, offset);
  }
  return positionOf(source, source.document.contents?.range?.[0] ?? source.document.range[0]);
}

export function positionOf(source: YamlSource, offset: number): Place {
  const { line, col } = source.lines.linePos(offset);
  return { file: source.file, line: Math.max(1, line), column: Math.max(1, col) };
}

/** Of a mapping's entry the key, of a list's item the item. */
function offsetOf(document: Document.Parsed, path: Path): number | null {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find(
      (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(last),
    );
    if (pair !== undefined && isNode(pair.key)) return pair.key.range?.[0] ?? null;
    return null;
  }
  const node = document.getIn(path, true);
  return isNode(node) ? (node.range?.[0] ?? null) : null;
}

/** Written small, large, or with a capital; `oN` is text to YAML 1.1 too. */
const word11 = /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$|^[-+]?\d[\d_]*(?:\.[\d_]*)?$/;

/**
 * Plain words that YAML 1.1, and so Kubernetes, reads as true or false (`on`) or as a number (`1_0`) while YAML 1.2 does
 * not; with their offsets.
 */
export function yaml11Words(document: Document.Parsed): readonly { readonly text: string; readonly offset: number }[] {
  const found: { text: string; offset: number }[] = [];
  visit(document, {
    Scalar: (key, node) => {
      if (key === 'key' || node.type !== 'PLAIN' || typeof node.value !== 'string') return;
      if (word11.test(node.value)) found.push({ text: node.value, offset: node.range?.[0] ?? 0 });
    },
  });
  return found;
}
