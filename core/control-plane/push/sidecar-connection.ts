/**
 * `push/`: the control plane's end of the control stream (core/model/control-stream.ts). A connection is one WebSocket
 * over a byte stream that leads to one sidecar; a link (sidecar-link.ts) keeps a connection for as long as the sidecar
 * lives. Nothing here knows what a configuration means or who issues certificates.
 */
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { z } from 'zod';
import { MeshError } from '../../contract/errors.ts';
import { toConfigChange } from '../../model/config-change.ts';
import {
  baseMismatch,
  controlStreamVersion,
  FromSidecar,
  maxControlMessageBytes,
  ToSidecar,
} from '../../model/control-stream.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { TelemetryReport } from '../../model/telemetry-report.ts';
import type { Clock } from '../../shared/clock.ts';
import { AwaitedAnswers } from './awaited-answers.ts';
import { encodePush } from './encode-push.ts';
import { PushQueue } from './push-queue.ts';

type Message = FromSidecar;
type MessageOf<T extends Message['type']> = Extract<Message, { type: T }>;
export type SidecarHello = MessageOf<'hello'>;
export type ConnectionCounts = { readonly http: number; readonly tcp: number };

/** A certificate as the sidecar gets it. */
export interface CertificateAnswer {
  readonly chainPem: readonly string[];
  readonly trustBundlePem: readonly string[];
}

export interface ConnectionEvents {
  onAck(revision: number): void;
  onNack(nack: MessageOf<'nack'>): void;
  onTelemetry(report: TelemetryReport): void;
  onDrainProgress(counts: ConnectionCounts): void;
  onLog(level: 'info' | 'warn' | 'error', message: string): void;
  /** Once, when the connection has ended, by whichever side. */
  onClose(reason: string): void;
}

export interface ConnectionOptions {
  readonly leaseMs: number;
  readonly clock: Clock;
  /** How long the sidecar may take to say hello, to install a certificate, to answer a push; default 10,000. */
  readonly answerTimeoutMs?: number;
}

/** Code of the NACK to a message that the sidecar's program does not know. */
const messageInvalid = 'MESSAGE_INVALID';
const bufferLimitBytes = 1024 * 1024;

export class SidecarConnection {
  readonly #socket: WebSocket;
  readonly #events: ConnectionEvents;
  readonly #options: ConnectionOptions;
  readonly #answerTimeoutMs: number;
  readonly #awaited = new AwaitedAnswers();
  readonly #queue: PushQueue;
  readonly #heartbeat: NodeJS.Timeout;
  #pushTimer: NodeJS.Timeout | null = null;
  /** Sent and not answered; acknowledged last on this connection. */
  #sent: SidecarConfig | null = null;
  #inForce: SidecarConfig | null = null;
  #heardSinceBeat = true;
  #silentBeats = 0;
  #certificateCount = 0;
  #closed = false;
  #hello: SidecarHello | null = null;

