/**
 * What a page may not do, whatever it contains: load something from a network, go elsewhere, open windows, embed a
 * webview, or get a permission (writing to the clipboard excepted: "copy" buttons need it).
 */
import type { Session, WebContents } from 'electron';
import { isAppUrl } from './app-scheme.ts';

const localProtocols = new Set(['data:', 'blob:', 'devtools:', 'chrome-extension:']);

/** True for what stays on this machine: the page's own files, inline data, the developer tools. */
export function isLocalRequest(url: string): boolean {
  return isAppUrl(url) || (URL.canParse(url) && localProtocols.has(new URL(url).protocol));
}

const isAllowedPermission = (permission: string, requester: string) =>
  permission === 'clipboard-sanitized-write' && isAppUrl(requester);

export function guardSession(session: Session): void {
  session.webRequest.onBeforeRequest((details, callback) => callback({ cancel: !isLocalRequest(details.url) }));
  session.setPermissionRequestHandler((contents, permission, callback) =>
    callback(isAllowedPermission(permission, contents.getURL())),
  );
  session.setPermissionCheckHandler((_contents, permission, origin) => isAllowedPermission(permission, origin));
  session.setDevicePermissionHandler(() => false);
  session.on('will-download', (event, item) => {
    if (!isLocalRequest(item.getURL())) event.preventDefault();
  });
}

export function guardContents(contents: WebContents): void {
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  contents.on('will-navigate', (event) => {
    if (!isAppUrl(event.url)) event.preventDefault();
  });
  contents.on('will-redirect', (event) => {
    if (!isAppUrl(event.url)) event.preventDefault();
  });
  contents.on('will-attach-webview', (event) => event.preventDefault());
}
