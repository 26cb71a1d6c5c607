import type { TelemetrySink } from '../connection.ts';
import type { Configuration } from '../control/configuration.ts';
import { FaultyIdentity } from '../tls/faulty-identity.ts';
import { ToxicDesk } from '../toxics/toxic-desk.ts';

export interface ConnectionFaultsOptions {
  readonly configuration: () => Pick<Configuration, 'compiled'>;
  /** The control plane's wall clock. */
  readonly nowMs: () => number;
  /** Whether the lease holds. */
  readonly faultsAllowed: () => boolean;
  readonly telemetry: Pick<TelemetrySink, 'faultSeen'>;
}

/** Faults of connections: of those that go out, and of the certificate that those which come in are shown. */
export class ConnectionFaults {
  readonly toxics: ToxicDesk;
  readonly faulty: FaultyIdentity;

  constructor({ configuration, ...shared }: ConnectionFaultsOptions) {
    this.toxics = new ToxicDesk({ injections: () => configuration().compiled.injections, ...shared });
    const own = () => {
      const { injections, source } = configuration().compiled;
      return injections.of(`${source.workload.service}.${source.workload.namespace}`).identity;
    };
    this.faulty = new FaultyIdentity({ injections: own, ...shared });
  }

  /** A configuration has come into force. */
  configured(): void {
    this.toxics.configured();
    this.faulty.configured();
  }

  close(): void {
    this.toxics.close();
  }
}
