import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { MeshError } from '../../contract/errors.ts';
import type { ExportResult } from '../../contract/shapes.ts';

/**
 * Lists what an export wrote, so that the next one into the same folder can replace it and nothing else, and so that a
 * project that contains the folder does not take the export for configuration of its own.
 */
const manifestName = '.meshdesk-export.json';

async function readManifest(dir: string): Promise<string[] | null> {
  const text = await readFile(join(dir, manifestName), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    const files = typeof value === 'object' && value !== null && 'files' in value ? value.files : null;
    return Array.isArray(files) ? files.filter((file) => typeof file === 'string') : null;
  } catch {
    return null;
  }
}

/** `file` below `dir`; an exporter's or a manifest's path must not lead out of it. */
function inside(dir: string, file: string): string {
  const path = resolve(dir, file);
  if (relative(dir, path).split(sep)[0] === '..') throw new Error(`${file} is outside of ${dir}`);
  return path;
}

/**
 * Writes exports into a folder that is missing, empty, or an earlier export (whose files it replaces). One target: its
 * files are right in the folder; several: one subfolder each. Rejects with EXPORT_FAILED.
 */
export async function writeExport(outDir: string, results: readonly ExportResult[]): Promise<ExportResult[]> {
  try {
    const before = await readManifest(outDir);
    const present = await readdir(outDir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    if (before === null && present.length > 0)
      throw new MeshError('EXPORT_FAILED', `${outDir} has files that are not an earlier export.`);
    for (const file of before ?? []) await rm(inside(outDir, file), { force: true });
    const folderOf = (result: ExportResult) => (results.length === 1 ? '' : result.target);
    const files = results.flatMap((result) =>
      result.files.map(({ path, content }) => ({ name: join(folderOf(result), path), content })),
    );
    const manifest = { formatVersion: 1, files: files.map(({ name }) => name) };
    await mkdir(outDir, { recursive: true });
    // First of all: whoever watches the folder knows from the first file on that it is an export.
    await writeFile(join(outDir, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
    for (const { name, content } of files) {
      await mkdir(dirname(inside(outDir, name)), { recursive: true });
      await writeFile(inside(outDir, name), content);
    }
    return results.map((result) => ({ ...result, outDir: join(outDir, folderOf(result)) }));
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw new MeshError('EXPORT_FAILED', `Cannot write to ${outDir}: ${(error as Error).message}`, { cause: error });
  }
}
