/**
 * What a page may not do, whatever it contains: load something from a network, go elsewhere, open windows, embed a
 * webview, or get a permission (writing to the clipboard excepted: "copy" buttons need it).
 */
import type { Session, WebContents } from 'electron';
import { isAppUrl, isLocalRequest } from './trust.ts';

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
