/** Paths as a tree of folders. Pure. */
export interface TreeFolder<T> {
  readonly name: string;
  /** Of the folder itself; '' at the top. */
  readonly path: string;
  readonly folders: readonly TreeFolder<T>[];
  readonly files: readonly { readonly name: string; readonly file: T }[];
}

/** Folders before files, each by name. */
export function buildTree<T extends { readonly path: string }>(files: readonly T[], path = ''): TreeFolder<T> {
  const prefix = path === '' ? '' : `${path}/`;
  const inside = files.filter((file) => file.path.startsWith(prefix));
  const restOf = (file: T) => file.path.slice(prefix.length).split('/');
  const folders = [...new Set(inside.filter((file) => restOf(file).length > 1).map((file) => restOf(file)[0] ?? ''))];
  const byName = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });
  return {
    name: path.split('/').at(-1) ?? '',
    path,
    folders: folders.sort(byName).map((name) => buildTree(inside, prefix + name)),
    files: inside
      .filter((file) => restOf(file).length === 1)
      .map((file) => ({ name: restOf(file)[0] ?? '', file }))
      .sort((a, b) => byName(a.name, b.name)),
  };
}

/** Why a new file cannot be called so; `null` when it can. The control plane has the last word. */
export function newPathProblem(path: string, taken: readonly string[]): string | null {
  const parts = path.split('/');
  if (path === '') return 'A file needs a name.';
  if (!/\.ya?ml$/.test(path)) return 'The name must end in .yaml or .yml.';
  if (parts.some((part) => part === '' || part.startsWith('.') || /[\\:*?"<>|]/.test(part)))
    return 'Use plain names with "/" between folders.';
  if (parts.length > 4) return 'At most three folders deep.';
  return taken.includes(path) ? 'There is such a file already.' : null;
}
