/**
 * A connection with as little between it and the kernel as Node allows, for both ends of the bench: reads go into one buffer
 * shared by all links, a write is tried at once. It uses the handle below `net.Socket`; where that is not as expected it
 * falls back to the socket itself, which is slower but measures the same.
 */
import type { Socket } from 'node:net';

interface WriteRequest {
  oncomplete: (status: number) => void;
  handle: Handle;
  buffer: Buffer;
}

interface Handle {
  onread: () => void;
  useUserBuffer(buffer: Buffer): void;
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  readStart(): number;
}

interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

export interface LinkOwner {
  /** `bytes[0, length)` is valid during the call only. */
  onBytes(bytes: Buffer, length: number): void;
  /** Once; nothing follows. */
  onClose(reason: string): void;
}

function loadStreamWrap(): StreamWrap | null {
  const binding: unknown = Reflect.get(process, 'binding');
  if (typeof binding !== 'function') return null;
  try {
    const loaded = binding.call(process, 'stream_wrap') as StreamWrap;
    return typeof loaded.WriteWrap === 'function' && loaded.streamBaseState.length > 0 ? loaded : null;
  } catch {
    return null; // a Node without it
  }
}

const wrap = loadStreamWrap();
const input = Buffer.allocUnsafeSlow(256 * 1024);

function handleOf(socket: Socket): Handle | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (wrap === null || typeof handle !== 'object' || handle === null) return null;
  const usable = ['useUserBuffer', 'writeBuffer', 'readStart'].every(
    (name) => typeof Reflect.get(handle, name) === 'function',
  );
  return usable ? (handle as Handle) : null;
}

export class RawLink {
  readonly #socket: Socket;
  readonly #handle: Handle | null;
  readonly #owner: LinkOwner;
  #request: WriteRequest | null = null;
  #closed = false;

  /** Takes over a connected socket that nobody has read from. */
  constructor(socket: Socket, owner: LinkOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#handle = handleOf(socket);
    socket.setNoDelay(true);
    socket.on('error', (error) => this.#close(error.message));
    socket.on('close', () => this.#close('closed'));
    if (this.#handle === null) {
      socket.on('data', (chunk: Buffer) => owner.onBytes(chunk, chunk.length));
      socket.resume();
      return;
    }
    socket.pause(); // it would start reading by itself, and fail because the handle reads already
    // biome-ignore lint/correctness/useHookAtTopLevel: it is a method of Node, not a React hook
    this.#handle.useUserBuffer(input);
    this.#handle.onread = () => this.#onRead();
    this.#handle.readStart();
  }

  /** At most one write may wait for the kernel; `bytes` must not change before it has left. */
  write(bytes: Buffer): void {
    if (this.#closed) return;
    if (this.#handle === null || wrap === null) {
      this.#socket.write(bytes);
      return;
    }
    const request = this.#request ?? new wrap.WriteWrap();
    this.#request = null;
    request.handle = this.#handle;
    request.oncomplete = (status) => {
      if (status < 0) this.close(`write failed: ${status}`);
    };
    const status = this.#handle.writeBuffer(request, bytes);
    if (status !== 0) this.close(`write failed: ${status}`);
    else if (wrap.streamBaseState[wrap.kLastWriteWasAsync] === 0) this.#request = request;
    else request.buffer = bytes;
  }

  close(reason: string): void {
    this.#close(reason);
    this.#socket.destroy();
  }

  #onRead(): void {
    const length = wrap?.streamBaseState[wrap.kReadBytesOrError] ?? -1;
    if (length > 0) this.#owner.onBytes(input, length);
    else if (length < 0) this.close(length === -4095 ? 'ended by the peer' : `read failed: ${length}`);
  }

  #close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.onClose(reason);
  }
}
