import { applyConfigChange } from '../../model/config-change.ts';
import { baseMismatch, controlStreamVersion, type FromSidecar, type ToSidecar } from '../../model/control-stream.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { TelemetryReport } from '../../model/telemetry-report.ts';
import { type Logger, type LogLevel, toMessage } from '../logger.ts';
import { ConfigRefused } from './configuration.ts';
import type { DrainRequest } from './drain.ts';
import { readToSidecar } from './read-messages.ts';

/** What messages of the control plane do to the sidecar. */
export interface ControlEffects {
  readonly program: string;
  revision(): number | null;
  /** The configuration in force. */
  config(): SidecarConfig | null;
  certificateSerial(): string | null;
  beginLease(leaseMs: number, nowMs: number): void;
  heartbeat(nowMs: number): void;
  /** Rejects with `ConfigRefused`. */
  push(config: SidecarConfig): Promise<void>;
  createCertificateRequest(id: string, spiffeId: string): Promise<string>;
  /** Returns the serial; throws with the reason. */
  installCertificate(id: string, chainPem: readonly string[], trustBundlePem: readonly string[]): string;
  /** What `fault` shows to callers; returns the serial, throws with the reason. */
  installFaultyCertificate(id: string, fault: string, chainPem: readonly string[]): string;
  trust(trustBundlePem: readonly string[]): void;
  drain(request: DrainRequest): void;
  /** Another sidecar may listen on the same ports from now on; false: the system cannot. */
  share(): boolean;
  /** Another sidecar has taken over: stops listening, then as `drain`. Cannot be taken back. */
  retire(request: DrainRequest): void;
  undrain(): void;
  takeReport(): TelemetryReport;
}

/** One connection to the control plane, as far as a session needs it. */
export interface ControlChannel {
  send(text: string): void;
  /** Bytes that wait for the other side to take them. */
  readonly bufferedBytes: number;
  close(code: number, reason: string): void;
}

/** More than this waiting means that the other side is behind: reports are left out and become part of a later one. */
const maxBufferedBytes = 256 * 1024;
const reportIntervalMs = 1_000;
/** WebSocket close code: the other side broke the protocol. */
const protocolError = 1002;

