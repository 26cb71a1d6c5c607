import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { FromSidecar, type ToSidecar } from '../../core/model/control-stream.ts';
import type { SidecarConfig } from '../../core/model/sidecar-config.ts';
import type { TelemetryReport } from '../../core/model/telemetry-report.ts';
import { eventually } from './eventually.ts';
import type { TestCa } from './test-ca.ts';

type MessageOf<T extends FromSidecar['type']> = Extract<FromSidecar, { type: T }>;

/** The control plane's end of a control stream, as thin as it can be; every message it gets must pass the schema. */
export class ControlClient {
  readonly received: FromSidecar[] = [];
  closed: { code: number; reason: string } | null = null;
  readonly #socket: WebSocket;
  #heartbeat: NodeJS.Timeout | undefined;
  #requests = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.received.push(FromSidecar.parse(JSON.parse(data.toString()))));
    socket.on('error', () => undefined);
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      clearInterval(this.#heartbeat);
    });
  }

  /** Connects to a Unix socket, or over `stream`, and waits until the WebSocket is open. */
  static async open(path: string, stream?: () => Duplex): Promise<ControlClient> {
    const socket = new WebSocket('ws://sidecar/', {
      createConnection: (stream ?? (() => connect(path))) as never,
      perMessageDeflate: false,
    });
    const client = new ControlClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    return client;
  }

  /** Unless a test is about leases, faults last longer than any test: nobody sends heartbeats. */
  async hello(leaseMs = 3_600_000): Promise<MessageOf<'hello'>> {
    this.send({ type: 'hello', version: 1, leaseMs, nowMs: Date.now() });
    return this.next('hello');
  }

  send(message: ToSidecar): void {
    this.#socket.send(JSON.stringify(message));
  }

  sendRaw(text: string): void {
    this.#socket.send(text);
  }

  /** Renews the lease until `stopHeartbeats`. */
  startHeartbeats(everyMs: number): void {
    this.#heartbeat = setInterval(() => this.send({ type: 'heartbeat', nowMs: Date.now() }), everyMs);
  }

  stopHeartbeats(): void {
    clearInterval(this.#heartbeat);
  }

  /** Takes the first message of this type that was not taken before, waiting for it if need be. */
  async next<T extends FromSidecar['type']>(type: T): Promise<MessageOf<T>> {
    return eventually(`message ${type} from the sidecar`, () => {
      const index = this.received.findIndex((message) => message.type === type);
      return index < 0 ? null : (this.received.splice(index, 1)[0] as MessageOf<T>);
    });
  }

  async push(config: SidecarConfig): Promise<MessageOf<'ack'> | MessageOf<'nack'>> {
    this.send({ type: 'push', config });
    return eventually('ack or nack', () => {
      const index = this.received.findIndex(({ type }) => type === 'ack' || type === 'nack');
      return index < 0 ? null : (this.received.splice(index, 1)[0] as MessageOf<'ack'> | MessageOf<'nack'>);
    });
  }

  /** Request, signature, installation. Returns the serial in use. */
  async issue(ca: TestCa, spiffeId: string, trust: readonly TestCa[] = [ca]): Promise<string> {
    this.#requests += 1;
    const id = `request-${this.#requests}`;
    this.send({ type: 'certificate.request', id, spiffeId });
    const { csrPem } = await this.next('certificate.csr');
    const certificate = await ca.sign(csrPem);
    const trustBundlePem = trust.map(({ rootPem }) => rootPem);
    this.send({ type: 'certificate.issued', id, chainPem: [certificate], trustBundlePem });
    return (await this.next('certificate.installed')).serial;
  }

  /** Reports so far, oldest first. */
  get reports(): TelemetryReport[] {
    return this.received.flatMap((message) => (message.type === 'telemetry' ? [message.report] : []));
  }

  close(): void {
    clearInterval(this.#heartbeat);
    this.#socket.terminate();
  }
}
