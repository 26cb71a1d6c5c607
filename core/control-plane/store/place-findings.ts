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
  if (findings.every(({ file }) => file !== null)) return [...findings];
  const places = new Map<string, { readonly file: PlacedText; readonly resource: LocatedResource }>();
  for (const file of files) {
    for (const resource of file.resources) {
      const name = `${resource.kind} ${resource.namespace}/${resource.name}`;
      if (!places.has(name)) places.set(name, { file, resource });
    }
  }
  return findings.map((finding) => {
    if (finding.file !== null) return finding;
    const [name = ''] = /^\w+ [^\s/]+\/[^\s:]+/.exec(finding.message) ?? [];
    const place = places.get(name);
    if (place === undefined) return finding;
    const { file, resource } = place;
    return { ...finding, file: file.path, ...placeOf(finding.message, file.text, resource) };
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
