/**
 * Request targets and authorities, RFC 9112 section 3.2. Pure string work, used for what is not a plain origin-form.
 */
import { isIPv6 } from 'node:net';
import { isHost } from './octets.ts';

export interface Authority {
  /** Lower-case, without the dot at the end and without the brackets of an IPv6 literal. */
  readonly host: string;
  /** `null` when none was written. */
  readonly port: number | null;
}

export type ParsedTarget =
  | { readonly form: 'origin'; readonly path: string; readonly query: string }
  | { readonly form: 'asterisk' }
  /** `target` is the origin-form to send on, `authority` the Host that replaces the one sent. */
  | {
      readonly form: 'absolute';
      readonly scheme: string;
      readonly authority: string;
      readonly target: string;
      readonly path: string;
      readonly query: string;
    };

/** `null`: not a form that a request other than CONNECT may have. */
export function parseTarget(target: string, method: string): ParsedTarget | null {
  if (target.startsWith('/')) return { form: 'origin', ...splitQuery(target) };
  if (target === '*') return method === 'OPTIONS' ? { form: 'asterisk' } : null;
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#@\\]+)([/?].*)?$/i.exec(target);
  const [, scheme, authority, rest] = match ?? [];
  if (scheme === undefined || authority === undefined) return null;
  // It becomes the Host that is sent on, so that it has to be fit for one.
  for (let at = 0; at < authority.length; at += 1) if (isHost[authority.charCodeAt(at)] !== 1) return null;
  const origin = rest === undefined ? '/' : rest.startsWith('?') ? `/${rest}` : rest;
  const asked = rest === undefined && method === 'OPTIONS' ? '*' : origin;
  return { form: 'absolute', scheme: scheme.toLowerCase(), authority, target: asked, ...splitQuery(origin) };
}

export function splitQuery(target: string): { path: string; query: string } {
  const mark = target.indexOf('?');
  if (mark < 0) return { path: target, query: '' };
  return { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** Host and port of a Host header or authority; `null` when the port is no port, or the brackets hold no IPv6 address. */
export function parseAuthority(value: string): Authority | null {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{0,5}))?$/.exec(value);
  if (match === null) return null;
  const [, literal, name, digits] = match;
  if (literal !== undefined && !isIPv6(literal)) return null;
  const port = digits === undefined || digits === '' ? null : Number(digits);
  if (port !== null && (port < 1 || port > 65_535)) return null;
  const host = (literal ?? name ?? '').toLowerCase();
  return { host: host.endsWith('.') ? host.slice(0, -1) : host, port };
}
