/**
 * `meshdesk://app/`: the origin of the page. Its files come from the built UI and from nowhere else; the page may load
 * nothing from a network, and no script that is not a file of the build.
 */
import { protocol, type Session } from 'electron';
import { readStaticFile } from '../../core/control-plane/api/static-files.ts';
import { isAppUrl } from './trust.ts';

const appOrigin = 'meshdesk://app';
export const startUrl = `${appOrigin}/index.html`;

const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** Must run before Electron is ready. */
export function registerAppScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: 'meshdesk', privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);
}

/** Answers the page's requests with the files of `rendererDir`. */
export function serveAppScheme(session: Session, rendererDir: string): void {
  session.protocol.handle('meshdesk', async (request) => {
    if (request.method !== 'GET' || !isAppUrl(request.url)) return new Response('Not here.', { status: 404 });
    const file = await readStaticFile(rendererDir, new URL(request.url).pathname);
    if (file === null) return new Response('There is no such file.', { status: 404 });
    return new Response(new Uint8Array(file.body), {
      headers: {
        'content-type': file.contentType,
        'content-security-policy': contentSecurityPolicy,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      },
    });
  });
}