/** One control plane connected: its messages in order, one at a time, each answered as control-stream.ts says. */
export class ControlSession {
  readonly #channel: ControlChannel;
  readonly #effects: ControlEffects;
  readonly #logger: Logger;
  #isGreeted = false;
  #isClosed = false;
  #queue: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(channel: ControlChannel, effects: ControlEffects, logger: Logger) {
    this.#channel = channel;
    this.#effects = effects;
    this.#logger = logger;
  }

  receive(text: string): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#isClosed) return;
      try {
        await this.#handleText(text);
      } catch (error) {
        this.#logger.error(`a message of the control plane failed: ${toMessage(error)}`, error);
      }
    });
  }

  /** Passes a line of the sidecar's log on. */
  log(level: LogLevel, message: string): void {
    if (this.#isGreeted && this.#channel.bufferedBytes <= maxBufferedBytes) this.#send({ type: 'log', level, message });
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  async #handleText(text: string): Promise<void> {
    const raw = parseJson(text);
    const parsed = readToSidecar(raw);
    if ('issues' in parsed) {
      const message = parsed.issues;
      this.#send({ type: 'nack', revision: revisionOf(raw), code: 'MESSAGE_INVALID', message });
      if (!this.#isGreeted) this.#channel.close(protocolError, `the sidecar speaks version ${controlStreamVersion}`);
      return;
    }
    if (parsed.value.type !== 'hello' && !this.#isGreeted) {
      return this.#channel.close(protocolError, 'hello must be the first message');
    }
    await this.#handle(parsed.value);
  }

  async #handle(message: ToSidecar): Promise<void> {
    const effects = this.#effects;
    switch (message.type) {
      case 'hello':
        effects.beginLease(message.leaseMs, message.nowMs);
        return this.#greet();
      case 'heartbeat':
        return effects.heartbeat(message.nowMs);
      case 'push':
        return this.#push(message.config);
      case 'push.change':
        return this.#pushChange(message);
      case 'certificate.request':
        return this.#request(message.id, message.spiffeId);
      case 'certificate.issued':
        return this.#install(message.id, () =>
          effects.installCertificate(message.id, message.chainPem, message.trustBundlePem),
        );
      case 'certificate.faulty':
        return this.#install(message.id, () =>
          effects.installFaultyCertificate(message.id, message.fault, message.chainPem),
        );
      case 'trust':
        return effects.trust(message.trustBundlePem);
      case 'drain':
        return effects.drain(this.#toDrainRequest(message));
      case 'share':
        return this.#send({ type: 'shared', possible: effects.share() });
      case 'retire':
        return effects.retire(this.#toDrainRequest({ deadlineMs: message.deadlineMs, tcp: 'keep' }));
      case 'undrain':
        return effects.undrain();
    }
  }

  #toDrainRequest({ deadlineMs, tcp }: Pick<DrainRequest, 'deadlineMs' | 'tcp'>): DrainRequest {
    return {
      deadlineMs,
      tcp,
      onProgress: (open) => this.#send({ type: 'drain.progress', ...open }),
      onDone: (cut) => this.#send({ type: 'drained', ...cut }),
    };
  }

  #greet(): void {
    this.#isGreeted = true;
    this.#send({
      type: 'hello',
      version: controlStreamVersion,
      program: this.#effects.program,
      node: process.version,
      pid: process.pid,
      revision: this.#effects.revision(),
      certificateSerial: this.#effects.certificateSerial(),
    });
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#report(), reportIntervalMs);
  }

  #report(): void {
    if (this.#channel.bufferedBytes > maxBufferedBytes) return;
    this.#send({ type: 'telemetry', report: this.#effects.takeReport() });
  }

  async #push(config: SidecarConfig): Promise<void> {
    try {
      await this.#effects.push(config);
      this.#send({ type: 'ack', revision: config.revision });
    } catch (error) {
      const code = error instanceof ConfigRefused ? error.code : 'INTERNAL';
      this.#logger.warn(`revision ${config.revision} was refused: ${toMessage(error)}`);
      this.#send({ type: 'nack', revision: config.revision, code, message: toMessage(error) });
    }
  }

  #pushChange(change: Extract<ToSidecar, { type: 'push.change' }>): Promise<void> | void {
    const base = this.#effects.config();
    if (base?.revision === change.base) return this.#push(applyConfigChange(base, change));
    const { revision } = change.config;
    const message = `revision ${change.base} is not in force here, ${base?.revision ?? 'none'} is`;
    this.#send({ type: 'nack', revision, code: baseMismatch, message });
  }

  async #request(id: string, spiffeId: string): Promise<void> {
    try {
      const csrPem = await this.#effects.createCertificateRequest(id, spiffeId);
      this.#send({ type: 'certificate.csr', id, csrPem });
    } catch (error) {
      this.#send({ type: 'certificate.failed', id, message: toMessage(error) });
    }
  }

  #install(id: string, install: () => string): void {
    try {
      const serial = install();
      this.#send({ type: 'certificate.installed', id, serial });
    } catch (error) {
      this.#send({ type: 'certificate.failed', id, message: toMessage(error) });
    }
  }

  #send(message: FromSidecar): void {
    if (!this.#isClosed) this.#channel.send(JSON.stringify(message));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return { invalid: toMessage(error) };
  }
}

/** The revision a message that did not parse was about, as far as it can be told. */
function revisionOf(raw: unknown): number | null {
  if (typeof raw !== 'object' || raw === null || !('config' in raw)) return null;
  const { config } = raw;
  if (typeof config !== 'object' || config === null || !('revision' in config)) return null;
  return Number.isInteger(config.revision) ? Number(config.revision) : null;
}
