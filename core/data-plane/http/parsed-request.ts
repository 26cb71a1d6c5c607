import type { RequestView } from '../../policy/request-view.ts';
import type { RequestHead } from './codec.ts';
import { parseAuthority, parseTarget } from './request-target.ts';

/** How the request was addressed, after the target's form has been taken apart. */
export interface ParsedRequest extends RequestView {
  /** Target as sent, for the record. */
  readonly target: string;
  /** Host as sent (absolute-form: of the target), with port; '' when there is none. */
  readonly authority: string;
  /** Port that `authority` names; `null` when it names none. */
  readonly authorityPort: number | null;
  /** Origin-form to write when it is not the one that was sent. */
  readonly rewrittenTarget: string | null;
  /** `absolute`: the Host header must become `authority`. */
  readonly form: 'origin' | 'asterisk' | 'absolute';
}

export type RequestReading = ParsedRequest | { readonly status: number; readonly reason: string };

/**
 * Reads a parsed head as something that can be routed. `header()` looks into the bytes and is valid only until the
 * codec parses again. `port` is what the connection says; the authority's own is in `authorityPort`.
 */
export function readRequest(bytes: Buffer, head: RequestHead, port: number): RequestReading {
  const method = bytes.toString('latin1', head.start, head.methodEnd);
  if (method === 'CONNECT') return { status: 405, reason: 'CONNECT is not supported' };
  const target = bytes.toString('latin1', head.targetStart, head.targetEnd);
  const parsed = parseTarget(target, method);
  if (parsed === null) return { status: 400, reason: 'an invalid request target' };
  const hostHeader = head.hostIndex < 0 ? '' : headerAt(bytes, head, head.hostIndex);
  const authority = parsed.form === 'absolute' ? parsed.authority : hostHeader;
  const asked = parseAuthority(authority);
  if (asked === null) return { status: 400, reason: 'an invalid host or port' };
  return {
    method,
    target,
    path: parsed.form === 'asterisk' ? '*' : parsed.path,
    query: parsed.form === 'asterisk' ? '' : parsed.query,
    host: asked.host,
    port,
    scheme: 'http',
    authority,
    authorityPort: asked.port,
    form: parsed.form,
    rewrittenTarget: parsed.form === 'absolute' ? parsed.target : null,
    header: (name) => findHeader(bytes, head, name),
  };
}

function headerAt(bytes: Buffer, head: RequestHead, index: number): string {
  return bytes.toString('latin1', head.valueStart[index], head.valueEnd[index]);
}

function findHeader(bytes: Buffer, head: RequestHead, name: string): string | undefined {
  let found: string | undefined;
  for (let index = 0; index < head.count; index += 1) {
    const start = head.nameStart[index] ?? 0;
    const end = head.nameEnd[index] ?? 0;
    if (end - start !== name.length || bytes.toString('latin1', start, end).toLowerCase() !== name) continue;
    const value = headerAt(bytes, head, index);
    found = found === undefined ? value : `${found}, ${value}`;
  }
  return found;
}
