/**
 * Who may talk to the HTTP server. It listens on loopback only, but every page in the user's browser and every user of
 * the machine can reach that. What keeps them out:
 *
 *   - Host must be ours, which stops DNS rebinding; Origin, when there is one, must be ours, which stops other pages;
 *   - a browser gets a session with a one-time token from the address that was printed; the session is a cookie that
 *     scripts cannot read and other sites' pages cannot send (HttpOnly, SameSite=Strict);
 *   - scripts send a bearer token that is made anew for every run;
 *   - tokens are compared in constant time, and never accepted twice where they are one-time.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const maxOpenTokens = 32;
const maxSessions = 64;
const newSecret = () => randomBytes(32).toString('base64url');
const digest = (text: string) => createHash('sha256').update(text).digest();
const isSame = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));

export type Verdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly status: 400 | 401 | 403 | 421; readonly why: string };
const allowed: Verdict = { ok: true };
const refuse = (status: 400 | 401 | 403 | 421, why: string): Verdict => ({ ok: false, status, why });

export interface Gatekeeper {
  /** For scripts: `Authorization: Bearer <token>`. */
  readonly bearerToken: string;
  /** The address of the server, with a token that opens one session. */
  newAddress(): string;
  /** Takes a one-time token; answers with the cookie that opens the session, `null` when it is wrong or was used. */
  openSession(token: string): string | null;
  /** Host and Origin; every request. */
  checkOrigin(request: IncomingMessage): Verdict;
  /** Session or bearer token; everything but the page that takes the token. */
  checkIdentity(request: IncomingMessage): Verdict;
}

/** @param port port of 127.0.0.1 that the server listens on */
export function createGatekeeper(port: number): Gatekeeper {
  const bearerToken = newSecret();
  const openTokens: string[] = [];
  const sessions: string[] = [];
  const hosts = new Set([`127.0.0.1:${port}`, `localhost:${port}`]);
  // Cookies do not know ports: two projects on one machine must not log each other out.
  const cookieName = `meshdesk-${port}`;

  function readSession(request: IncomingMessage): string | null {
    for (const pair of (request.headers.cookie ?? '').split(';')) {
      const [name, value] = pair.trim().split('=', 2);
      if (name === cookieName && value !== undefined) return value;
    }
    return null;
  }

  return {
    bearerToken,
    newAddress() {
      const token = newSecret();
      openTokens.push(token);
      if (openTokens.length > maxOpenTokens) openTokens.shift();
      return `http://127.0.0.1:${port}/?token=${token}`;
    },
    openSession(token) {
      const index = openTokens.findIndex((open) => isSame(open, token));
      if (index === -1) return null;
      openTokens.splice(index, 1);
      const session = newSecret();
      sessions.push(session);
      if (sessions.length > maxSessions) sessions.shift();
      return `${cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/`;
    },
    checkOrigin(request) {
      const { host, origin } = request.headers;
      if (host === undefined || !hosts.has(host.toLowerCase()))
        return refuse(421, `the host '${host ?? ''}' is not served here`);
      if (origin !== undefined && ![...hosts].some((own) => origin.toLowerCase() === `http://${own}`)) {
        return refuse(403, `pages of ${origin} may not call this server`);
      }
      return allowed;
    },
    checkIdentity(request) {
      const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
      if (bearer !== undefined) return isSame(bearer, bearerToken) ? allowed : refuse(401, 'the bearer token is wrong');
      const session = readSession(request);
      if (session === null || !sessions.some((open) => isSame(open, session)))
        return refuse(401, 'there is no session');
      // A cookie comes by itself, so whoever uses it to change something must prove to be our own page.
      const fromOwnPage = request.headers.origin !== undefined || request.headers['sec-fetch-site'] === 'same-origin';
      if (request.method !== 'GET' && !fromOwnPage)
        return refuse(403, 'the request does not say which page it comes from');
      return allowed;
    },
  };
}
