import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { applyConfigChange } from '../../core/model/config-change.ts';
import { baseMismatch, FromSidecar, ToSidecar } from '../../core/model/control-stream.ts';
import type { SidecarConfig } from '../../core/model/sidecar-config.ts';
import type { TelemetryReport } from '../../core/model/telemetry-report.ts';
import { createCsr } from './create-csr.ts';

type Incoming = ReturnType<typeof ToSidecar.parse>;

/** The sidecar's end of the control stream on a Unix socket: answers as a real one does, and can be told not to. */
export class FakeSidecar {
  readonly received: Incoming[] = [];

  /** Without heartbeats, which may come between any two. */
  get told(): Incoming[] {
    return this.received.filter(({ type }) => type !== 'heartbeat');
  }
  readonly configs: SidecarConfig[] = [];
  /** `hold`: pushes get no answer until `releaseAcks()`. */
  ackMode: 'ack' | 'nack' | 'hold' = 'ack';
  nackCode = 'BAD';
  certificateMode: 'install' | 'fail' | 'silent' = 'install';
  pid = 100;
  revision: number | null = null;
  certificateSerial: string | null = null;
  trustBundle: readonly string[] = [];
  /** `hold`: a drain ends only by `finishDrain()`. */
  drainMode: 'finish' | 'hold' = 'finish';
  drainCounts = { http: 0, tcp: 0 };
  onMessage: (message: Incoming) => void = () => undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sc-'));
  readonly path = join(this.#folder, 's');
  #http: Server | null = null;
  #sockets = new Set<WebSocket>();
  #held: number[] = [];

  async start(): Promise<this> {
    const http = createServer();
    const server = new WebSocketServer({ server: http });
    server.on('connection', (socket) => this.#serve(socket));
    await new Promise<void>((resolve) => http.listen(this.path, resolve));
    this.#http = http;
    return this;
  }

  connect(): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(this.path);
      socket.once('connect', () => resolve(socket));
      socket.once('error', reject);
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  send(message: unknown): void {
    for (const socket of this.#sockets) socket.send(JSON.stringify(message));
  }

  report(report: Partial<TelemetryReport>): void {
    const process = { rssBytes: 1, cpuUs: 1, eventLoopLagMs: 0, connections: 0, unseenConnections: null };
    this.send({
      type: 'telemetry',
      report: { fromMs: 0, toMs: 1000, edges: [], samples: [], faults: [], process, ...report },
    });
  }

  /** As the guard does: the program starts anew, knowing nothing. */
  restart(): void {
    this.pid += 1;
    this.revision = null;
    this.certificateSerial = null;
    this.dropConnections();
  }

  dropConnections(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  releaseAcks(): void {
    for (const revision of this.#held.splice(0)) this.#ack(revision);
  }

  finishDrain(): void {
    this.send({ type: 'drained', http: 0, tcp: 0 });
  }

  async close(): Promise<void> {
    this.dropConnections();
    const http = this.#http;
    this.#http = null;
    if (http !== null) await new Promise((resolve) => http.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #serve(socket: WebSocket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('message', (data) => {
      const message = ToSidecar.parse(JSON.parse(String(data)));
      this.received.push(message);
      this.onMessage(message);
      void this.#answer(socket, message);
    });
  }

  #take(config: SidecarConfig, reply: (answer: unknown) => void): void {
    if (this.ackMode === 'nack') {
      reply({ type: 'nack', revision: config.revision, code: this.nackCode, message: 'cannot apply' });
      return;
    }
    this.configs.push(config);
    this.#held.push(config.revision);
    if (this.ackMode === 'ack') this.releaseAcks();
  }

  async #answer(socket: WebSocket, message: Incoming): Promise<void> {
    const reply = (answer: unknown) => socket.send(JSON.stringify(FromSidecar.parse(answer)));
    switch (message.type) {
      case 'hello':
        reply({
          type: 'hello',
          version: 1,
          program: '0.1.0',
          node: 'v24.0.0',
          pid: this.pid,
          revision: this.revision,
          certificateSerial: this.certificateSerial,
        });
        break;
      case 'push':
        this.#take(message.config, reply);
        break;
      case 'push.change': {
        const base = this.configs.findLast(({ revision }) => revision === this.revision);
        if (base?.revision === message.base) this.#take(applyConfigChange(base, message), reply);
        else reply({ type: 'nack', revision: message.config.revision, code: baseMismatch, message: 'another base' });
        break;
      }
      case 'certificate.request':
        if (this.certificateMode === 'fail')
          reply({ type: 'certificate.failed', id: message.id, message: 'no entropy' });
        if (this.certificateMode === 'install') {
          reply({ type: 'certificate.csr', id: message.id, csrPem: (await createCsr()).csrPem });
        }
        break;
      case 'certificate.issued': {
        const { X509Certificate } = await import('node:crypto');
        this.certificateSerial = new X509Certificate(message.chainPem[0] ?? '').serialNumber.toLowerCase();
        this.trustBundle = message.trustBundlePem;
        reply({ type: 'certificate.installed', id: message.id, serial: this.certificateSerial });
        break;
      }
      case 'trust':
        this.trustBundle = message.trustBundlePem;
        break;
      case 'share':
        reply({ type: 'shared', possible: true });
        break;
      case 'drain':
      case 'retire':
        reply({ type: 'drain.progress', ...this.drainCounts });
        if (this.drainMode === 'finish') this.finishDrain();
        break;
      default:
        break;
    }
  }

  #ack(revision: number): void {
    this.revision = revision;
    this.send({ type: 'ack', revision });
  }
}
