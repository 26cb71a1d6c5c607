import { findStreamBindings, type ShutdownRequest, type StreamHandle, type WriteRequest } from './stream-handle.ts';

/** Writes and shutdowns on a stream handle: one call each, with request objects that are used again as long as they can be. */
export interface WriteTarget {
  /** A write that was not done at once is done; `bytes` may be changed again. */
  written(bytes: Buffer, status: number): void;
  /** Our FIN has left, or never will. */
  wasShutDown(): void;
}

interface PendingWrite extends WriteRequest {
  /** Absent until it is known that the write goes on after the call that asked for it. */
  target?: WriteTarget;
  /** How it ended within that call: TLS over a connection that is lost already. */
  endedWithin?: number;
  /** Kept alive and unchanged until the write is done. */
  bytes: Buffer;
}

interface PendingShutdown extends ShutdownRequest {
  target: WriteTarget;
}

/** What `write` returns when `written` follows; 0: all was written at once; negative: errno. */
export const goesOn = 1;

const bindings = findStreamBindings();
const state = bindings?.state ?? new Int32Array(1);
const wasAsyncIndex = bindings?.wasAsyncIndex ?? 0;
const noBytes = new Uint8Array(0);
let idleRequest: PendingWrite | null = null;

export function write(handle: StreamHandle, bytes: Buffer, start: number, end: number, target: WriteTarget): number {
  const request = idleRequest ?? createRequest();
  const error = handle.writeBuffer(request, viewOf(bytes, start, end)) || (request.endedWithin ?? 0);
  if (error !== 0 || request.endedWithin === 0) {
    idleRequest = null;
    return error;
  }
  if (state[wasAsyncIndex] === 0) {
    idleRequest = request;
    return 0;
  }
  idleRequest = null;
  request.target = target;
  request.handle = handle;
  request.bytes = bytes;
  return goesOn;
}

/** Writing nothing fails on a connection that was reset, and does nothing otherwise. 0 or a negative errno. */
export function probe(handle: StreamHandle): number {
  const request = idleRequest ?? createRequest();
  idleRequest = null;
  const error = handle.writeBuffer(request, noBytes);
  if (error === 0 && state[wasAsyncIndex] === 0) idleRequest = request;
  return error;
}

export function shutDown(handle: StreamHandle, target: WriteTarget): void {
  if (bindings === null) return;
  const request = new bindings.ShutdownWrap() as PendingShutdown;
  request.target = target;
  request.handle = handle;
  request.oncomplete = onShutdown;
  if (handle.shutdown(request) !== 0) target.wasShutDown();
}

/** Views of the slab that is written from, in lengths that come again. */
const views: (Uint8Array | null)[] = new Array(256).fill(null);
let viewed: ArrayBufferLike | null = null;
/** Slabs are allocated on their own; what is smaller is not worth keeping. */
const slabBytes = 128 * 1024;

function viewOf(bytes: Buffer, start: number, end: number): Uint8Array {
  const { buffer, byteOffset } = bytes;
  const size = end - start;
  if (start !== 0 || bytes.length !== slabBytes) return new Uint8Array(buffer, byteOffset + start, size);
  if (buffer !== viewed) {
    views.fill(null);
    viewed = buffer;
  }
  const slot = size & 255;
  const known = views[slot] ?? null;
  if (known !== null && known.length === size) return known;
  const view = new Uint8Array(buffer, byteOffset, size);
  views[slot] = view;
  return view;
}

function onWritten(this: WriteRequest, status: number): void {
  const request = this as PendingWrite;
  if (request.target === undefined) request.endedWithin = status;
  else request.target.written(request.bytes, status);
}

function onShutdown(this: ShutdownRequest): void {
  (this as PendingShutdown).target.wasShutDown();
}

function createRequest(): PendingWrite {
  if (bindings === null) throw new Error('Node has no stream handles that we know');
  const request = new bindings.WriteWrap() as PendingWrite;
  request.oncomplete = onWritten;
  return request;
}
