import type { HttpMatch } from '../model/sidecar-config.ts';
import type { RequestView } from './request-view.ts';

/** Positions of blocks, ascending. */
type Positions = readonly number[];

const none: Positions = [];

/**
 * Finds the blocks that a request may meet without trying them all: each block is filed under the one condition that
 * narrows it most (exact path, exact header, path prefix), or among the rest. A request's candidates are a few lists, each
 * in the order of the rules. Candidates are still to be tested: the index looks at one condition only.
 * @param blocks in the order of the rules; `null`: no conditions
 */
export function createRouteIndex(
  blocks: readonly (HttpMatch | null)[],
): (request: RequestView) => readonly Positions[] {
  const exact = new Map<string, number[]>();
  const prefixes = new Map<string, number[]>();
  const headers = new Map<string, Map<string, number[]>>();
  const rest: number[] = [];
  for (const [position, block] of blocks.entries()) {
    const { uri } = block ?? {};
    const header = exactHeader(block);
    if (uri !== undefined && 'exact' in uri && block?.ignoreUriCase !== true) file(exact, uri.exact, position);
    else if (header !== null) {
      const values = headers.get(header.name) ?? new Map<string, number[]>();
      headers.set(header.name, values);
      file(values, header.value, position);
    } else if (uri !== undefined && 'prefix' in uri && uri.prefix.length > 1 && block?.ignoreUriCase !== true) {
      file(prefixes, uri.prefix, position);
    } else rest.push(position);
  }
  const lengths = [...new Set([...prefixes.keys()].map((prefix) => prefix.length))].sort((a, b) => a - b);
  return (request) => {
    const found: Positions[] = [];
    const { path } = request;
    add(found, exact.get(path));
    for (const [name, values] of headers) {
      const value = request.header(name);
      if (value === undefined) continue;
      add(found, values.get(value));
      // Several lines, each of which counts on its own.
      if (value.includes(', ')) for (const part of new Set(value.split(', '))) add(found, values.get(part));
    }
    for (const length of lengths) {
      if (length > path.length) break;
      add(found, prefixes.get(path.slice(0, length)));
    }
    add(found, rest);
    return found;
  };
}

function exactHeader(block: HttpMatch | null): { readonly name: string; readonly value: string } | null {
  for (const [name, match] of Object.entries(block?.headers ?? {})) {
    if ('exact' in match && !name.startsWith(':')) return { name: name.toLowerCase(), value: match.exact };
  }
  return null;
}

function file(map: Map<string, number[]>, key: string, position: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [position]);
  else list.push(position);
}

function add(found: Positions[], list: Positions = none): void {
  if (list.length > 0) found.push(list);
}
