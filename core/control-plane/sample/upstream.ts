/**
 * How a service of the sample shop calls another one: through its sidecar's listener while that answers, straight to the
 * other service while it does not. So the mesh can come and go under load without a failed request. It is what any
 * careful HTTP client does: keep-alive, and one more try when a reused connection turns out to be closed.
 */
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { connect } from 'node:net';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface UpstreamAddress {
  readonly name: string;
  /** The sidecar's outbound listener for the service; refuses connections while there is no sidecar. */
  readonly mesh: Target;
  readonly direct: Target;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

const probeEveryMs = 200;
/** A sidecar that asks us to close is going; it is not looked for again before it refused, or for this long. */
const leaveForMs = 15_000;
const requestTimeoutMs = 15_000;

/** Knows which of the two ways to a service is open. */
export class Way {
  readonly address: UpstreamAddress;
  #meshed = false;
  #leftUntil = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(address: UpstreamAddress) {
    this.address = address;
    this.#timer = setInterval(() => this.#probe(), probeEveryMs);
    this.#timer.unref();
    this.#probe();
  }

  get target(): Target {
    return this.#meshed ? this.address.mesh : this.address.direct;
  }

  get meshed(): boolean {
    return this.#meshed;
  }

  /** The sidecar's listener refused: it is gone, or not there yet. */
  refused(): void {
    this.#meshed = false;
    this.#leftUntil = 0;
  }

  /** The sidecar asked to close the connection: it drains. */
  leave(): void {
    if (!this.#meshed) return;
    this.#meshed = false;
    this.#leftUntil = performance.now() + leaveForMs;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #probe(): void {
    if (this.#meshed) return;
    const socket = connect(this.address.mesh);
    socket.once('connect', () => {
      if (performance.now() > this.#leftUntil) this.#meshed = true;
      socket.destroy();
    });
    socket.once('error', () => {
      this.refused();
      socket.destroy();
    });
  }
}

/** True for failures where the request was certainly not worked on: nobody was there, or a reused connection was closed. */
function maySendAgain(error: NodeJS.ErrnoException, reused: boolean): boolean {
  return error.code === 'ECONNREFUSED' || (reused && (error.code === 'ECONNRESET' || error.code === 'EPIPE'));
}

export class HttpUpstream {
  readonly #way: Way;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });

  constructor(address: UpstreamAddress) {
    this.#way = new Way(address);
  }

  /** One request. Rejects with the network's error, or after 15 s without an answer. */
  async call(method: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      const { meshed } = this.#way;
      try {
        return await this.#once(method, path, headers);
      } catch (thrown) {
        const { error, reused } = thrown as { error: NodeJS.ErrnoException; reused: boolean };
        if (meshed && error.code === 'ECONNREFUSED') this.#way.refused();
        if (attempt === 3 || !maySendAgain(error, reused)) throw error;
      }
    }
  }

  close(): void {
    this.#way.close();
    this.#agent.destroy();
  }

  #once(method: string, path: string, headers: Record<string, string>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { meshed, target } = this.#way;
      const { host, port } = target;
      const request = httpRequest({
        agent: this.#agent,
        host,
        port,
        method,
        path,
        headers: { ...headers, host: this.#way.address.name, 'content-length': '0' },
        timeout: requestTimeoutMs,
      });
      const fail = (error: Error) => reject({ error, reused: request.reusedSocket });
      request.once('error', fail);
      request.once('timeout', () => request.destroy(new Error(`${this.#way.address.name} gave no answer in 15 s`)));
      request.once('response', (response) => {
        if (meshed && response.headers.connection === 'close') this.#way.leave();
        readAll(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), fail);
      });
      request.end();
    });
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  return text;
}
