import { MeshError } from '../../contract/errors.ts';
import { defaultLeaseMs } from '../../model/control-stream.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Random } from '../../shared/random.ts';
import type { ActiveInjection } from '../../snapshot/snapshot.ts';
import { GatewayCertificates } from '../gateways/gateway-certificates.ts';
import type { CertificateAuthority } from '../identity/certificate-authority.ts';
import { Adoption } from './adoption.ts';
import { AttachCoordinator } from './attach-coordinator.ts';
import type { Attachment } from './attachment.ts';
import { CertificateBook } from './certificate-book.ts';
import { CertificateService } from './certificate-service.ts';
import { IdentityFaults } from './identity-faults.ts';
import type { MeshListener } from './mesh-api.ts';
import type { MeshOptions } from './mesh-options.ts';
import type { Publisher } from './publisher.ts';
import { Reconciler } from './reconciler.ts';
import { SidecarRenewal } from './sidecar-renewal.ts';
import { type SessionOptions, SidecarSessions } from './sidecar-sessions.ts';
import type { WantedSet } from './wanted-set.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

/** What the parts that need the CA are made of. */
export interface PartsInput {
  readonly options: MeshOptions;
  readonly authority: CertificateAuthority;
  readonly registry: WorkloadRegistry;
  readonly attachments: Map<string, Attachment>;
  readonly publisher: Publisher;
  readonly wanted: WantedSet;
  readonly clock: Clock;
  readonly random: Random;
  readonly injections: () => readonly ActiveInjection[];
  readonly onChange: () => void;
  /** A workload's certificate has changed, by id. */
  readonly onCertificate: (workload: string) => void;
  readonly onRemoved: (id: string) => void;
  readonly onTelemetry: SessionOptions['onTelemetry'];
  readonly onProgress: MeshListener['onProgress'];
  readonly onNotice: MeshListener['onNotice'];
}

export interface CertifiedParts {
  readonly certificates: CertificateBook;
  readonly certificateService: CertificateService;
  readonly gatewayCertificates: GatewayCertificates;
  readonly adoption: Adoption;
  readonly identityFaults: IdentityFaults;
  readonly coordinator: AttachCoordinator;
  readonly reconciler: Reconciler;
  readonly renewal: SidecarRenewal;
}

/** Everything that attaches, certifies and renews, in the order in which the parts depend on each other. */
export function assembleParts(input: PartsInput): CertifiedParts {
  const { options, authority, registry, attachments, publisher, wanted, clock, random } = input;
  const { onChange, onProgress, onNotice } = input;
  const { log, credentials = null } = options;
  const certificates = new CertificateBook({
    ...{ authority, clock, random, log },
    workload: (id) => registry.get(id),
    onChanged: input.onCertificate,
  });
  const onIssued = () => publisher.schedule();
  if (credentials !== null) credentials.onChange = onIssued;
  const gatewayCertificates = new GatewayCertificates({
    ...{ authority, stateDir: options.stateDir, clock, log, credentials, onIssued },
  });
  const sessions = new SidecarSessions({
    ...{ publisher, certificates, clock, random, log, onChange, onNotice },
    leaseMs: options.leaseMs ?? defaultLeaseMs,
    nameOf: (id) => registry.get(id)?.name ?? id,
    replaceSidecar: (id) => registry.runtimeOf(present(registry, id)).startSidecar(id),
    onTelemetry: input.onTelemetry,
  });
  const coordinator = new AttachCoordinator({
    ...{ registry, publisher, certificates, sessions, wanted, attachments, onChange, onProgress, log },
    onRemoved: input.onRemoved,
  });
  const reconciler = new Reconciler({ registry, coordinator, attachments, wanted, onNotice, log });
  const renewal = new SidecarRenewal({
    ...{ registry, attachments, publisher, sessions, onProgress, onNotice, onChange, log },
  });
  return {
    ...{ certificates, gatewayCertificates, coordinator, reconciler, renewal },
    certificateService: new CertificateService({ book: certificates, registry, attachments, log }),
    adoption: new Adoption({ registry, attachments, coordinator, reconciler, renewal, publisher, wanted, log }),
    identityFaults: new IdentityFaults({
      ...{ registry, attachments, authority, clock, onNotice, log },
      active: input.injections,
    }),
  };
}

function present(registry: WorkloadRegistry, id: string) {
  const workload = registry.get(id);
  if (workload === null) throw new MeshError('NOT_FOUND', 'The workload is gone.');
  return workload;
}
