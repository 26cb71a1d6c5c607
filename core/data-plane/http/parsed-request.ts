import { normalizePath } from '../../policy/normalize-path.ts';
import type { RequestView } from '../../policy/request-view.ts';
import type { KeptHead } from './kept-head.ts';
import { equalsIgnoringCase, toOctets } from './octets.ts';
import { parseAuthority, parseTarget, splitQuery } from './request-target.ts';

/** How a request was addressed, after the target's form has been taken apart. */
export interface ParsedRequest extends RequestView {
  /** Host as sent (absolute-form: of the target), with port; '' when there is none. */
  readonly authority: string;
  /** Port that `authority` names; `null` when it names none. */
  readonly authorityPort: number | null;
  /** Origin-form to write when it is not the one that was sent: of an absolute-form, or of a path that was not normal. */
  readonly rewrittenTarget: string | null;
  /** `absolute`: the Host header must become `authority`. */
  readonly form: 'origin' | 'asterisk' | 'absolute';
}

export interface RequestRefusal {
  readonly status: number;
  readonly reason: string;
}

const slash = 47;
const connect = Buffer.from('CONNECT');
const invalidTarget: RequestRefusal = { status: 400, reason: 'an invalid request target' };
const invalidHost: RequestRefusal = { status: 400, reason: 'an invalid host or port' };
const noConnect: RequestRefusal = { status: 405, reason: 'CONNECT is not supported' };

/**
 * A kept head as something that can be routed. Reused from request to request; strings are made when somebody asks. A host
 * that is, byte for byte, that of the request before is not read again.
 */
export class RequestReader implements ParsedRequest {
  scheme: 'http' | 'https' = 'http';
  port = 0;
  host = '';
  authority = '';
  authorityPort: number | null = null;
  rewrittenTarget: string | null = null;
  form: ParsedRequest['form'] = 'origin';
  /** The host is the one of the request before. */
  sameHost = false;
  readonly #head: KeptHead;
  #method: string | null = null;
  #target: string | null = null;
  #split: { readonly path: string; readonly query: string } | null = null;
  #hostBytes: Buffer | null = null;

  constructor(head: KeptHead) {
    this.#head = head;
  }

  get method(): string {
    this.#method ??= this.#head.bytes.toString('latin1', 0, this.#head.methodEnd);
    return this.#method;
  }

  /** As sent, for the record. */
  get target(): string {
    this.#target ??= this.#head.bytes.toString('latin1', this.#head.targetStart, this.#head.targetEnd);
    return this.#target;
  }

  get path(): string {
    this.#split ??= splitQuery(this.target);
    return this.#split.path;
  }

  get query(): string {
    this.#split ??= splitQuery(this.target);
    return this.#split.query;
  }

  get emptyQuery(): boolean {
    return this.query === '' && this.target.endsWith('?');
  }

