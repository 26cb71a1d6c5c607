import type { Clock } from '../../shared/clock.ts';
import type { TelemetrySink, UpstreamConnector } from '../connection.ts';
import type { HttpCodec } from './codec.ts';
import type { CompiledConfig } from './compiled-config.ts';
import type { ClientStream, RequestServer } from './streams.ts';

/** What every accepted connection of a handler shares. */
export interface DownstreamParts {
  readonly codec: HttpCodec;
  readonly clock: Clock;
  readonly telemetry: TelemetrySink;
  readonly connector: UpstreamConnector;
  readonly config: () => CompiledConfig;
  readonly requests: RequestServer;
  readonly lingerMs: number;
  /** The connection ends with its next answer. */
  readonly isLeaving: (connection: ClientStream) => boolean;
}
