import { frameType, headerBytes, MuxError, readUint32, writeHeader, writeUint32 } from './frame.ts';
import { largestFrameBytes, largestWindowBytes, type MuxLimits, minFrameBytes } from './limits.ts';

/** What each side tells the other in its first frame, and never again. */
export interface PeerSettings {
  /** Minor version: later ones add optional frames and settings only. What breaks gets an ALPN name of its own. */
  readonly version: number;
  /** Bits of features that both must know; none so far. */
  readonly features: number;
  readonly initialWindowBytes: number;
  readonly maxStreams: number;
  readonly maxFrameBytes: number;
}

export const protocolVersion = 1;

/** What every peer accepts, and what a client goes by until the server's settings have come. */
export const leastSettings: PeerSettings = {
  version: protocolVersion,
  features: 0,
  initialWindowBytes: 16 * 1024,
  maxStreams: 100,
  maxFrameBytes: minFrameBytes,
};

const id = { version: 1, features: 2, initialWindow: 3, maxStreams: 4, maxFrame: 5 } as const;
const entryBytes = 5;
/** A peer may know settings that we do not; those are skipped. */
const maxEntries = 32;

/** The SETTINGS frame of this side. */
export function writeSettings(limits: MuxLimits): Buffer {
  const entries: readonly (readonly [number, number])[] = [
    [id.version, protocolVersion],
    [id.features, 0],
    [id.initialWindow, limits.initialWindowBytes],
    [id.maxStreams, limits.maxStreams],
    [id.maxFrame, limits.maxFrameBytes],
  ];
  const frame = Buffer.alloc(headerBytes + entries.length * entryBytes);
  let at = writeHeader(frame, 0, frameType.settings, entries.length * entryBytes, 0);
  for (const [key, value] of entries) {
    frame[at] = key;
    at = writeUint32(frame, at + 1, value);
  }
  return frame;
}

/** Reads the peer's; throws `MuxError` when they make no sense. Missing ones have the least value allowed. */
export function readSettings(bytes: Buffer, start: number, end: number): PeerSettings {
  const size = end - start;
  if (size % entryBytes !== 0 || size > maxEntries * entryBytes) {
    throw new MuxError('protocol', `SETTINGS with ${size} bytes of payload`);
  }
  const values = new Map<number, number>();
  for (let at = start; at < end; at += entryBytes) {
    const key = bytes[at] ?? 0;
    if (values.has(key)) throw new MuxError('protocol', `setting ${key} twice`);
    values.set(key, readUint32(bytes, at + 1));
  }
  return {
    version: within('version', values.get(id.version) ?? 0, 1, 0xffff_ffff),
    features: values.get(id.features) ?? 0,
    initialWindowBytes: within(
      'initial window',
      values.get(id.initialWindow) ?? leastSettings.initialWindowBytes,
      leastSettings.initialWindowBytes,
      largestWindowBytes,
    ),
    maxStreams: within(
      'number of streams',
      values.get(id.maxStreams) ?? leastSettings.maxStreams,
      leastSettings.maxStreams,
      0xffff_ffff,
    ),
    maxFrameBytes: Math.min(
      within('frame size', values.get(id.maxFrame) ?? minFrameBytes, minFrameBytes, 0xff_ffff),
      largestFrameBytes,
    ),
  };
}

function within(name: string, value: number, least: number, most: number): number {
  if (value < least || value > most) {
    throw new MuxError('protocol', `SETTINGS with a ${name} of ${value}, allowed are ${least} to ${most}`);
  }
  return value;
}
