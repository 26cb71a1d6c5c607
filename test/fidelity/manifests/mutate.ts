import type { Draw, Json } from '../generate/draw.ts';

type Path = readonly (string | number)[];
type Tree = Record<string, unknown> | unknown[];

/** A manifest with a mistake or two, and what was done to it. */
export interface Mutant {
  readonly manifest: Json;
  readonly mutation: string;
}

/** Values that some field may be wrong with: of another type, out of its range, nearly of its form. */
const strange: readonly unknown[] = [
  ...['', ' ', 'x', 'UPPER', 'a_b', 'a b', '*', '*.example.com', 'a.*', '-a', 'a..b', '/', 'a/b', './*', '~/*', '*/*'],
  ...[
    '0',
    '1',
    '-1',
    '80',
    '1s',
    '0s',
    '-1s',
    '0.5ms',
    '1.5h',
    '1d',
    '100',
    '101%',
    '10%',
    '[',
    '(a',
    'a{2,1}',
    '(?=a)',
    '%',
  ],
  ...[
    '1.2.3.4',
    '1.2.3.0/24',
    '1.2.3.4/33',
    '::1',
    'unix:///a',
    'http://a',
    'HTTP',
    'TCP',
    'SIMPLE',
    'ROUND_ROBIN',
    'mesh',
  ],
  ...['nul\u0000', 'ü', 'a'.repeat(300)],
  ...[
    0, 1, -1, 2, 0.5, 1.5, 99, 100, 101, 199, 200, 301, 599, 600, 1_023, 65_535, 65_536, 2_147_483_648, 4_294_967_296,
    1e20,
  ],
  ...[true, false, [], {}, [''], [{}], [1], { x: 'y' }, { '': '' }],
];

/** One or two drawn changes somewhere below `spec`. */
export function mutate(draw: Draw, manifest: Json): Mutant {
  const copy = structuredClone(manifest) as Record<string, unknown>;
  const done: string[] = [];
  for (let left = draw.chance(0.85) ? 1 : 2; left > 0; left -= 1) {
    const paths = pathsOf(copy.spec ?? {}, ['spec']);
    if (paths.length > 0) done.push(change(draw, copy, draw.of(paths)));
  }
  return { manifest: copy, mutation: done.join('; ') };
}

function change(draw: Draw, root: Tree, path: Path): string {
  const parent = valueAt(root, path.slice(0, -1)) as Tree;
  const key = path.at(-1) ?? '';
  const at = path.join('.');
  const set = (value: unknown) => {
    (parent as Record<string | number, unknown>)[key] = value;
    return value;
  };
  const before = (parent as Record<string | number, unknown>)[key];
  return draw.weighted<string>([
    [6, () => `${at} = ${JSON.stringify(set(draw.of(strange)))}`],
    [3, () => `without ${at}${remove(parent, key)}`],
    [2, () => `${at} = ${JSON.stringify(set(nearlySame(draw, before)))}`],
    [1, () => `${at} renamed${rename(draw, parent, key)}`],
    [1, () => `${at} twice${repeat(parent, key)}`],
    [1, () => `unknown field in ${at}${addUnknown(before)}`],
  ]);
}

function nearlySame(draw: Draw, value: unknown): unknown {
  if (typeof value === 'number') return draw.of([value + 1, -value, value * 1_000, String(value), value + 0.5]);
  if (typeof value === 'boolean') return draw.of([!value, String(value), 1]);
  if (typeof value === 'string') {
    return draw.of([
      value.toLowerCase(),
      value.toUpperCase(),
      `${value}x`,
      ` ${value}`,
      value.slice(1),
      [value],
      Number(value) || 7,
    ]);
  }
  if (Array.isArray(value)) return draw.of<unknown>([value[0] ?? '', [...value, ...value], [], { 0: value[0] ?? '' }]);
  return draw.of<unknown>([[value], {}, 'text']);
}

function remove(parent: Tree, key: string | number): string {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return '';
}

function rename(draw: Draw, parent: Tree, key: string | number): string {
  if (Array.isArray(parent) || typeof key === 'number') return ': no';
  const snake = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const name = draw.of([snake, `${key}s`, key.slice(0, -1), key.charAt(0).toUpperCase() + key.slice(1)]);
  parent[name] = parent[key];
  if (name !== key) delete parent[key];
  return ` to ${name}`;
}

function repeat(parent: Tree, key: string | number): string {
  if (!Array.isArray(parent)) return ': no';
  parent.push(structuredClone(parent[Number(key)]));
  return '';
}

function addUnknown(value: unknown): string {
  if (typeof value !== 'object' || value === null) return ': no';
  if (Array.isArray(value)) value.push('surplus');
  else (value as Record<string, unknown>).surplus = 1;
  return '';
}

function pathsOf(value: unknown, path: Path): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const own = [...path, Array.isArray(value) ? Number(key) : key];
    return [own, ...pathsOf(item, own)];
  });
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], root);
}
