/**
 * Keeps in touch with the engine: finds it, asks its version, follows its events, and starts over when it goes away. An
 * absent engine is a state, never an exception.
 */
import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import type { EngineStatus } from '../../../contract/shapes.ts';
import type { Logger } from '../../../shared/logger.ts';
import { type EngineAddress, findEngine } from './engine-address.ts';
import { engineMessage } from './engine-error.ts';

const firstRetryMs = 500;
const maxRetryMs = 5_000;
const answerTimeoutMs = 5_000;

export interface EngineEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor?: { readonly ID: string; readonly Attributes?: Readonly<Record<string, string>> };
}

export interface EngineConnectionOptions {
  readonly log: Logger;
  readonly onStatus: (status: EngineStatus) => void;
  /** A connection stands and events flow: what was known before may be out of date. */
  readonly onConnected: (docker: Docker) => Promise<void>;
  readonly onEvent: (event: EngineEvent) => void;
  /** Default: the docker CLI's rules. */
  readonly find?: () => EngineAddress;
}

const filters = {
  type: ['container', 'network'],
  event: [
    'create',
    'start',
    'die',
    'stop',
    'destroy',
    'pause',
    'unpause',
    'rename',
    'health_status',
    'update',
    'connect',
    'disconnect',
  ],
};

export class EngineConnection {
  readonly #options: EngineConnectionOptions;
  #status: EngineStatus = { state: 'connecting', name: null, version: null, endpoint: null, message: null };
  #docker: Docker | null = null;
  #events: Readable | null = null;
  #retry: NodeJS.Timeout | null = null;
  #retryMs = firstRetryMs;
  #closed = false;
  #local = false;

  constructor(options: EngineConnectionOptions) {
    this.#options = options;
  }

  get status(): EngineStatus {
    return this.#status;
  }

  /** The engine, while it answers. */
  get docker(): Docker | null {
    return this.#docker;
  }

  /** True when containers run on this machine's own kernel and files. */
  get local(): boolean {
    return this.#local;
  }

  /** Resolves after the first try, whatever came of it. */
  async start(): Promise<void> {
    await this.#connect();
  }

  close(): void {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#events?.destroy();
    this.#docker = null;
  }

  async #connect(): Promise<void> {
    const address = (this.#options.find ?? findEngine)();
    this.#local = address.local;
    if (address.options === null) {
      this.#lost(address.endpoint, address.problem ?? 'no engine was found');
      return;
    }
    const docker = new Docker(address.options);
    try {
      const version = await withTimeout(docker.version(), 'the engine did not answer within 5 s');
      const events = (await withTimeout(
        docker.getEvents({ filters: JSON.stringify(filters) }),
        'no event stream within 5 s',
      )) as unknown as Readable;
      if (this.#closed) {
        events.destroy();
        return;
      }
      this.#follow(events, address);
      this.#docker = docker;
      await this.#options.onConnected(docker);
      this.#retryMs = firstRetryMs;
      const platform = (version as unknown as { Platform?: { Name?: string } }).Platform?.Name;
      this.#tell({
        state: 'connected',
        name: platform ? platform : 'Docker Engine',
        version: version.Version,
        endpoint: address.endpoint,
        message: null,
      });
    } catch (error) {
      this.#lost(address.endpoint, whyUnreached(error));
    }
  }

  #follow(events: Readable, address: EngineAddress): void {
    this.#events = events;
    let rest = '';
    events.setEncoding('utf8');
    events.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#deliver(line);
    });
    const onEnd = () => {
      if (this.#events !== events || this.#closed) return;
      this.#events = null;
      this.#lost(address.endpoint, 'the connection to the engine ended');
    };
    events.on('end', onEnd).on('close', onEnd).on('error', onEnd);
  }

  #deliver(line: string): void {
    if (line.trim() === '') return;
    try {
      this.#options.onEvent(JSON.parse(line) as EngineEvent);
    } catch (error) {
      this.#options.log.error('an event of the engine could not be handled', error);
    }
  }

  #lost(endpoint: string | null, message: string): void {
    if (this.#closed) return;
    this.#docker = null;
    this.#events?.destroy();
    this.#events = null;
    this.#tell({ state: 'unavailable', name: null, version: null, endpoint, message });
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#connect(), this.#retryMs);
    this.#retry.unref();
    this.#retryMs = Math.min(maxRetryMs, this.#retryMs * 2);
  }

  #tell(status: EngineStatus): void {
    const before = this.#status;
    this.#status = status;
    if (before.state !== status.state || before.message !== status.message) this.#options.onStatus(status);
  }
}

/** What to do where the engine's own words do not say it. */
function whyUnreached(error: unknown): string {
  const message = engineMessage(error);
  if ((error as NodeJS.ErrnoException).code !== 'EACCES') return message;
  return `${message}. This user may not use the engine: add it to the socket's group (often docker), or set DOCKER_HOST to a rootless engine.`;
}

function withTimeout<T>(promise: Promise<T>, message: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(message)), answerTimeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
