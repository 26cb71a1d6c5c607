import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseOrder } from './scenario.ts';

/** One attempt of a request, as an upstream saw it. */
export interface Attempt {
  readonly version: string;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  /** Lower-case names; values of repeated ones joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** When its head had come; monotonic. */
  readonly atMs?: number;
}

export const askHeader = 'x-ask';
export const orderHeader = 'x-do';

/** An upstream per version that does what `x-do` says and keeps what it saw of each request, by `x-ask`. */
export class Upstreams {
  readonly #servers = new Map<string, Server>();
  readonly #attempts = new Map<string, Attempt[]>();

  async start(versions: readonly string[]): Promise<void> {
    for (const version of versions) {
      if (this.#servers.has(version)) continue;
      const server = createServer((request, response) => void this.#serve(version, request, response));
      server.keepAliveTimeout = 60_000;
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      this.#servers.set(version, server);
    }
  }

  portOf(version: string): number {
    const address = this.#servers.get(version)?.address() as AddressInfo | null | undefined;
    if (address === null || address === undefined) throw new Error(`no upstream ${version}`);
    return address.port;
  }

  /** Attempts of a request so far. */
  count(ask: string): number {
    return this.#attempts.get(ask)?.length ?? 0;
  }

  /** What was seen of a request, and forgets it. */
  take(ask: string): readonly Attempt[] {
    const seen = this.#attempts.get(ask) ?? [];
    this.#attempts.delete(ask);
    return seen;
  }

  close(): void {
    for (const server of this.#servers.values()) {
      server.close();
      server.closeAllConnections();
    }
  }

  async #serve(version: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const atMs = performance.now();
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      // The proxy gave the request up; what had arrived is still an attempt.
      response.destroy();
    }
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(request.headers)) headers[name] = [value].flat().join(', ');
    const ask = (headers[askHeader] ?? '').split(',')[0] ?? '';
    const seen = this.#attempts.get(ask) ?? [];
    this.#attempts.set(ask, seen);
    const { method = '', url: path = '' } = request;
    const body = Buffer.concat(parts).toString();
    seen.push({ version, method, path, authority: headers.host ?? '', headers, body, atMs });
    const order = parseOrder(headers[orderHeader]);
    const isMeant = (order.times === undefined || seen.length <= order.times) && (order.only ?? version) === version;
    const answer = () => {
      if (isMeant && order.reset === true) {
        request.socket.resetAndDestroy();
        return;
      }
      const status = isMeant ? (order.status ?? 200) : 200;
      const bodiless = status === 204 || status === 304;
      response.writeHead(status, { 'x-version': version, ...(isMeant ? order.headers : {}) });
      response.end(bodiless ? undefined : version);
    };
    if (isMeant && order.delayMs !== undefined) setTimeout(answer, order.delayMs);
    else answer();
  }
}
