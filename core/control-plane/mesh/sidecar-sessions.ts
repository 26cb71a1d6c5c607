import { MeshError } from '../../contract/errors.ts';
import type { TelemetryReport } from '../../model/telemetry-report.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Random } from '../../shared/random.ts';
import type { SidecarConnection } from '../push/sidecar-connection.ts';
import { SidecarLink } from '../push/sidecar-link.ts';
import type { Sidecar, SuccessorSidecar } from '../runtime/runtime.ts';
import type { Attachment, Successor } from './attachment.ts';
import type { CertificateBook } from './certificate-book.ts';
import type { Publisher } from './publisher.ts';

export interface SessionOptions {
  readonly publisher: Publisher;
  readonly certificates: CertificateBook;
  readonly nameOf: (workloadId: string) => string;
  /** A new sidecar for a workload whose own cannot be reached any more. */
  readonly replaceSidecar: (workloadId: string) => Promise<Sidecar>;
  /** `isLate`: it comes from a sidecar that is not in charge of the workload, or not yet. */
  readonly onTelemetry: (workloadId: string, report: TelemetryReport, isLate: boolean) => void;
  readonly onChange: () => void;
  readonly onNotice: (notice: { level: 'info' | 'warn' | 'error'; code: string | null; message: string }) => void;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** How long a sidecar may be out of reach before the others stop using mutual TLS with it; default 2,000. */
  readonly retractAfterMs?: number;
}

/**
 * Failed dials in a row after which another sidecar is started. A dial waits for a program that is just starting, so a
 * second failure means that there is nothing left to reach, and its redirect rules cut the application off meanwhile.
 */
const dialsBeforeReplacement = 2;

/**
 * What happens on the link of an attached workload: a lost connection makes it degraded, a restarted sidecar gets its
 * certificate, configuration and redirect rules again, and then it is as before.
 */
