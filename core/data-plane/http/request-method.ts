/** Methods, told apart by their bytes. */
import type { RequestHead } from './codec.ts';

const idempotent = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'].map((name) => Buffer.from(name));
const connect = Buffer.from('CONNECT');
const head = Buffer.from('HEAD');

/** RFC 9110 section 9.2.2: sent twice, it does the same as sent once. */
export function isIdempotent(request: RequestHead & { readonly bytes: Buffer }): boolean {
  for (const method of idempotent) if (isMethod(request.bytes, request, method)) return true;
  return false;
}

export function isConnect(bytes: Buffer, request: RequestHead): boolean {
  return isMethod(bytes, request, connect);
}

export function isHead(bytes: Buffer, request: RequestHead): boolean {
  return isMethod(bytes, request, head);
}

function isMethod(bytes: Buffer, { start, methodEnd }: RequestHead, method: Buffer): boolean {
  if (methodEnd - start !== method.length) return false;
  for (let index = 0; index < method.length; index += 1) if (bytes[start + index] !== method[index]) return false;
  return true;
}