  private constructor(stream: Duplex, events: ConnectionEvents, options: ConnectionOptions) {
    this.#events = events;
    this.#options = options;
    this.#answerTimeoutMs = options.answerTimeoutMs ?? 10_000;
    this.#queue = new PushQueue(
      (config) => this.#sendPush(config),
      () => this.#socket.bufferedAmount < bufferLimitBytes,
    );
    this.#socket = new WebSocket('ws://sidecar/control', {
      createConnection: () => stream as never,
      perMessageDeflate: false,
      maxPayload: maxControlMessageBytes,
      handshakeTimeout: this.#answerTimeoutMs,
      // A mask of zeros: the stream is our own, and what many sidecars get is sent without a copy for each.
      generateMask: (mask) => mask.fill(0),
    });
    stream.once('close', () => this.#end('the stream to the sidecar has closed'));
    this.#socket.on('message', (data) => this.#receive(String(data)));
    this.#socket.on('pong', () => this.#heard());
    this.#socket.on('error', (error) => this.#end(error.message));
    this.#socket.on('close', (code, reason) =>
      this.#end(`closed by the sidecar (${code} ${String(reason)})`.replace(' )', ')')),
    );
    this.#heartbeat = setInterval(() => this.#beat(), options.leaseMs / 3);
    this.#heartbeat.unref();
  }

  /** Says hello and waits for the sidecar's. Rejects with SIDECAR_UNREACHABLE; the stream is closed then. */
  static async open(stream: Duplex, events: ConnectionEvents, options: ConnectionOptions): Promise<SidecarConnection> {
    const connection = new SidecarConnection(stream, events, options);
    const hello = connection.#awaited.wait(
      (message) => message.type === 'hello',
      connection.#answerTimeoutMs,
      'did not say hello',
    );
    connection.#socket.once('open', () =>
      connection.#send({
        type: 'hello',
        version: controlStreamVersion,
        leaseMs: options.leaseMs,
        nowMs: options.clock.nowMs(),
      }),
    );
    try {
      connection.#hello = (await hello) as SidecarHello;
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get hello(): SidecarHello {
    if (this.#hello === null) throw new Error('a connection has a hello once it is open');
    return this.#hello;
  }

  /** Acknowledged last on this connection; `null`: none yet. */
  get inForce(): SidecarConfig | null {
    return this.#inForce;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Sends the configuration as soon as the one before it is answered. The answer comes as `onAck` or `onNack`. */
  push(config: SidecarConfig): void {
    if (!this.#closed) this.#queue.push(config);
  }

  /**
   * Has the sidecar make a key and install a certificate for it. Resolves with the serial in use.
   * Rejects with IDENTITY_FAILED (either side refused), SIDECAR_UNREACHABLE (no answer, connection lost).
   */
  async installCertificate(spiffeId: string, issue: (csrPem: string) => Promise<CertificateAnswer>): Promise<string> {
    return await this.#certify(spiffeId, async (id, csrPem) => {
      const { chainPem, trustBundlePem } = await issue(csrPem);
      return { type: 'certificate.issued', id, chainPem: [...chainPem], trustBundlePem: [...trustBundlePem] };
    });
  }

  /** The same for a certificate that a fault shows to callers; the sidecar's own stays what it is. */
  async installFaultyCertificate(
    fault: string,
    spiffeId: string,
    issue: (csrPem: string) => Promise<readonly string[]>,
  ): Promise<void> {
    await this.#certify(spiffeId, async (id, csrPem) => {
      const chainPem = await issue(csrPem);
      return { type: 'certificate.faulty', id, fault, chainPem: [...chainPem] };
    });
  }

  async #certify(
    spiffeId: string,
    answerTo: (id: string, csrPem: string) => Promise<z.input<typeof ToSidecar>>,
  ): Promise<string> {
    this.#certificateCount += 1;
    const id = `c${this.#certificateCount}`;
    const wait = (types: readonly string[]) =>
      this.#awaited.wait(
        (message) => 'id' in message && message.id === id && types.includes(message.type),
        this.#answerTimeoutMs,
        'did not answer about its certificate',
      );
    const csr = wait(['certificate.csr', 'certificate.failed']);
    this.#send({ type: 'certificate.request', id, spiffeId });
    const request = await csr;
    if (request.type !== 'certificate.csr') throw toIdentityError(request);
    const message = await answerTo(id, request.csrPem);
    const installed = wait(['certificate.installed', 'certificate.failed']);
    this.#send(message);
    const answer = await installed;
    if (answer.type !== 'certificate.installed') throw toIdentityError(answer);
    return answer.serial.toLowerCase();
  }

  sendTrust(trustBundlePem: readonly string[]): void {
    this.#send({ type: 'trust', trustBundlePem: [...trustBundlePem] });
  }

  /** Resolves with what was still open when the drain ended (closed by the deadline). */
  async drain(deadlineMs: number, tcp: 'keep' | 'close'): Promise<ConnectionCounts> {
    return await this.#drained({ type: 'drain', deadlineMs, tcp });
  }

  /** Asks it to let another sidecar listen on the same ports. False: it, or its system, cannot. */
  async share(): Promise<boolean> {
    const answer = this.#awaited.wait(
      (message) => message.type === 'shared' || isUnknownMessage(message),
      this.#answerTimeoutMs,
      'did not answer about its ports',
    );
    this.#send({ type: 'share' });
    const answered = await answer;
    return answered.type === 'shared' && answered.possible;
  }

  /**
   * Another sidecar listens on the same ports: this one gives its listeners up and drains, TCP until it ends. Cannot be
   * taken back. Resolves as `drain`; rejects with SIDECAR_UNREACHABLE also when its program is too old to know how.
   */
  async retire(deadlineMs: number): Promise<ConnectionCounts> {
    return await this.#drained({ type: 'retire', deadlineMs });
  }

  undrain(): void {
    this.#send({ type: 'undrain' });
  }

  close(): void {
    this.#end('closed by the control plane');
  }

  #send(message: z.input<typeof ToSidecar>): void {
    if (this.#closed || this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(ToSidecar.parse(message)));
  }

  /** A configuration is large, made by our own compiler, and validated where it arrives. */
  #sendParts(parts: readonly (string | Buffer)[]): void {
    if (this.#closed || this.#socket.readyState !== WebSocket.OPEN) return;
    for (const [index, part] of parts.entries())
      this.#socket.send(part, { fin: index === parts.length - 1, binary: false });
  }

  async #drained(request: Extract<z.input<typeof ToSidecar>, { deadlineMs: number }>): Promise<ConnectionCounts> {
    const drained = this.#awaited.wait(
      (message) => message.type === 'drained' || isUnknownMessage(message),
      request.deadlineMs + this.#answerTimeoutMs,
      'did not finish draining',
    );
    this.#send(request);
    const answer = await drained;
    if (answer.type !== 'drained')
      throw new MeshError('SIDECAR_UNREACHABLE', `The sidecar does not know ${request.type}.`);
    return { http: answer.http, tcp: answer.tcp };
  }

  #sendPush(config: SidecarConfig): void {
    this.#pushTimer = setTimeout(
      () => this.#end(`revision ${config.revision} was not answered within ${this.#answerTimeoutMs} ms`),
      this.#answerTimeoutMs,
    );
    this.#pushTimer.unref();
    this.#sent = config;
    const change = this.#inForce === null ? null : toConfigChange(this.#inForce, config);
    try {
      this.#sendParts(encodePush(config, change));
    } catch (error) {
      // A configuration that does not fit the stream is a bug of the compiler: the sidecar keeps its last good one.
      this.#clearPushTimer();
      this.#events.onNack({ type: 'nack', revision: config.revision, code: 'INTERNAL', message: String(error) });
      queueMicrotask(() => this.#queue.answered(config.revision));
    }
  }

  #beat(): void {
    this.#silentBeats = this.#heardSinceBeat ? 0 : this.#silentBeats + 1;
    this.#heardSinceBeat = false;
    if (this.#silentBeats >= 3) {
      this.#end('the sidecar has been silent for too long');
      return;
    }
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount < bufferLimitBytes) this.#socket.ping();
    this.#send({ type: 'heartbeat', nowMs: this.#options.clock.nowMs() });
    this.#queue.flush();
  }

  #heard(): void {
    this.#heardSinceBeat = true;
    if (this.#queue.isWaiting) this.#queue.flush();
  }

  #receive(text: string): void {
    if (this.#closed) return;
    this.#heard();
    const parsed = FromSidecar.safeParse(parseJson(text));
    if (!parsed.success) {
      this.#end(`the sidecar sent a message that does not fit the control stream: ${parsed.error.issues[0]?.message}`);
      return;
    }
    const message = parsed.data;
    this.#awaited.take(message);
    this.#dispatch(message);
  }

  #dispatch(message: Message): void {
    switch (message.type) {
      case 'ack':
        this.#clearPushTimer();
        if (this.#sent?.revision === message.revision) this.#inForce = this.#sent;
        this.#events.onAck(message.revision);
        this.#queue.answered(message.revision);
        break;
      case 'nack':
        this.#clearPushTimer();
        if (message.code === baseMismatch && this.#sent !== null) {
          this.#inForce = null;
          this.#sendPush(this.#sent);
          break;
        }
        this.#events.onNack(message);
        this.#queue.answered(message.revision);
        break;
      case 'telemetry':
        this.#events.onTelemetry(message.report);
        break;
      case 'drain.progress':
      case 'drained':
        this.#events.onDrainProgress({ http: message.http, tcp: message.tcp });
        break;
      case 'log':
        this.#events.onLog(message.level, message.message);
        break;
      default:
        break;
    }
  }

  #clearPushTimer(): void {
    if (this.#pushTimer !== null) clearTimeout(this.#pushTimer);
    this.#pushTimer = null;
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heartbeat);
    this.#clearPushTimer();
    this.#awaited.end(reason);
    this.#socket.terminate();
    this.#events.onClose(reason);
  }
}

function isUnknownMessage(message: Message): boolean {
  return message.type === 'nack' && message.code === messageInvalid;
}

function toIdentityError(message: Message): MeshError {
  const why = message.type === 'certificate.failed' ? message.message : `unexpected ${message.type}`;
  return new MeshError('IDENTITY_FAILED', `The sidecar could not use its certificate: ${why}.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return String(error);
  }
}
