import type { Socket } from 'node:net';
import type { EdgeRecorder } from '../connection.ts';

/** Who uses an upstream connection for the moment. */
export interface UpstreamUser {
  onUpstreamData(bytes: Buffer): void;
  /** The server has sent its FIN. */
  onUpstreamEnd(): void;
  /** Gone, politely or not. Nothing follows. */
  onUpstreamClose(): void;
  onUpstreamDrain(): void;
}

/**
 * An open connection to an endpoint, used by one exchange at a time. While nobody uses it, bytes or a FIN that arrive
 * end it: bytes that no request asked for would be taken for the next answer.
 */
export class UpstreamConnection {
  readonly socket: Socket;
  readonly key: string;
  readonly generation: number;
  readonly recorder: EdgeRecorder | null;
  user: UpstreamUser | null = null;
  /** Monotonic time from which it may no longer be taken from the pool. */
  reusableUntilMs = 0;
  /** True once it has carried a request before the one it carries. */
  reused = false;
  #ended = false;
  #onClosed: (connection: UpstreamConnection) => void;

  constructor(
    socket: Socket,
    key: string,
    generation: number,
    recorder: EdgeRecorder | null,
    onClosed: (connection: UpstreamConnection) => void,
  ) {
    this.socket = socket;
    this.key = key;
    this.generation = generation;
    this.recorder = recorder;
    this.#onClosed = onClosed;
    recorder?.connectionOpened();
    socket.setNoDelay(true);
    // Half-close is ours to handle: a server that ends early must still get the rest of an upgraded stream.
    socket.allowHalfOpen = true;
    socket.on('data', this.#handleData);
    socket.on('end', this.#handleEnd);
    socket.on('drain', this.#handleDrain);
    socket.on('error', this.#handleError);
    socket.on('close', this.#handleClose);
  }

  /** False when it must not carry another request. */
  get usable(): boolean {
    return !this.#ended && !this.socket.destroyed && this.socket.writable;
  }

  /** Takes the connection out of HTTP (101): the caller reads and writes the socket itself from now on. */
  detach(): Socket {
    this.user = null;
    this.socket.off('data', this.#handleData);
    this.socket.off('end', this.#handleEnd);
    this.socket.off('drain', this.#handleDrain);
    return this.socket;
  }

  destroy(): void {
    this.user = null;
    this.socket.destroy();
  }

  readonly #handleData = (bytes: Buffer) => {
    if (this.user === null) this.destroy();
    else this.user.onUpstreamData(bytes);
  };

  readonly #handleEnd = () => {
    this.#ended = true;
    if (this.user === null) this.destroy();
    else this.user.onUpstreamEnd();
  };

  readonly #handleDrain = () => {
    this.user?.onUpstreamDrain();
  };

  readonly #handleError = () => {
    // `close` always follows and carries on from here; without a listener the error would be thrown.
    this.#ended = true;
  };

  readonly #handleClose = () => {
    const user = this.user;
    this.user = null;
    this.recorder?.connectionClosed();
    this.#onClosed(this);
    user?.onUpstreamClose();
  };
}
