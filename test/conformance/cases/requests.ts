import type { RequestCase } from './case.ts';
import { chunkedCoding, trailers } from './chunked-coding.ts';
import { connectionHeaders } from './connection-headers.ts';
import { contentLength } from './content-length.ts';
import { headerLines } from './header-lines.ts';
import { hosts } from './host.ts';
import { requestLine } from './request-line.ts';
import { oldVersions, sequences, sizeLimits } from './sequences.ts';
import { rareTargetForms, targetForms } from './target-forms.ts';
import { transferEncoding } from './transfer-encoding.ts';

/** The whole corpus by subject. */
export const requestCases: Readonly<Record<string, readonly RequestCase[]>> = {
  'request line': requestLine,
  'target forms': [...targetForms, ...rareTargetForms],
  'header lines': headerLines,
  Host: hosts,
  'Content-Length': contentLength,
  'Transfer-Encoding': transferEncoding,
  'chunked coding': chunkedCoding,
  trailers,
  'Connection, Upgrade and Expect': connectionHeaders,
  sequences,
  'HTTP/1.0': oldVersions,
  'size limits': sizeLimits,
};
