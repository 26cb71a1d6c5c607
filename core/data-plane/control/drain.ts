import type { ConnectionHandler } from '../connection.ts';

export interface OpenConnections {
  readonly http: number;
  readonly tcp: number;
}

export interface DrainRequest {
  /** What is left after this many milliseconds is closed. */
  readonly deadlineMs: number;
  /** `keep`: TCP connections live until they end or the deadline; `close`: they are closed now. */
  readonly tcp: 'keep' | 'close';
  readonly onProgress: (open: OpenConnections) => void;
  /** Called once: everything has ended, or was closed at the deadline. `cut`: how many had to be closed then. */
  readonly onDone: (cut: OpenConnections) => void;
}

const pollMs = 100;
/** Accepted connections that have not said anything are waited for this long: a client may just be slow. */
const silentGraceMs = 2_000;

/** Ends the connections politely: HTTP between requests, TCP when its owners are done, all at the deadline. */
export class Drain {
  readonly #http: Omit<ConnectionHandler, 'serve'>;
  readonly #tcp: Omit<ConnectionHandler, 'serve'>;
  readonly #accepting: { readonly connections: number; readonly isClosing: boolean };
  #timer: NodeJS.Timeout | undefined;

  /** @param accepting the listeners: they know of connections that no handler has yet */
  constructor(
    http: Omit<ConnectionHandler, 'serve'>,
    tcp: Omit<ConnectionHandler, 'serve'>,
    accepting: { readonly connections: number; readonly isClosing: boolean },
  ) {
    this.#http = http;
    this.#tcp = tcp;
    this.#accepting = accepting;
  }

  /** Begins, or begins anew with another deadline. */
  begin(request: DrainRequest): void {
    clearInterval(this.#timer);
    this.#http.drain();
    this.#tcp.drain();
    if (request.tcp === 'close') this.#tcp.closeAll();
    const beganAtMs = performance.now();
    const endsAtMs = beganAtMs + request.deadlineMs;
    const isWaiting = () => {
      const { isClosing, connections } = this.#accepting;
      return isClosing || (connections > 0 && performance.now() - beganAtMs < silentGraceMs);
    };
    let reported = '';
    const check = () => {
      const open = { http: this.#http.active, tcp: this.#tcp.active };
      const isOver = performance.now() >= endsAtMs;
      if (isOver || (open.http + open.tcp === 0 && !isWaiting())) {
        clearInterval(this.#timer);
        this.#http.closeAll();
        this.#tcp.closeAll();
        return request.onDone(open);
      }
      const figures = `${open.http} ${open.tcp}`;
      if (figures !== reported) request.onProgress(open);
      reported = figures;
    };
    this.#timer = setInterval(check, pollMs);
    check();
  }

  /** Takes it back: connections that are still open live on. */
  undo(): void {
    this.close();
    this.#http.undrain();
    this.#tcp.undrain();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
