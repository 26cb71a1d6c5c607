import { copyBytes } from './copy-bytes.ts';
import {
  commitOutput,
  currentSlab,
  dropOutputOf,
  flushOutputOf,
  type OutputWire,
  pendingOutputOf,
  reserveOutput,
} from './output.ts';
import { highWaterBytes, type WireOwner } from './wire.ts';

/** What every wire does alike when it sends: composes in the slab of the process, and leaves with the rest of a dispatch. */
export abstract class SlabSender implements OutputWire {
  owner: WireOwner;
  readonly isTls: boolean;
  closed = false;
  sendLimitBytes = highWaterBytes;
  abstract readonly writable: boolean;

  constructor(owner: WireOwner, isTls: boolean) {
    this.owner = owner;
    this.isTls = isTls;
  }

  abstract takeOutput(slab: Buffer, start: number, end: number): boolean;
  /** False: too much waits; `onDrain` follows when it has left. */
  protected abstract mayGoOn(): boolean;

  get output(): Buffer {
    return currentSlab();
  }

  /** Bytes of this wire in the slab. */
  protected get pendingBytes(): number {
    return pendingOutputOf(this);
  }

  reserve(size: number): number {
    return reserveOutput(this, size);
  }

  commit(end: number): boolean {
    if (!this.writable) {
      dropOutputOf(this);
      return true;
    }
    commitOutput(end);
    return this.mayGoOn();
  }

  flush(): void {
    flushOutputOf(this);
  }

  /** No more than can be reserved. */
  protected sendCopy(bytes: Buffer, start: number, end: number): boolean {
    // Before the slab is asked for: making room may exchange it.
    const at = reserveOutput(this, end - start);
    return this.commit(copyBytes(bytes, start, end, currentSlab(), at));
  }

  /** What waits in the slab is of no use any more. */
  protected drop(): void {
    dropOutputOf(this);
  }
}
