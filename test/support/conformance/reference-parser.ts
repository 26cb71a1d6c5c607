/**
 * A slow HTTP/1.1 parser, written from RFC 9110 and RFC 9112 on strings and regular expressions, so that it shares no idea
 * and no line with the codec it judges. It reads a whole stream at once and accepts only what no two parsers can
 * understand differently; the limits are those that codec.ts documents.
 *
 *   message   decoded: coding and chunk extensions are gone, trailers are apart
 *   ending    what follows the last complete message: nothing, the beginning of one, or something that is none
 */
import { isIP } from 'node:net';

export type Field = readonly [name: string, value: string];

export interface RequestMessage {
  readonly method: string;
  readonly target: string;
  readonly minor: number;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly trailers: readonly Field[];
}

export interface ResponseMessage {
  readonly status: number;
  readonly reason: string;
  readonly minor: number;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly trailers: readonly Field[];
}

export type Ending = 'nothing' | 'head' | 'body' | { readonly refused: string };

export interface Stream<Message> {
  readonly messages: readonly Message[];
  readonly ending: Ending;
  /** Index after the last complete message. */
  readonly end: number;
}

const limits = { head: 65_536, fields: 128, method: 32, length: 15, size: 12, extension: 1_024, trailers: 16_384 };
/** Bytes and lines that sidecars on the way may have added to a head of that size. */
const addedOnTheWay = { head: 256, fields: 2 };
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const text = /^[\t\x20-\x7e\x80-\xff]*$/;

class Refusal extends Error {}

function refuse(reason: string): never {
  throw new Refusal(reason);
}

/** Lines of a head without their CR LF, and the index after the empty line; `null`: there is no empty line yet. */
function readHead(bytes: string, from: number, most = limits.head): { lines: string[]; end: number } | null {
  const blank = bytes.indexOf('\r\n\r\n', from);
  // Everything until the first empty line has to be proper lines, or the head ends somewhere else for somebody.
  const known = blank < 0 ? bytes.slice(from) : bytes.slice(from, blank);
  if (blank < 0 && known.length >= most) refuse('too large');
  if (blank < 0) return null;
  if (blank + 4 - from > most) refuse('too large');
  return { lines: known.split('\r\n'), end: blank + 4 };
}

export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([listed]) => listed.toLowerCase() === name).map(([, value]) => value);
}

function readFields(lines: readonly string[], most = limits.fields): Field[] {
  if (lines.length > most) refuse('too many fields');
  return lines.map((line) => {
    const colon = line.indexOf(':');
    if (colon <= 0 || !token.test(line.slice(0, colon))) refuse('a field name');
    const value = line.slice(colon + 1);
    if (!text.test(value)) refuse('a field value');
    return [line.slice(0, colon), value.replace(/^[ \t]+|[ \t]+$/g, '')];
  });
}

type Framing = { kind: 'none' } | { kind: 'length'; length: number } | { kind: 'chunked' };

/** RFC 9112 section 6: at most one statement on the length, and only one that everybody reads the same way. */
function readFraming(fields: readonly Field[], minor: number): Framing {
  if (valuesOf(fields, 'upgrade').length > 1) refuse('Upgrade');
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (lengths.length + codings.length > 1) refuse('more than one length');
  const [length] = lengths;
  const [coding] = codings;
  if (length !== undefined) {
    if (!/^[0-9]+$/.test(length) || length.length > limits.length) refuse('a Content-Length');
    return { kind: 'length', length: Number.parseInt(length, 10) };
  }
  if (coding === undefined) return { kind: 'none' };
  if (minor === 0 || !/^chunked$/i.test(coding)) refuse('a Transfer-Encoding');
  return { kind: 'chunked' };
}

interface Body {
  readonly body: string;
  readonly trailers: readonly Field[];
  readonly end: number;
}

const neverTrailers = /^(transfer-encoding|content-length|host|connection|upgrade|te|trailer|expect|authorization)$/i;

function readTrailers(bytes: string, from: number): { trailers: Field[]; end: number } | null {
  const trailers: Field[] = [];
  let at = from;
  let counted = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const line = lineEnd < 0 ? bytes.slice(at) : bytes.slice(at, lineEnd);
    if (line !== '') counted += line.length + 1;
    if (counted > limits.trailers) refuse('too many trailers');
    if (lineEnd < 0) return null;
    at = lineEnd + 2;
    if (line === '') return { trailers, end: at };
    trailers.push(...readFields([line]));
    const name = trailers.at(-1)?.[0] ?? '';
    if (neverTrailers.test(name)) refuse(`${name} as a trailer`);
  }
}

function readChunked(bytes: string, from: number): Body | null {
  let at = from;
  let body = '';
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const line = /^([0-9A-Fa-f]+)(?:;(.*))?$/s.exec(bytes.slice(at, lineEnd));
    const [, size, extension = ''] = line ?? [];
    if (size === undefined || size.length > limits.size) refuse('a chunk size');
    if (!text.test(extension) || extension.length > limits.extension) refuse('a chunk extension');
    at = lineEnd + 2;
    const length = Number.parseInt(size, 16);
    if (length === 0) {
      const rest = readTrailers(bytes, at);
      return rest === null ? null : { body, ...rest };
    }
    body += bytes.slice(at, at + length);
    at += length;
    const terminator = bytes.slice(at, at + 2);
    if (!'\r\n'.startsWith(terminator)) refuse('a chunk terminator');
    if (terminator.length < 2) return null;
    at += 2;
  }
}

