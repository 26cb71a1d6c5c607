/** The key by which consistent hash places a request, and the cookie that is made when it has none. */
import type { HashKey } from '../model/traffic-config.ts';
import { hashText } from '../shared/hash.ts';
import type { Random } from '../shared/random.ts';
import { queryValue } from './match-conditions.ts';
import type { RequestView } from './request-view.ts';

export interface HashSource {
  readonly request: Pick<RequestView, 'header' | 'query'>;
  /** Address of the client, without port. */
  readonly clientAddress: string | null;
}

export interface RequestHash {
  /** `null`: the request has no key; any endpoint will do. */
  readonly hash: number | null;
  /** Value of a `set-cookie` header for the answer; `null`: none. */
  readonly setCookie: string | null;
}

const nothing: RequestHash = { hash: null, setCookie: null };

/** A missing cookie is made when a lifetime is given (0: a session cookie). Source: Istio ConsistentHashLB, Envoy HashPolicy. */
export function hashRequest(key: HashKey, { request, clientAddress }: HashSource, random: Random): RequestHash {
  switch (key.kind) {
    case 'header':
      return of(request.header(key.name.toLowerCase()));
    case 'query':
      return of(queryValue(request.query, key.name));
    case 'source-ip':
      return of(clientAddress ?? undefined);
    case 'cookie': {
      const value = cookieValue(request.header('cookie') ?? '', key.name);
      if (value !== null) return of(value);
      if (key.ttlSeconds === null) return nothing;
      const made = Array.from({ length: 4 }, () =>
        Math.floor(random() * 0x1_0000_0000)
          .toString(16)
          .padStart(8, '0'),
      ).join('');
      const path = key.path === '' ? '' : `; Path=${key.path}`;
      const age = key.ttlSeconds === 0 ? '' : `; Max-Age=${key.ttlSeconds}`;
      return { hash: hashText(made), setCookie: `${key.name}="${made}"${age}${path}; HttpOnly` };
    }
  }
}

function of(value: string | undefined): RequestHash {
  return value === undefined ? nothing : { hash: hashText(value), setCookie: null };
}

/** Value of a cookie, without quotes; `null`: it is not there. */
function cookieValue(header: string, name: string): string | null {
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals === -1 || part.slice(0, equals).trim() !== name) continue;
    return part
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
  }
  return null;
}