export class SidecarSessions {
  readonly #options: SessionOptions;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  createLink(attachment: Attachment): SidecarLink {
    const link = this.#newLink(attachment, null);
    attachment.link = link;
    return link;
  }

  /** A link to the next sidecar of a workload, which says nothing about the workload until `promote`. */
  createSuccessor(attachment: Attachment, sidecar: SuccessorSidecar): Successor {
    const link = this.#newLink(attachment, sidecar);
    attachment.successor = { sidecar, link, certificateUsed: () => undefined, refusal: null };
    return attachment.successor;
  }

  /** A link to a sidecar that has handed over: to let it end. */
  createLinkToRetired(attachment: Attachment, sidecar: Sidecar): SidecarLink {
    return this.#newLink(attachment, sidecar);
  }

  /** The successor is in charge from now on. Returns what it succeeds. */
  promote(attachment: Attachment, successor: Successor): { sidecar: Sidecar | null; link: SidecarLink | null } {
    const { certificates, log, nameOf } = this.#options;
    const { sidecar, link, workloadId } = attachment;
    attachment.sidecar = successor.sidecar;
    attachment.link = successor.link;
    attachment.successor = null;
    attachment.failedDials = 0;
    successor.certificateUsed();
    const { connection } = successor.link;
    connection?.sendTrust(certificates.authority.trustBundlePem);
    if (connection !== null && !certificates.isOfActiveRoot(workloadId)) {
      const failed = (error: unknown) => log.warn(`certificate of ${nameOf(workloadId)}: ${String(error)}`);
      certificates.rotate(workloadId, connection).catch(failed);
    }
    if (connection !== null && successor.link.ackedRevision !== null) void this.#acked(attachment);
    else this.#disconnected(attachment, 'it does not listen yet');
    return { sidecar, link };
  }

  /** @param other the sidecar it leads to as long as it is not the attachment's own link */
  #newLink(attachment: Attachment, other: Sidecar | null): SidecarLink {
    const { leaseMs, clock, random, log, nameOf, onTelemetry, onChange } = this.#options;
    const id = attachment.workloadId;
    const isOwn = () => attachment.link === link;
    const link: SidecarLink = new SidecarLink({
      name: nameOf(id),
      connect: () => (isOwn() ? this.#connect(attachment) : connectTo(other)),
      leaseMs,
      clock,
      random,
      log,
      events: {
        onConnected: (connection, restarted) =>
          isOwn()
            ? this.#connected(attachment, connection, restarted)
            : this.#otherConnected(attachment, link, connection),
        onDisconnected: (reason) => {
          if (isOwn()) this.#disconnected(attachment, reason);
        },
        onAck: () => {
          if (isOwn()) void this.#acked(attachment);
        },
        onNack: (nack) => {
          if (isOwn()) this.#refused(attachment, nack.message);
          else if (attachment.successor?.link === link) attachment.successor.refusal = nack;
        },
        onTelemetry: (report) => onTelemetry(id, report, !isOwn()),
        onDrainProgress: (counts) => {
          if (isOwn()) attachment.kept = counts;
          onChange();
        },
      },
    });
    return link;
  }

  async #otherConnected(attachment: Attachment, link: SidecarLink, connection: SidecarConnection): Promise<void> {
    const { successor, workloadId } = attachment;
    if (successor?.link !== link) return;
    successor.certificateUsed = await this.#options.certificates.issue(workloadId, connection);
  }

  async #connect(attachment: Attachment): ReturnType<Sidecar['connect']> {
    const { sidecar } = attachment;
    if (sidecar === null) throw new MeshError('SIDECAR_UNREACHABLE', 'There is no sidecar.');
    try {
      const stream = await sidecar.connect();
      attachment.failedDials = 0;
      return stream;
    } catch (error) {
      attachment.failedDials += 1;
      // A renewal brings another one anyway.
      const mayReplace = attachment.phase === 'attached' && attachment.renewal === null;
      if (mayReplace && attachment.failedDials >= dialsBeforeReplacement) {
        attachment.failedDials = 0;
        attachment.needsRedirect = true;
        attachment.sidecar = await this.#options.replaceSidecar(attachment.workloadId);
      }
      throw error;
    }
  }

  async #connected(attachment: Attachment, connection: SidecarConnection, restarted: boolean): Promise<void> {
    const { certificates, publisher } = this.#options;
    if (connection.hello.revision !== null) publisher.continueAfter(connection.hello.revision);
    if (restarted && attachment.phase === 'attached') attachment.needsRedirect = true;
    await certificates.ensure(attachment.workloadId, connection);
    // The configuration follows; its ACK says that the sidecar is as it should be.
  }

  #disconnected(attachment: Attachment, reason: string): void {
    if (attachment.phase !== 'attached') return;
    attachment.isDegraded = true;
    attachment.reason = `The sidecar is not connected: ${reason}`;
    attachment.retractTimer ??= setTimeout(() => this.#retract(attachment), this.#options.retractAfterMs ?? 2_000);
    attachment.retractTimer.unref();
    this.#options.onChange();
  }

  /** Its guard may have taken the redirect rules away: the others go back to plaintext until it is there again. */
  #retract(attachment: Attachment): void {
    attachment.retractTimer = null;
    const { publisher } = this.#options;
    if (!attachment.isDegraded || !attachment.isAnnounced || publisher.snapshot.mtlsMode === 'STRICT') return;
    attachment.isAnnounced = false;
    publisher.publish();
  }

  async #acked(attachment: Attachment): Promise<void> {
    if (attachment.phase !== 'attached' || !attachment.isDegraded) {
      this.#options.onChange();
      return;
    }
    try {
      if (attachment.needsRedirect) {
        attachment.needsRedirect = false;
        await attachment.sidecar?.redirect();
      }
    } catch (error) {
      attachment.needsRedirect = true;
      attachment.reason = error instanceof Error ? error.message : String(error);
      this.#options.log.warn(`${this.#options.nameOf(attachment.workloadId)}: ${attachment.reason}`);
      // Dialling again tries the rules again.
      attachment.link?.connection?.close();
      return;
    }
    this.#recovered(attachment);
  }

  #recovered(attachment: Attachment): void {
    if (attachment.phase !== 'attached' || attachment.link?.connection == null) return;
    attachment.isDegraded = false;
    attachment.reason = null;
    if (attachment.retractTimer !== null) clearTimeout(attachment.retractTimer);
    attachment.retractTimer = null;
    if (!attachment.isAnnounced) {
      attachment.isAnnounced = true;
      this.#options.publisher.publish();
    }
    this.#options.onChange();
  }

  #refused(attachment: Attachment, message: string): void {
    const name = this.#options.nameOf(attachment.workloadId);
    this.#options.onNotice({
      level: 'error',
      code: 'CONFIG_REJECTED',
      message: `The sidecar of ${name} refused its configuration: ${message}`,
    });
    attachment.onNack?.(message);
    if (attachment.phase !== 'attached') return;
    attachment.isDegraded = true;
    attachment.reason = `The sidecar refused its configuration and keeps the last good one: ${message}`;
    this.#options.onChange();
  }
}

async function connectTo(sidecar: Sidecar | null): ReturnType<Sidecar['connect']> {
  if (sidecar === null) throw new MeshError('SIDECAR_UNREACHABLE', 'Another sidecar has taken over.');
  return await sidecar.connect();
}
