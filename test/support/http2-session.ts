import { Http2Session } from '../../core/data-plane/http2/session.ts';
import type { Http2Stream, StreamOwner } from '../../core/data-plane/http2/stream.ts';
import { MemoryWire } from './memory-wire.ts';

/** Writes down everything a session says about its streams. */
export class Recorder implements StreamOwner {
  readonly events: string[] = [];
  readonly streams: Http2Stream[] = [];
  readonly content: Buffer[] = [];

  request(stream: Http2Stream, head: string, ended: boolean): void {
    stream.owner = this;
    this.streams.push(stream);
    this.events.push(`${stream.id} request ${head}${ended ? ' ended' : ''}`);
  }

  onHead: StreamOwner['onHead'] = (stream, head) => {
    this.events.push(`${stream.id} head ${linesOf(head)}`);
  };

  onContent: StreamOwner['onContent'] = (stream, bytes, start, end) => {
    this.content.push(Buffer.from(bytes.subarray(start, end)));
    const last = this.events.at(-1) ?? '';
    // Pieces of content are one event: how they were cut says nothing.
    const text = bytes.toString('latin1', start, end);
    if (last.startsWith(`${stream.id} content `)) this.events[this.events.length - 1] = last + text;
    else this.events.push(`${stream.id} content ${text}`);
  };

  onTrailers: StreamOwner['onTrailers'] = (stream, bytes, { fieldsStart, end }) => {
    this.events.push(`${stream.id} trailers ${linesOf({ bytes, start: fieldsStart, end })}`);
  };

  onEnd: StreamOwner['onEnd'] = (stream) => {
    this.events.push(`${stream.id} end`);
  };

  onDrain: StreamOwner['onDrain'] = (stream) => {
    this.events.push(`${stream.id} drain`);
  };

  onReset: StreamOwner['onReset'] = (stream, code, origin, unprocessed) => {
    this.events.push(`${stream.id} reset ${code} by ${origin}${unprocessed ? ' unprocessed' : ''}`);
  };

  stream(id: number): Http2Stream {
    const found = this.streams.find((stream) => stream.id === id);
    if (found === undefined) throw new Error(`no stream ${id}`);
    return found;
  }
}

export function linesOf(head: { bytes: Buffer; start: number; end: number }): string {
  return head.bytes.toString('latin1', head.start, head.end).trimEnd().replaceAll('\r\n', '|');
}

export interface TestSession {
  readonly wire: MemoryWire;
  readonly session: Http2Session;
  readonly recorder: Recorder;
  readonly closed: string[];
  /** Moves the session's clock. */
  advance(ms: number): void;
}

export function createSession(role: 'server' | 'client'): TestSession {
  const wire = new MemoryWire();
  const recorder = new Recorder();
  const closed: string[] = [];
  let nowMs = 0;
  const session = new Http2Session(wire, {
    role,
    onRequest: (stream, head, ended) => recorder.request(stream, linesOf(head), ended),
    onClosed: (reason) => closed.push(reason),
    onGoaway: () => recorder.events.push('goaway'),
    onRoom: () => recorder.events.push('room'),
    monotonicMs: () => nowMs,
  });
  session.start(Buffer.alloc(0));
  return {
    wire,
    session,
    recorder,
    closed,
    advance(ms) {
      nowMs += ms;
      session.tick(nowMs);
    },
  };
}