  /** Reads the head that is kept now. `port` is what the connection says; the authority's own is in `authorityPort`. */
  read(port: number): RequestRefusal | null {
    const { bytes, targetStart, methodEnd, hostIndex } = this.#head;
    this.port = port;
    this.#method = null;
    this.#target = null;
    this.#split = null;
    this.rewrittenTarget = null;
    if (methodEnd === connect.length && connect.equals(bytes.subarray(0, methodEnd))) return noConnect;
    if (bytes[targetStart] !== slash) return this.#readOddTarget();
    this.sameHost = this.form === 'origin' && this.#isSameHost(hostIndex);
    this.form = 'origin';
    if (needsNormalizing(bytes, targetStart, this.#head.targetEnd) && !this.#normalize(splitQuery(this.target))) {
      return invalidTarget;
    }
    if (this.sameHost) return null;
    return this.#readAuthority(hostIndex < 0 ? '' : this.#valueOf(hostIndex), hostIndex);
  }

  /** Value of a header by lower-case name; several are joined with `, `. */
  header(name: string): string | undefined {
    const { bytes, count, nameStart, nameEnd } = this.#head;
    const word = toWord(name);
    let found: string | undefined;
    for (let index = 0; index < count; index += 1) {
      const start = nameStart[index] ?? 0;
      if ((nameEnd[index] ?? 0) - start !== word.length || !equalsIgnoringCase(bytes, start, word)) continue;
      const value = this.#valueOf(index);
      found = found === undefined ? value : `${found}, ${value}`;
    }
    return found;
  }

  /** Whether a value of a header passes, each line on its own. */
  someHeader(name: string, test: (value: string) => boolean): boolean {
    const { bytes, count, nameStart, nameEnd } = this.#head;
    const word = toWord(name);
    for (let index = 0; index < count; index += 1) {
      const start = nameStart[index] ?? 0;
      const isMeant = (nameEnd[index] ?? 0) - start === word.length && equalsIgnoringCase(bytes, start, word);
      if (isMeant && test(this.#valueOf(index))) return true;
    }
    return false;
  }

  /** The first value of a header by lower-case name. */
  firstValue(name: string): string | undefined {
    const { bytes, count, nameStart, nameEnd } = this.#head;
    const word = toWord(name);
    for (let index = 0; index < count; index += 1) {
      const start = nameStart[index] ?? 0;
      const isMeant = (nameEnd[index] ?? 0) - start === word.length && equalsIgnoringCase(bytes, start, word);
      if (isMeant) return this.#valueOf(index);
    }
    return undefined;
  }

  #isSameHost(index: number): boolean {
    const known = this.#hostBytes;
    if (known === null || index < 0) return false;
    const { bytes, valueStart, valueEnd } = this.#head;
    const start = valueStart[index] ?? 0;
    if ((valueEnd[index] ?? 0) - start !== known.length) return false;
    for (let at = 0; at < known.length; at += 1) if (bytes[start + at] !== known[at]) return false;
    return true;
  }

  #readOddTarget(): RequestRefusal | null {
    this.sameHost = false;
    this.#hostBytes = null;
    const parsed = parseTarget(this.target, this.method);
    if (parsed === null) return invalidTarget;
    this.form = parsed.form;
    if (parsed.form === 'asterisk') this.#split = { path: '*', query: '' };
    else this.#split = parsed;
    this.rewrittenTarget = parsed.form === 'absolute' ? parsed.target : null;
    if (parsed.form === 'absolute' && !this.#normalize(parsed)) return invalidTarget;
    if (parsed.form !== 'absolute') {
      const { hostIndex } = this.#head;
      return this.#readAuthority(hostIndex < 0 ? '' : this.#valueOf(hostIndex), -1);
    }
    return this.#readAuthority(parsed.authority, -1);
  }

  /** False: the path is one that nobody should have to understand. */
  #normalize({ path, query }: { readonly path: string; readonly query: string }): boolean {
    const normal = normalizePath(path);
    if (normal === null) return false;
    if (normal === path) return true;
    this.#split = { path: normal, query };
    this.rewrittenTarget = query === '' && !this.target.endsWith('?') ? normal : `${normal}?${query}`;
    return true;
  }

  #readAuthority(authority: string, hostIndex: number): RequestRefusal | null {
    const asked = parseAuthority(authority);
    this.#hostBytes = null;
    if (asked === null) return invalidHost;
    this.authority = authority;
    this.host = asked.host;
    this.authorityPort = asked.port;
    if (hostIndex >= 0) this.#hostBytes = Buffer.from(authority, 'latin1');
    return null;
  }

  #valueOf(index: number): string {
    const { bytes, valueStart, valueEnd } = this.#head;
    return bytes.toString('latin1', valueStart[index], valueEnd[index]);
  }
}

/** A cheap look for what `normalizePath` may change: escapes, backslashes, segments that begin with a dot. */
function needsNormalizing(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const octet = bytes[at];
    if (octet === 37 || octet === 92 || (octet === 46 && bytes[at - 1] === slash)) return true;
    if (octet === 63) return false;
  }
  return false;
}

/** Header names come from configurations: few, and asked for again with every request. */
const words = new Map<string, Uint8Array>();
const maxWords = 1_024;

function toWord(name: string): Uint8Array {
  const known = words.get(name);
  if (known !== undefined) return known;
  if (words.size >= maxWords) words.clear();
  const word = toOctets(name);
  words.set(name, word);
  return word;
}
