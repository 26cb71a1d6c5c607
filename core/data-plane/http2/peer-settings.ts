import { errorCode, maxFrameBytes, maxWindow, setting } from './protocol.ts';

export interface SettingsRefusal {
  readonly code: number;
  readonly rule: string;
}

/** Requests at a time until the server has said how many it takes: what RFC 9113 (6.5.2) asks it to take at least. */
const streamsBeforeSettings = 100;

/** What the peer has announced, RFC 9113 section 6.5.2. Settings that are not known are ignored. */
export class PeerSettings {
  /** False until the first SETTINGS have come. */
  seen = false;
  maxConcurrentStreams = Number.POSITIVE_INFINITY;
  initialWindow = 65_535;
  headerTableBytes = 4_096;
  /** A server's: CONNECT may name a protocol. */
  takesConnectProtocol = false;
  readonly #waiting: (() => void)[] = [];

  /** How many requests it takes at a time. */
  get maxOpen(): number {
    return this.seen ? this.maxConcurrentStreams : streamsBeforeSettings;
  }

  /** Calls back when they have come, which they have not yet. */
  onceSeen(tell: () => void): void {
    this.#waiting.push(tell);
  }

  /** Takes a payload, a multiple of six octets long. */
  apply(bytes: Buffer, start: number, end: number, fromServer: boolean): SettingsRefusal | null {
    this.seen = true;
    for (const tell of this.#waiting.splice(0)) queueMicrotask(tell);
    for (let at = start; at < end; at += 6) {
      const value = bytes.readUInt32BE(at + 2);
      switch (bytes.readUInt16BE(at)) {
        case setting.headerTableSize:
          this.headerTableBytes = value;
          break;
        case setting.enablePush:
          if (value > 1 || (fromServer && value === 1)) {
            return { code: errorCode.protocolError, rule: 'an invalid SETTINGS_ENABLE_PUSH' };
          }
          break;
        case setting.maxConcurrentStreams:
          this.maxConcurrentStreams = value;
          break;
        case setting.initialWindowSize:
          if (value > maxWindow) return { code: errorCode.flowControlError, rule: 'an initial window above 2^31-1' };
          this.initialWindow = value;
          break;
        case setting.enableConnectProtocol:
          // RFC 8441 section 3: once given, it is not taken back.
          if (value > 1 || (value === 0 && this.takesConnectProtocol)) {
            return { code: errorCode.protocolError, rule: 'an invalid SETTINGS_ENABLE_CONNECT_PROTOCOL' };
          }
          this.takesConnectProtocol = value === 1;
          break;
        case setting.maxFrameSize:
          if (value < maxFrameBytes || value > 0xffffff) {
            return { code: errorCode.protocolError, rule: 'an invalid SETTINGS_MAX_FRAME_SIZE' };
          }
          break;
      }
    }
    return null;
  }
}
