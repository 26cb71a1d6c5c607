import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { eventually } from './eventually.ts';
import { freePort } from './test-sidecar.ts';

export interface ToxiproxyToxic {
  readonly type: string;
  readonly stream: 'upstream' | 'downstream';
  readonly attributes: Readonly<Record<string, number>>;
}

/** A real toxiproxy in front of `server`, which listens already. Its program is not part of the product. */
export class Toxiproxy {
  readonly port: number;
  readonly #api: string;
  readonly #child: ChildProcess;
  readonly #sockets = new Set<Socket>();
  #names: string[] = [];

  private constructor(child: ChildProcess, apiPort: number, port: number) {
    this.#child = child;
    this.#api = `http://127.0.0.1:${apiPort}`;
    this.port = port;
  }

  static async start(program: string, server: Server): Promise<Toxiproxy> {
    const [apiPort, port] = [await freePort(), await freePort()];
    const child = spawn(program, ['-port', `${apiPort}`], { stdio: 'ignore' });
    const proxy = new Toxiproxy(child, apiPort, port);
    const upstream = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await eventually('toxiproxy answers', () => proxy.#call('GET', '/version'));
    await proxy.#call('POST', '/proxies', { name: 'edge', listen: `127.0.0.1:${port}`, upstream, enabled: true });
    return proxy;
  }

  /** Only these from now on, in this order. */
  async set(...toxics: readonly ToxiproxyToxic[]): Promise<void> {
    for (const name of this.#names.splice(0)) await this.#call('DELETE', `/proxies/edge/toxics/${name}`);
    for (const [index, toxic] of toxics.entries()) {
      const name = `toxic-${index}`;
      await this.#call('POST', '/proxies/edge/toxics', { ...toxic, name, toxicity: 1 });
      this.#names.push(name);
    }
  }

  dial(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.port, allowHalfOpen: true, noDelay: true });
    socket.on('error', () => undefined);
    this.#sockets.add(socket);
    return socket;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }

  async #call(method: string, path: string, body?: unknown): Promise<string> {
    const answer = await fetch(`${this.#api}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`toxiproxy: ${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.text()) || 'done';
  }
}