function readBody(bytes: string, from: number, framing: Framing): Body | null {
  if (framing.kind === 'none') return { body: '', trailers: [], end: from };
  if (framing.kind === 'chunked') return readChunked(bytes, from);
  const end = from + framing.length;
  return end > bytes.length ? null : { body: bytes.slice(from, end), trailers: [], end };
}

/** RFC 9112 section 3.2: one Host, empty or a host with an optional port. */
function checkAuthority(authority: string): void {
  const [, literal, name = '', port] =
    /^(?:\[([^[\]]*)\]|([^[\]:]*))(?::([0-9]{0,5}))?$/.exec(authority) ?? refuse('a host');
  if (literal !== undefined && literal !== '' && isIP(literal) !== 6) refuse('an address in brackets');
  if (/[/?#@\\"<>^`{|}, \t]/.test(name)) refuse('a host');
  if (port !== undefined && port !== '' && (Number(port) < 1 || Number(port) > 65_535)) refuse('a port');
}

function checkTarget(method: string, target: string): void {
  if (method === 'CONNECT') refuse('CONNECT');
  // Behind an escaped NUL a path may end for whoever unescapes it.
  if (/^[^?]*%00/.test(target)) refuse('an escaped NUL');
  if (target.startsWith('/') || (target === '*' && method === 'OPTIONS')) return;
  const [, authority] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#@\\]+)(?:[/?].*)?$/i.exec(target) ?? refuse('a target');
  checkAuthority(authority ?? '');
}

function checkRequest(method: string, target: string, minor: number, fields: readonly Field[], routed: boolean): void {
  const hosts = valuesOf(fields, 'host');
  if (hosts.length > 1 || (hosts.length === 0 && minor === 1)) refuse('Host');
  const [host = ''] = hosts;
  if (/[/?#@\\"<>^`{|}, \t]/.test(host)) refuse('a Host');
  if (routed) {
    checkTarget(method, target);
    if (target.startsWith('/') || target === '*') checkAuthority(host);
  }
  if (valuesOf(fields, 'expect').some((value) => !/^100-continue$/i.test(value))) refuse('Expect');
}

function readStream<Message>(
  bytes: string,
  read: (from: number, index: number) => { message: Message; end: number } | 'head' | 'body',
): Stream<Message> {
  const messages: Message[] = [];
  let at = 0;
  try {
    while (at < bytes.length) {
      const found = read(at, messages.length);
      if (typeof found === 'string') return { messages, ending: found, end: at };
      messages.push(found.message);
      at = found.end;
    }
    return { messages, ending: 'nothing', end: at };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { messages, ending: { refused: error.message }, end: at };
  }
}

/**
 * Empty lines before a request are skipped, as a server may (RFC 9112 section 2.2). `routed: false` asks
 * only what ends where, not whether target and Host name something. `forwarded`: sidecars are in front.
 */
export function readRequests(bytes: string, routed = true, forwarded = false): Stream<RequestMessage> {
  const added = forwarded ? addedOnTheWay : { head: 0, fields: 0 };
  return readStream(bytes, (start) => {
    let from = start;
    while (bytes.startsWith('\r\n', from)) from += 2;
    if (from >= bytes.length) return 'head';
    const head = readHead(bytes, from, limits.head + added.head);
    // What cannot become a method is none, however much may follow.
    if (!/^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}(?: |$)|\r$)/.test(bytes.slice(from, from + 33))) refuse('a method');
    if (head === null) return 'head';
    const [line = '', ...rest] = head.lines;
    const [, method = '', target = '', digit] =
      /^(\S+) ([^ ]+) HTTP\/1\.([01])$/.exec(line) ?? refuse('a request line');
    if (!token.test(method) || method.length > limits.method) refuse('a method');
    if (!text.test(target) || target.includes('\t')) refuse('a target');
    const minor = Number(digit);
    const fields = readFields(rest, limits.fields + added.fields);
    checkRequest(method, target, minor, fields, routed);
    const body = readBody(bytes, head.end, readFraming(fields, minor));
    if (body === null) return 'body';
    return { message: { method, target, minor, fields, body: body.body, trailers: body.trailers }, end: body.end };
  });
}

/** `methods[i]` is what the i-th final answer belongs to. `closed`: nothing follows, so a body without a length ends here. */
export function readResponses(bytes: string, methods: readonly string[], closed: boolean): Stream<ResponseMessage> {
  let finals = 0;
  return readStream(bytes, (from) => {
    const head = readHead(bytes, from);
    if (head === null) return 'head';
    const [line = '', ...rest] = head.lines;
    const [, digit, code, reason = ''] =
      /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: (.*))?$/s.exec(line) ?? refuse('a status line');
    if (!text.test(reason)) refuse('a reason phrase');
    const minor = Number(digit);
    const status = Number(code);
    const fields = readFields(rest);
    const framing = readFraming(fields, minor);
    const bare =
      (status < 200 ? null : methods[finals++]) === 'HEAD' || status < 200 || status === 204 || status === 304;
    const untilClose = !bare && framing.kind === 'none';
    if (untilClose && !closed) return 'body';
    const body = untilClose
      ? { body: bytes.slice(head.end), trailers: [], end: bytes.length }
      : readBody(bytes, head.end, bare ? { kind: 'none' } : framing);
    if (body === null) return 'body';
    return { message: { status, reason, minor, fields, body: body.body, trailers: body.trailers }, end: body.end };
  });
}
