/** Whom the main process trusts: pure decisions about URLs and frames, used by the scheme, the guards and the IPC. */

const localProtocols = new Set(['data:', 'blob:', 'devtools:', 'chrome-extension:']);

/** True for a URL of the page's own origin, `meshdesk://app`. */
export function isAppUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, host, username, password } = new URL(text);
  return protocol === 'meshdesk:' && host === 'app' && username === '' && password === '';
}

/** True for what stays on this machine: the page's own files, inline data, the developer tools. */
export function isLocalRequest(url: string): boolean {
  return isAppUrl(url) || (URL.canParse(url) && localProtocols.has(new URL(url).protocol));
}

/** The parts of an IPC event's frame that decide whether it may ask. */
export interface SenderFrame {
  readonly url: string;
  readonly parent: unknown;
}

/** True for the top frame of the page's own origin. */
export const isTrustedSender = (frame: SenderFrame | null): boolean =>
  frame !== null && frame.parent === null && isAppUrl(frame.url);
