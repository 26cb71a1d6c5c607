import type { RequestTaker } from './stream.ts';

export interface SessionOptions {
  readonly role: 'server' | 'client';
  /** Server: takes each request by setting the stream's owner, or ends it. */
  readonly onRequest?: RequestTaker;
  /** Client: no request may be opened any more; those under way go on. */
  readonly onGoaway?: () => void;
  /** Client: `canOpen` has become true again. */
  readonly onRoom?: () => void;
  /** The wire is gone; every stream has been told. `reason` is '' for an orderly end. */
  readonly onClosed: (reason: string) => void;
  readonly monotonicMs: () => number;
}
