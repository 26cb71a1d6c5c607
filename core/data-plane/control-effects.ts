import type { ControlEffects } from './control/control-session.ts';
import type { FaultLease } from './control/fault-lease.ts';
import type { MeshClock } from './control/mesh-clock.ts';
import { toMessage } from './logger.ts';
import type { SidecarParts } from './sidecar-parts.ts';

interface EffectParts extends SidecarParts {
  readonly clock: MeshClock;
  readonly lease: FaultLease;
  /** Keeps what is in force for the next start. */
  readonly save: () => Promise<void>;
}

/** What each message of the control plane does, part by part. */
export function toEffects(program: string, parts: EffectParts): ControlEffects {
  const { clock, lease, identity, configuration, requests, listeners, drain, faults, logger } = parts;
  return {
    program,
    revision: () => configuration.revision,
    config: () => configuration.source,
    certificateSerial: () => identity.serial,
    beginLease: (leaseMs, nowMs) => {
      clock.adjust(nowMs);
      lease.begin(leaseMs);
    },
    heartbeat: (nowMs) => {
      clock.adjust(nowMs);
      lease.renew();
    },
    push: async (next) => {
      await configuration.apply(next);
      requests.configured();
      parts.health.configured();
      lease.arm();
      faults.configured();
      await parts.save();
    },
    createCertificateRequest: (id, spiffeId) => identity.createRequest(id, spiffeId),
    installCertificate: (id, chainPem, bundlePem) => identity.install(id, chainPem, bundlePem),
    installFaultyCertificate: (id, fault, chainPem) => {
      const serial = faults.faulty.install(fault, { keyPem: identity.claimKey(id), chainPem });
      // Callers that are connected would never see it.
      requests.mux.renew();
      return serial;
    },
    trust: (bundlePem) => identity.trust(bundlePem),
    drain: (request) => {
      listeners.closeOutbound();
      drain.begin(request);
    },
    share: () => listeners.share(),
    retire: (request) => {
      listeners.retire();
      parts.dns.retire();
      drain.begin(request);
    },
    undrain: () => {
      drain.undo();
      listeners.reopenOutbound().catch((error: unknown) => logger.error(toMessage(error), error));
    },
    takeReport: () => {
      parts.unseen.refresh();
      parts.udp.refresh();
      return parts.telemetry.takeReport();
    },
  };
}
