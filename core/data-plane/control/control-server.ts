/**
 * The sidecar's end of the control stream: a WebSocket server on a Unix socket (Windows: a named pipe). No port is opened;
 * who can open the socket file, or make an exec in this container, is the control plane.
 *
 * One control plane at a time: a new connection supersedes the one before, because the older may be a dead exec.
 */
import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { maxControlMessageBytes } from '../../model/control-stream.ts';
import type { Logger, LogLevel } from '../logger.ts';
import { type ControlEffects, ControlSession } from './control-session.ts';
import { WebSocketEnd } from './websocket.ts';

/** WebSocket close codes of our own. */
export const closeCodes = { superseded: 4001, shuttingDown: 1001 } as const;

export class ControlServer {
  readonly #effects: ControlEffects;
  readonly #logger: Logger;
  readonly #server: Server = createServer((stream) => this.#onStream(stream));
  readonly #streams = new Set<Socket>();
  #current: { readonly socket: WebSocketEnd; readonly session: ControlSession } | null = null;

  constructor(effects: ControlEffects, logger: Logger) {
    this.#effects = effects;
    this.#logger = logger;
  }

  /** Rejects when another process serves this path. A socket file nobody serves any more is replaced. */
  async listen(path: string): Promise<void> {
    const isPipe = path.startsWith('\\\\');
    if (!isPipe) await removeStale(path);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        this.#server.removeListener('error', reject);
        this.#server.on('error', (error) => this.#logger.error(`control stream: ${error.message}`));
        resolve();
      });
    });
    if (!isPipe) await chmod(path, 0o600);
  }

  /** Passes a line of the log on to the control plane, if one is connected. */
  log(level: LogLevel, message: string): void {
    this.#current?.session.log(level, message);
  }

  async close(): Promise<void> {
    this.#drop(closeCodes.shuttingDown, 'the sidecar is shutting down');
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // The close frame is on its way to the kernel; nobody's answer is waited for.
    for (const stream of this.#streams) stream.destroySoon();
    await closed;
  }

  #onStream(stream: Socket): void {
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    new WebSocketEnd(stream, {
      maxMessageBytes: maxControlMessageBytes,
      onOpen: (socket) => this.#onOpen(socket),
    });
  }

  #onOpen(socket: WebSocketEnd): void {
    this.#drop(closeCodes.superseded, 'superseded by a newer connection');
    const session = new ControlSession(socket, this.#effects, this.#logger);
    this.#current = { socket, session };
    socket.onMessage = (text) => session.receive(text);
    socket.onClose = () => {
      session.close();
      if (this.#current?.socket === socket) this.#current = null;
    };
  }

  #drop(code: number, reason: string): void {
    const before = this.#current;
    this.#current = null;
    before?.session.close();
    before?.socket.close(code, reason);
  }
}

async function removeStale(path: string): Promise<void> {
  const isServed = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (isServed) throw new Error(`another sidecar serves ${path}; end it first, or set MESHDESK_SOCKET to another path`);
  await rm(path, { force: true });
}
