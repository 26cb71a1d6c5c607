import type { Finding } from '../../model/finding.ts';
import type { LocatedResource } from './locate-resources.ts';

export interface PlacedText {
  readonly path: string;
  readonly text: string;
  readonly resources: readonly LocatedResource[];
}

/**
 * Gives findings about the mesh as a whole the file, line and column of the resource that they begin with
 * (`VirtualService shop/payments: ...`): where one of the words that they quote stands in it, else its name.
 */
export function placeFindings(findings: readonly Finding[], files: readonly PlacedText[]): Finding[] {
  return findings.map((finding) => {
    if (finding.file !== null) return finding;
    const [, kind, namespace, name] = /^(\w+) ([^\s/]+)\/([^\s:]+)/.exec(finding.message) ?? [];
    for (const { path, text, resources } of files) {
      const found = resources.find((one) => one.kind === kind && one.namespace === namespace && one.name === name);
      if (found !== undefined) return { ...finding, file: path, ...placeOf(finding.message, text, found) };
    }
    return finding;
  });
}

/** The last word that is quoted is the narrowest: `"payments" has no subset "v9"`. */
function placeOf(message: string, text: string, resource: LocatedResource): { line: number; column: number } {
  const lines = text.split('\n');
  const quoted = [...message.matchAll(/"([^"\s]+)"/g)].flatMap(([, word]) => word ?? []).toReversed();
  for (const word of quoted) {
    const whole = new RegExp(`(?<![\\w.-])${word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w.-])`);
    for (let line = resource.line; line < resource.endLine; line += 1) {
      const at = lines[line]?.search(whole) ?? -1;
      if (at >= 0) return { line: line + 1, column: at + 1 };
    }
  }
  return { line: resource.line, column: resource.column };
}
