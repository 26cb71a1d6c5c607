import { MeshError } from '../../contract/errors.ts';
import { toServiceKey } from '../../model/workload.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import { compileInjection } from '../../snapshot/policies/injections.ts';
import type { ActiveInjection } from '../../snapshot/snapshot.ts';
import { spiffeIdOf } from '../../snapshot/workload-identity.ts';
import type { CertificateAuthority } from '../identity/certificate-authority.ts';
import { type IdentityFaultAction, issueFaultyCertificate } from '../identity/issue-faulty-certificate.ts';
import type { SidecarConnection } from '../push/sidecar-connection.ts';
import type { Attachment } from './attachment.ts';
import type { MeshListener } from './mesh-api.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

export interface IdentityFaultsOptions {
  readonly registry: Pick<WorkloadRegistry, 'get'>;
  readonly attachments: ReadonlyMap<string, Attachment>;
  /** FaultInjections that are switched on. */
  readonly active: () => readonly ActiveInjection[];
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  readonly onNotice: MeshListener['onNotice'];
  readonly log: Logger;
}

/** Sidecars that have come meanwhile are looked for so often, as long as there are faults of identities. */
const intervalMs = 500;

/**
 * Faults of identities: gives the sidecars of a service certificates that callers refuse. When a sidecar shows them is its
 * own decision, by its configuration and lease; here nothing has to be taken back.
 */
export class IdentityFaults {
  readonly #options: IdentityFaultsOptions;
  /** What each connection's sidecar has got, by fault and when it was switched on. */
  readonly #given = new WeakMap<SidecarConnection, Set<string>>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: IdentityFaultsOptions) {
    this.#options = options;
  }

  /** Faults have changed. */
  reconcile(): void {
    const faults = this.#options.active().flatMap((injection) => {
      const config = compileInjection(injection)?.config;
      const action = config?.action;
      return config !== undefined && action !== undefined && isOfIdentity(action) ? [{ ...config, action }] : [];
    });
    if (faults.length === 0) {
      this.close();
      return;
    }
    if (this.#timer === null) {
      this.#timer = setInterval(() => this.reconcile(), intervalMs);
      this.#timer.unref();
    }
    for (const { workloadId, link } of this.#options.attachments.values()) {
      const connection = link?.connection ?? null;
      const workload = this.#options.registry.get(workloadId);
      if (connection === null || workload === null) continue;
      for (const fault of faults) {
        if (toServiceKey(workload.service, workload.namespace) !== fault.service) continue;
        this.#give(connection, workloadId, fault.id, fault.sinceMs, fault.action);
      }
    }
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #give(
    connection: SidecarConnection,
    workloadId: string,
    fault: string,
    sinceMs: number,
    action: IdentityFaultAction,
  ): void {
    const given = this.#given.get(connection) ?? new Set();
    this.#given.set(connection, given);
    const key = `${fault} ${sinceMs}`;
    if (given.has(key)) return;
    given.add(key);
    const { onNotice, registry } = this.#options;
    this.#install(connection, workloadId, fault, action).catch((error: unknown) => {
      const name = registry.get(workloadId)?.name ?? workloadId;
      const message = error instanceof Error ? error.message : String(error);
      if (!connection.isClosed)
        onNotice({ level: 'error', code: null, message: `The fault does not act on ${name}: ${message}` });
    });
  }

  async #install(
    connection: SidecarConnection,
    workloadId: string,
    fault: string,
    action: IdentityFaultAction,
  ): Promise<void> {
    const { authority, clock, log, registry } = this.#options;
    const workload = registry.get(workloadId);
    if (workload === null) throw new MeshError('IDENTITY_FAILED', 'The workload is gone.');
    const spiffeId = spiffeIdOf(workload, authority.trustDomain);
    const commonName = `${workload.service}.${workload.namespace}`;
    await connection.installFaultyCertificate(fault, spiffeId, (csrPem) =>
      issueFaultyCertificate(authority, action, { csrPem, spiffeId, commonName, nowMs: clock.nowMs() }),
    );
    log.info(`${workload.name} has a certificate for the fault ${fault}`);
  }
}

function isOfIdentity(action: { readonly kind: string }): action is IdentityFaultAction {
  return action.kind.startsWith('identity-');
}
