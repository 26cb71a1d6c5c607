/**
 * How a service of the sample shop calls another one: through its sidecar's listener while that answers, straight to the
 * other service while it does not. So the mesh can come and go under load without a failed request. It is what any
 * careful HTTP client does: keep-alive, and one more try when a reused connection turns out to be closed.
 */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';

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

/** While it goes straight, it tries the sidecar's listener this often, with a real request: a refusal costs next to nothing. */
const tryEveryMs = 200;
/** A sidecar that asks us to close is going; it is not tried again for this long. */
const leaveForMs = 1_000;
const requestTimeoutMs = 15_000;

/** Knows which of the two ways to a service is open. */
export class Way {
  readonly address: UpstreamAddress;
  #meshed = false;
  #tryAfter = 0;

  constructor(address: UpstreamAddress) {
    this.address = address;
  }

  /** Where the next request goes. Every choice of the sidecar's listener is to be followed by `answered` or `refused`. */
  choose(): { readonly target: Target; readonly isMesh: boolean } {
    const isMesh = this.#meshed || performance.now() >= this.#tryAfter;
    if (isMesh && !this.#meshed) this.#tryAfter = performance.now() + tryEveryMs;
    return { target: isMesh ? this.address.mesh : this.address.direct, isMesh };
  }

  /** The sidecar's listener took a connection. */
  answered(): void {
    this.#meshed = true;
  }

  /** The sidecar's listener refused: it is gone, or not there yet. */
  refused(): void {
    this.#meshed = false;
    this.#tryAfter = performance.now() + tryEveryMs;
  }

  /** The sidecar asked to close the connection: it drains. */
  leave(): void {
    this.#meshed = false;
    this.#tryAfter = performance.now() + leaveForMs;
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
      const { target, isMesh } = this.#way.choose();
      try {
        const { answer, closes } = await this.#once(target, method, path, headers);
        if (isMesh && closes) this.#way.leave();
        else if (isMesh) this.#way.answered();
        return answer;
      } catch (thrown) {
        const { error, reused } = thrown as { error: NodeJS.ErrnoException; reused: boolean };
        if (isMesh && error.code === 'ECONNREFUSED') this.#way.refused();
        if (attempt === 3 || !maySendAgain(error, reused)) {
          const way = isMesh ? 'through the sidecar' : 'directly';
          throw new Error(`${this.#way.address.name} ${way}: ${error.message}`, { cause: error });
        }
      }
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #once(target: Target, method: string, path: string, headers: Record<string, string>) {
    return new Promise<{ answer: Answer; closes: boolean }>((resolve, reject) => {
      const { name } = this.#way.address;
      const request = httpRequest({
        agent: this.#agent,
        ...target,
        method,
        path,
        headers: { ...headers, host: name, 'content-length': '0' },
        timeout: requestTimeoutMs,
      });
      const fail = (error: Error) => reject({ error, reused: request.reusedSocket });
      request.once('error', fail);
      request.once('timeout', () => request.destroy(new Error(`${name} gave no answer in 15 s`)));
      request.once('response', (response) => {
        const closes = response.headers.connection === 'close';
        readAll(response).then((body) => resolve({ answer: { status: response.statusCode ?? 0, body }, closes }), fail);
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
