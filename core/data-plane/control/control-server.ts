/**
 * The sidecar's end of the control stream: a WebSocket server on a Unix socket (Windows: a named pipe). No port is opened;
 * who can open the socket file, or make an exec in this container, is the control plane.
 *
 * One control plane at a time: a new connection supersedes the one before, because the older may be a dead exec.
 */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { maxControlMessageBytes } from '../../model/control-stream.ts';
import type { Logger, LogLevel } from '../logger.ts';
import { type ControlEffects, ControlSession } from './control-session.ts';

/** WebSocket close codes of our own. */
export const closeCodes = { superseded: 4001, shuttingDown: 1001 } as const;

export class ControlServer {
  readonly #effects: ControlEffects;
  readonly #logger: Logger;
  readonly #http: Server = createServer((_request, response) => {
    response
      .writeHead(426, { 'content-type': 'text/plain' })
      .end('This is the control stream of a sidecar: WebSocket only.\n');
  });
  readonly #websocket = new WebSocketServer({
    server: this.#http,
    perMessageDeflate: false,
    maxPayload: maxControlMessageBytes,
  });
  #current: { readonly socket: WebSocket; readonly session: ControlSession } | null = null;

  constructor(effects: ControlEffects, logger: Logger) {
    this.#effects = effects;
    this.#logger = logger;
    this.#websocket.on('connection', (socket) => this.#onConnection(socket));
    this.#websocket.on('error', (error) => logger.error(`control stream: ${error.message}`));
  }

  /** Rejects when another process serves this path. A socket file nobody serves any more is replaced. */
  async listen(path: string): Promise<void> {
    const isPipe = path.startsWith('\\\\');
    if (!isPipe) await removeStale(path);
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen(path, () => {
        this.#http.removeListener('error', reject);
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
    this.#websocket.close();
    this.#http.closeAllConnections();
    await new Promise<void>((resolve) => this.#http.close(() => resolve()));
  }

  #onConnection(socket: WebSocket): void {
    this.#drop(closeCodes.superseded, 'superseded by a newer connection');
    const channel = {
      send: (text: string) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      close: (code: number, reason: string) => socket.close(code, reason),
    };
    const session = new ControlSession(channel, this.#effects, this.#logger);
    this.#current = { socket, session };
    socket.on('message', (data: RawData) => session.receive(data.toString()));
    socket.on('error', (error) => this.#logger.warn(`control stream: ${error.message}`));
    socket.on('close', () => {
      session.close();
      if (this.#current?.socket === socket) this.#current = null;
    });
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
