import { floodCost } from './flood-guard.ts';
import type { FrameHost } from './frame-host.ts';
import { errorCode, flag, maxWindow } from './protocol.ts';

/** Frames that carry no part of a message, RFC 9113 sections 6.3 to 6.9. */
export class ControlFrames {
  readonly #host: FrameHost;
  settingsSeen = false;

  constructor(host: FrameHost) {
    this.#host = host;
  }

  windowUpdate(id: number, bytes: Buffer, start: number, length: number): void {
    const host = this.#host;
    if (length !== 4) {
      host.fail(errorCode.frameSizeError, 'a WINDOW_UPDATE that is not 4 octets long');
      return;
    }
    if (!this.spend(floodCost.windowUpdate, 'too many WINDOW_UPDATE frames')) return;
    const octets = bytes.readUInt32BE(start) & maxWindow;
    if (id === 0) {
      if (octets === 0) host.fail(errorCode.protocolError, 'a WINDOW_UPDATE of nothing');
      else host.windowGrown(null, octets);
      return;
    }
    if (host.streams.standing(id) === 'idle') {
      host.fail(errorCode.protocolError, 'WINDOW_UPDATE on a stream that is idle');
      return;
    }
    const stream = host.streams.get(id);
    if (stream === undefined) return;
    if (octets === 0) host.failStream(stream, errorCode.protocolError);
    else if (stream.sendWindow + octets > maxWindow) host.failStream(stream, errorCode.flowControlError);
    else host.windowGrown(stream, octets);
  }

  reset(id: number, bytes: Buffer, start: number, length: number): void {
    const host = this.#host;
    if (length !== 4) {
      host.fail(errorCode.frameSizeError, 'an RST_STREAM that is not 4 octets long');
      return;
    }
    if (id === 0 || host.streams.standing(id) === 'idle') {
      host.fail(errorCode.protocolError, 'RST_STREAM on a stream that is idle');
      return;
    }
    const stream = host.streams.get(id);
    const cost = host.isServer && stream?.localEnded === false ? floodCost.reset : floodCost.lateReset;
    if (!this.spend(cost, 'too many streams are reset')) return;
    if (stream !== undefined) host.resetByPeer(stream, bytes.readUInt32BE(start));
  }

  settings(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const host = this.#host;
    if (id !== 0) {
      host.fail(errorCode.protocolError, 'SETTINGS on a stream');
      return;
    }
    if ((flags & flag.ack) !== 0) {
      if (end !== start) host.fail(errorCode.frameSizeError, 'an acknowledgement of SETTINGS with content');
      else host.settingsAcked();
      return;
    }
    if ((end - start) % 6 !== 0) {
      host.fail(errorCode.frameSizeError, 'SETTINGS that are not whole');
      return;
    }
    if (this.settingsSeen && !this.spend(floodCost.settings, 'too many SETTINGS')) return;
    this.settingsSeen = true;
    const before = host.peer.initialWindow;
    const refusal = host.peer.apply(bytes, start, end, !host.isServer);
    if (refusal !== null) {
      host.fail(refusal.code, refusal.rule);
      return;
    }
    host.settingsChanged(host.peer.initialWindow - before);
  }

  ping(flags: number, id: number, bytes: Buffer, start: number, length: number): void {
    const host = this.#host;
    if (id !== 0) {
      host.fail(errorCode.protocolError, 'PING on a stream');
      return;
    }
    if (length !== 8) {
      host.fail(errorCode.frameSizeError, 'a PING that is not 8 octets long');
      return;
    }
    if ((flags & flag.ack) !== 0) {
      host.pong(bytes, start);
      return;
    }
    if (this.spend(floodCost.ping, 'too many PING frames')) host.writer.ping(bytes, start, true);
  }

  goaway(id: number, bytes: Buffer, start: number, length: number): void {
    const host = this.#host;
    if (id !== 0) {
      host.fail(errorCode.protocolError, 'GOAWAY on a stream');
      return;
    }
    if (length < 8) {
      host.fail(errorCode.frameSizeError, 'a GOAWAY shorter than 8 octets');
      return;
    }
    if (!this.spend(floodCost.settings, 'too many GOAWAY frames')) return;
    host.goawayByPeer(bytes.readUInt32BE(start) & maxWindow, bytes.readUInt32BE(start + 4));
  }

  /** RFC 9113 section 5.3.2: priorities are read as far as needed to tell a broken frame, and ignored. */
  priority(id: number, length: number): void {
    const host = this.#host;
    if (id === 0) {
      host.fail(errorCode.protocolError, 'PRIORITY on stream 0');
      return;
    }
    if (!this.spend(floodCost.priority, 'too many PRIORITY frames') || length === 5) return;
    const stream = host.streams.get(id);
    if (stream === undefined) host.fail(errorCode.frameSizeError, 'a PRIORITY that is not 5 octets long');
    else host.failStream(stream, errorCode.frameSizeError);
  }

  spend(tokens: number, rule: string): boolean {
    if (this.#host.flood.spend(tokens)) return true;
    this.#host.fail(errorCode.enhanceYourCalm, rule);
    return false;
  }
}
