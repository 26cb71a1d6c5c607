import { readFile } from 'node:fs/promises';
import { extname, join, normalize, sep } from 'node:path';

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
  '.map': 'application/json; charset=utf-8',
  '.wasm': 'application/wasm',
};

export interface StaticFile {
  readonly body: Buffer;
  readonly contentType: string;
  /** True for names with a content hash in them, which never change. */
  readonly immutable: boolean;
}

/** A file of `root` by the path of its URL; `null` when there is none, or when the path leads out of `root`. */
export async function readStaticFile(root: string, urlPath: string): Promise<StaticFile | null> {
  let decoded: string;
  try {
    decoded = decodeURIComponent(urlPath);
  } catch {
    return null;
  }
  const relative = normalize(decoded === '/' ? '/index.html' : decoded);
  const contentType = contentTypes[extname(relative)];
  if (contentType === undefined || decoded.includes('\0') || relative.split(sep).includes('..')) return null;
  const body = await readFile(join(root, relative)).catch(() => null);
  return body === null ? null : { body, contentType, immutable: relative.startsWith(`${sep}assets${sep}`) };
}
