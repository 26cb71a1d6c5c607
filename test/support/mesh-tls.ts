/** Two ends of mesh TLS without the rest of a sidecar. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import {
  type MeshConnection,
  MeshTerminator,
  type MeshTerminatorOptions,
} from '../../core/data-plane/tls/mesh-terminator.ts';
import { WorkloadIdentity } from '../../core/data-plane/tls/workload-identity.ts';
import type { TestCa } from './test-ca.ts';
import { spiffeIdOfName } from './test-sidecar.ts';

let requests = 0;

/** Gives `identity` a (new) certificate for the workload `name`. */
export async function certify(identity: WorkloadIdentity, ca: TestCa, name: string, roots = [ca.rootPem]) {
  requests += 1;
  const csr = await identity.createRequest(`${requests}`, spiffeIdOfName(name));
  identity.install(`${requests}`, [await ca.sign(csr)], roots);
}

export async function identityOf(ca: TestCa, name: string, roots = [ca.rootPem]): Promise<WorkloadIdentity> {
  const identity = new WorkloadIdentity();
  await certify(identity, ca, name, roots);
  return identity;
}

/** A port that takes mesh TLS. */
export class MeshServer {
  readonly identity: WorkloadIdentity;
  readonly terminator: MeshTerminator;
  readonly accepted: MeshConnection[] = [];
  readonly refused: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  onAccept: (connection: MeshConnection) => void = ({ socket }) => {
    socket.on('data', (bytes) => socket.write(bytes));
    socket.on('end', () => socket.end());
  };

  private constructor(identity: WorkloadIdentity, options: MeshTerminatorOptions) {
    this.identity = identity;
    this.terminator = new MeshTerminator(identity, () => 'cluster.local', options);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      this.terminator.terminate(socket, Buffer.alloc(0), {
        accept: (connection) => {
          this.accepted.push(connection);
          this.onAccept(connection);
        },
        refuse: (reason) => this.refused.push(reason),
      });
    });
  }

  static async start(identity: WorkloadIdentity, options: MeshTerminatorOptions = {}, port = 0): Promise<MeshServer> {
    const server = new MeshServer(identity, options);
    server.#server.listen(port, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
