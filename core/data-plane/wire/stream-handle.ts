import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';

/**
 * What raw wires use of Node's stream handles (`TCP`, `Pipe`, `TLSWrap`): internals, the same from Node 20 to 24. Nothing
 * outside this folder may know them, and nothing here may assume that they are there: see `findStreamBindings`.
 */
export interface StreamHandle {
  /** Called after every read; the number of bytes is in `StreamBindings.state`. A returned buffer replaces the read buffer. */
  onread: (this: StreamHandle) => Uint8Array | undefined;
  /** Reads go into `buffer`, which the caller keeps alive. Once per handle. */
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  /** 0 or a negative errno. Tries to write at once; what is left is written later, from the same memory. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  /** 0: `oncomplete` follows; 1: done at once; negative: errno. */
  shutdown(request: ShutdownRequest): number;
}

export interface WriteRequest {
  handle?: StreamHandle | null;
  oncomplete?: (this: WriteRequest, status: number) => void;
}

export interface ShutdownRequest {
  handle?: StreamHandle | null;
  oncomplete?: (this: ShutdownRequest, status: number) => void;
}

export interface StreamBindings {
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => ShutdownRequest;
  /** Results of the call that was made last, by index. */
  readonly state: Int32Array;
  readonly readIndex: number;
  readonly wasAsyncIndex: number;
}

/** libuv's errno for the end of a stream, on every platform. */
export const endOfFile = -4095;

/** `null` where Node does not have them in the shape that we know. */
export function findStreamBindings(): StreamBindings | null {
  const found = readBinding();
  if (typeof found !== 'object' || found === null) return null;
  const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = found as Partial<
    Record<string, unknown>
  >;
  if (typeof WriteWrap !== 'function' || typeof ShutdownWrap !== 'function') return null;
  if (!(streamBaseState instanceof Int32Array)) return null;
  if (!isIndex(kReadBytesOrError, streamBaseState) || !isIndex(kLastWriteWasAsync, streamBaseState)) return null;
  return {
    WriteWrap: WriteWrap as StreamBindings['WriteWrap'],
    ShutdownWrap: ShutdownWrap as StreamBindings['ShutdownWrap'],
    state: streamBaseState,
    readIndex: kReadBytesOrError,
    wasAsyncIndex: kLastWriteWasAsync,
  };
}

/** The handle below an open socket; `null` when it has none, or one that a raw wire cannot use. */
export function handleOf(socket: Socket): StreamHandle | null {
  const handle = (socket as unknown as { _handle?: Partial<StreamHandle> | null })._handle;
  if (handle === null || handle === undefined) return null;
  const { useUserBuffer, readStart, readStop, writeBuffer, shutdown } = handle;
  const methods = [useUserBuffer, readStart, readStop, writeBuffer, shutdown];
  return methods.every((method) => typeof method === 'function') ? (handle as StreamHandle) : null;
}

/** The socket's stream has got its end, whether or not somebody has heard of it. */
export function hasEnded(socket: Socket): boolean {
  if (socket.readableEnded) return true;
  return (socket as unknown as { _readableState?: { ended?: boolean } })._readableState?.ended === true;
}

/** What Node has read into the socket already; `null`: nothing. */
export function drainSocket(socket: Socket): Buffer | null {
  const pieces: Buffer[] = [];
  while (socket.readableLength > 0) {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) break;
    pieces.push(bytes);
  }
  return pieces.length === 0 ? null : Buffer.concat(pieces);
}

export function toError(errno: number, call: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${call} ${code}`), { errno, code, syscall: call });
}

function readBinding(): unknown {
  const inner = process as unknown as { binding?: (name: string) => unknown; noDeprecation?: boolean };
  if (typeof inner.binding !== 'function') return null;
  // With `--pending-deprecation` Node would warn; it is done on purpose and with a fall-back.
  const before = inner.noDeprecation;
  inner.noDeprecation = true;
  try {
    return inner.binding('stream_wrap');
  } catch {
    // Node refuses the binding: it has become none that may be used.
    return null;
  } finally {
    if (before === undefined) delete inner.noDeprecation;
    else inner.noDeprecation = before;
  }
}

function isIndex(value: unknown, array: Int32Array): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < array.length;
}
