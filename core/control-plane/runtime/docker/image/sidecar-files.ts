/** The files of ours that go into the sidecar image: the built program, its scripts, and the FFI library it loads. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { MeshError } from '../../../../contract/errors.ts';

export interface ImageFile {
  /** Relative to /meshdesk. */
  readonly name: string;
  readonly source: string;
  readonly executable: boolean;
}

const needed = ['sidecar.mjs', 'guard.sh', 'bridge.sh', 'bridge.mjs', 'rules.sh', 'hold.mjs', 'relay.mjs'];
const ffiVendorFile = /\.(c|h|hh|cc|inc|S|md|txt)$/;

function* walk(dir: string, prefix: string): Generator<ImageFile> {
  for (const entry of readdirSync(dir, { withFileTypes: true }).sort((a, b) => a.name.localeCompare(b.name))) {
    const source = join(dir, entry.name);
    const name = `${prefix}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!['doc', 'vendor', 'node_modules'].includes(entry.name)) yield* walk(source, name);
    } else if (!ffiVendorFile.test(entry.name)) {
      yield { name, source, executable: false };
    }
  }
}

/** The FFI library: its JavaScript and every Linux binary of it that is installed here. Next to the program or in node_modules. */
function ffiFiles(distDir: string): ImageFile[] {
  const require = createRequire(join(distDir, 'sidecar', 'sidecar.mjs'));
  const library = dirname(require.resolve('koffi'));
  const files = [...walk(library, 'node_modules/koffi')];
  const platforms = join(dirname(library), '@koromix');
  for (const name of existsSync(platforms) ? readdirSync(platforms) : []) {
    if (name.startsWith('koffi-linux-')) files.push(...walk(join(platforms, name), `node_modules/@koromix/${name}`));
  }
  return files;
}

/** Throws IMAGE_BUILD_FAILED when the sidecar has not been built. */
export function collectSidecarFiles(distDir: string): ImageFile[] {
  const dir = join(distDir, 'sidecar');
  const missing = needed.filter((name) => !existsSync(join(dir, name)));
  if (missing.length > 0) {
    throw new MeshError(
      'IMAGE_BUILD_FAILED',
      `The built sidecar lacks ${missing.join(', ')} in ${dir}; run \`npm run build\`.`,
    );
  }
  const own = needed.map((name) => ({ name, source: join(dir, name), executable: name.endsWith('.sh') }));
  return [...own, ...ffiFiles(distDir)];
}

/** What identifies a file's content without reading large ones. */
export function fingerprint(source: string): string {
  const { size, mtimeMs } = statSync(source);
  return size > 4 * 1024 * 1024 ? `${source}:${size}:${mtimeMs}` : readFileSync(source, 'base64');
}
