import type { FloodGuard } from './flood-guard.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { PeerSettings } from './peer-settings.ts';
import type { ReceiveCredit } from './receive-credit.ts';
import type { RequestLines } from './request-lines.ts';
import type { Http2Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

/** The session, as the handler of its incoming frames sees it. */
export interface FrameHost {
  readonly isServer: boolean;
  readonly stopped: boolean;
  readonly streams: StreamTable;
  readonly writer: FrameWriter;
  readonly peer: PeerSettings;
  readonly flood: FloodGuard;
  readonly receiveCredit: ReceiveCredit;
  nowMs(): number;
  /** Ends the connection. */
  fail(code: number, rule: string): void;
  /** Ends a stream that is not open (any more), or whose request was never taken. */
  refuseStream(id: number, code: number): void;
  /** Ends an open stream for a fault of the peer. */
  failStream(stream: Http2Stream, code: number): void;
  /** Server: a valid head. */
  takeRequest(id: number, head: RequestLines, ended: boolean): void;
  /** END_STREAM was received. */
  endRemote(stream: Http2Stream): void;
  resetByPeer(stream: Http2Stream, code: number): void;
  goawayByPeer(lastStream: number, code: number): void;
  settingsChanged(windowChange: number): void;
  settingsAcked(): void;
  pong(bytes: Buffer, start: number): void;
  /** The connection's window or, when given, that of a stream has grown. */
  windowGrown(stream: Http2Stream | null, octets: number): void;
}
