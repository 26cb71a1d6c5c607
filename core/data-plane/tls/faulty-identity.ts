import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { TelemetrySink } from '../connection.ts';
import type { IdentityAction, Injection } from '../faults/injection-set.ts';
import type { IdentityMaterial } from './workload-identity.ts';

export interface FaultyIdentityOptions {
  /** Faults of this sidecar's own service. */
  readonly injections: () => readonly Injection<IdentityAction>[];
  /** The control plane's wall clock. */
  readonly nowMs: () => number;
  /** Whether the lease holds (control/fault-lease.ts). */
  readonly faultsAllowed: () => boolean;
  readonly telemetry: Pick<TelemetrySink, 'faultSeen'>;
}

/** What is shown to a caller in place of the certificate. */
export type FaultyMaterial = Pick<IdentityMaterial, 'keyPem' | 'chainPem'>;

/**
 * Certificates that a fault shows to callers: expired, of a wrong name, of an authority that nobody knows. They live beside
 * the sidecar's own identity, which nothing here changes, are never saved, and are used only while their fault is in force.
 */
export class FaultyIdentity {
  readonly #options: FaultyIdentityOptions;
  /** By fault. */
  readonly #materials = new Map<string, FaultyMaterial>();

  constructor(options: FaultyIdentityOptions) {
    this.#options = options;
  }

  /** Returns the certificate's serial; throws when it does not fit the key. */
  install(fault: string, material: FaultyMaterial): string {
    const leaf = new X509Certificate(material.chainPem[0] ?? '');
    createSecureContext({ key: material.keyPem, cert: material.chainPem.join('\n') });
    this.#materials.set(fault, material);
    return leaf.serialNumber.toLowerCase();
  }

  /** For a handshake that begins now; `null`: the sidecar's own. Each call counts for triggers. */
  draw(): FaultyMaterial | null {
    const { injections, nowMs, faultsAllowed, telemetry } = this.#options;
    if (this.#materials.size === 0 || !faultsAllowed()) return null;
    for (const injection of injections()) {
      const { id } = injection.config;
      const material = this.#materials.get(id);
      if (material === undefined) continue;
      const isHit = injection.decide(nowMs(), 0);
      telemetry.faultSeen(id, isHit);
      if (isHit) return material;
    }
    return null;
  }

  /** A configuration has come into force. */
  configured(): void {
    const known = new Set(this.#options.injections().map(({ config }) => config.id));
    for (const fault of [...this.#materials.keys()]) if (!known.has(fault)) this.#materials.delete(fault);
  }
}
