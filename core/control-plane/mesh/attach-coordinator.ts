/**
 * Brings sidecars to workloads and takes them away again, in an order in which no request is lost:
 *
 *   attach  sidecar, connect, certificate, configuration (ACK), redirect, announce (the others use mutual TLS now)
 *   detach  retract (the others use plaintext, ACK), undirect, drain, remove
 *
 * A step that fails is undone with all before it. Whether something should be attached is the reconciler's business.
 */
import { MeshError } from '../../contract/errors.ts';
import type { Progress } from '../../contract/shapes.ts';
import type { DiscoveredWorkload } from '../../model/workload.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Sidecar } from '../runtime/runtime.ts';
import { Attachment } from './attachment.ts';
import type { CertificateBook } from './certificate-book.ts';
import type { Publisher } from './publisher.ts';
import type { SidecarSessions } from './sidecar-sessions.ts';
import type { WantedSet } from './wanted-set.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

export interface CoordinatorOptions {
  readonly registry: WorkloadRegistry;
  readonly publisher: Publisher;
  readonly certificates: CertificateBook;
  readonly sessions: SidecarSessions;
  readonly wanted: WantedSet;
  readonly attachments: Map<string, Attachment>;
  readonly onProgress: (progress: Progress) => void;
  readonly onChange: () => void;
  /** The sidecar of this workload is gone. */
  readonly onRemoved: (workloadId: string) => void;
  readonly log: Logger;
  /** How long a sidecar may take to apply its first configuration; default 10,000. */
  readonly configTimeoutMs?: number;
  /** How long the others may take to acknowledge; default 5,000. */
  readonly ackTimeoutMs?: number;
}

const attachSteps = ['sidecar', 'connect', 'configuration', 'redirect', 'announce'] as const;
const detachSteps = ['retract', 'undirect', 'drain', 'remove'] as const;
type Step = (typeof attachSteps)[number] | (typeof detachSteps)[number];

/** In-flight HTTP requests get this long even when TCP connections are closed at once. */
const politeMs = 5_000;

export class AttachCoordinator {
  readonly #options: CoordinatorOptions;
  readonly #removing = new Map<string, Promise<void>>();

  constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  /**
   * Attached already: nothing happens. Under way: waits for it. Being drained: the drain is taken back.
   * Rejects with the workload's own code (HOST_NETWORK ...), NOT_RUNNING or ATTACH_FAILED; nothing is left then.
   */
  async attach(workload: DiscoveredWorkload): Promise<void> {
    const { attachments } = this.#options;
    const existing = attachments.get(workload.id);
    if (existing?.phase === 'attached') return;
    if (existing !== undefined) {
      const isDetaching = existing.phase === 'detaching';
      existing.takeBack?.();
      // A failed detach leaves it attached or gone; either way it is looked at again.
      const failure = await existing.working.then(
        () => null,
        (error: unknown) => error,
      );
      if (failure !== null && !isDetaching) throw failure;
      if (attachments.get(workload.id)?.phase === 'attached') return;
      return this.attach(workload);
    }
    assertAttachable(workload);
    const attachment = new Attachment(workload);
    attachments.set(workload.id, attachment);
    const working = this.#attach(attachment, workload);
    attachment.working = working;
    await working;
  }

  /** Takes a sidecar over that an earlier control plane attached completely. The link is dialled by `resume`. */
  takeOver(sidecar: Sidecar, runtime: Attachment['runtime']): Attachment {
    const { workloadId: id, incarnation } = sidecar;
    const attachment = new Attachment({ id, incarnation, runtime });
    attachment.sidecar = sidecar;
    attachment.phase = 'attached';
    attachment.isDegraded = true;
    attachment.reason = 'Connecting to the sidecar.';
    attachment.isAnnounced = true;
    attachment.needsRedirect = true;
    this.#options.attachments.set(sidecar.workloadId, attachment);
    this.#options.sessions.createLink(attachment);
    return attachment;
  }

  /**
   * Not attached: nothing happens. Being detached: the new deadline counts. Rejects with CONFLICT (attach came in
   * meanwhile) or DETACH_FAILED (the redirect rules or the sidecar are still there).
   */
  async detach(workloadId: string, deadlineMs: number): Promise<void> {
    const { attachments, wanted } = this.#options;
    wanted.delete(workloadId);
    const attachment = attachments.get(workloadId);
    if (attachment === undefined) {
      await this.#removing.get(workloadId);
      return;
    }
    if (attachment.phase === 'detaching') {
      if (attachment.takeBack !== null) void drainPolitely(attachment, deadlineMs).catch(() => undefined);
      await attachment.working;
      return;
    }
    if (attachment.phase === 'attaching') {
      await attachment.working.catch(() => undefined);
      return this.detach(workloadId, deadlineMs);
    }
    if (attachment.renewal !== null) {
      attachment.renewal.cut(deadlineMs);
      await attachment.renewal.done;
      return this.detach(workloadId, deadlineMs);
    }
    const working = this.#detach(attachment, deadlineMs);
    attachment.working = working;
    await working;
  }

  /** The workload has stopped, restarted or is removed, and its namespace with it: only the sidecar is left to remove. */
  async discard(attachment: Attachment): Promise<void> {
    attachment.isGone = true;
    if (attachment.phase !== 'attached') {
      attachment.close();
      await attachment.working.catch(() => undefined);
    }
    attachment.renewal?.cut(0);
    await attachment.renewal?.done;
    await this.#takeDown(attachment, false);
  }

  /** Resolves when sidecars that are being removed are gone. */
  async settle(): Promise<void> {
    await Promise.all(this.#removing.values());
  }

  async #attach(attachment: Attachment, workload: DiscoveredWorkload): Promise<void> {
    const { publisher, registry, sessions, wanted, log } = this.#options;
    let step: Step = 'sidecar';
    let isRedirected = false;
    const begin = (next: Step, text: string) => {
      step = next;
      this.#step(attachment, 'attach', next, text);
      if (attachment.isGone) throw new MeshError('NOT_RUNNING', 'the workload has stopped meanwhile');
    };
    try {
      await this.#removing.get(workload.id);
      begin('sidecar', 'Starting the sidecar.');
      attachment.sidecar = await registry.runtimeOf(workload).startSidecar(workload.id);
      begin('connect', 'Connecting to the sidecar and issuing its certificate.');
      await sessions.createLink(attachment).open();
      begin('configuration', 'Sending the configuration.');
      await this.#configure(attachment);
      begin('redirect', 'Redirecting the traffic.');
      isRedirected = true;
      await attachment.sidecar.redirect();
      begin('announce', 'Telling the other sidecars.');
      attachment.isAnnounced = true;
      await publisher.publishTogether();
      wanted.add(workload.id);
      const late = await publisher.waitForAcks(this.#options.ackTimeoutMs ?? 5_000);
      if (late.length > 0) log.warn(`${workload.name}: not acknowledged in time by ${late.join(', ')}`);
      if (attachment.isGone) throw new MeshError('NOT_RUNNING', 'the workload has stopped meanwhile');
      this.#attached(attachment);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#progress(attachment, 'attach', step, 'failed', message);
      await this.#takeDown(attachment, isRedirected && !attachment.isGone);
      throw toAttachError(workload, step, error);
    }
  }

  #attached(attachment: Attachment): void {
    attachment.phase = 'attached';
    attachment.isDegraded = false;
    attachment.reason = null;
    attachment.kept = null;
    this.#progress(attachment, 'attach', 'announce', 'done', null);
    this.#options.onChange();
  }

  async #configure(attachment: Attachment): Promise<void> {
    const { publisher, configTimeoutMs = 10_000 } = this.#options;
    const { link } = attachment;
    const refused = new Promise<never>((_, reject) => {
      attachment.onNack = (message) => reject(new MeshError('CONFIG_REJECTED', message));
    });
    refused.catch(() => undefined);
    publisher.publish();
    const wanted = link?.wanted ?? null;
    if (link === null || wanted === null) throw new Error('there is no configuration for this workload');
    const isAcked = await Promise.race([link.waitForAck(wanted.revision, configTimeoutMs), refused]);
    attachment.onNack = null;
    if (!isAcked) {
      throw new MeshError('SIDECAR_UNREACHABLE', `the sidecar did not acknowledge revision ${wanted.revision} in time`);
    }
  }

  async #detach(attachment: Attachment, deadlineMs: number): Promise<void> {
    const { publisher, ackTimeoutMs = 5_000 } = this.#options;
    let step: Step = 'retract';
    const begin = (next: Step, text: string) => {
      step = next;
      this.#step(attachment, 'detach', next, text);
    };
    attachment.phase = 'detaching';
    try {
      begin('retract', 'Telling the other sidecars to use plaintext.');
      attachment.isAnnounced = false;
      await publisher.publishTogether();
      await publisher.waitForAcks(ackTimeoutMs, (id) => id !== attachment.workloadId);
      begin('undirect', 'Taking the redirect rules away.');
      if (!attachment.isGone) await attachment.sidecar?.undirect();
      begin('drain', 'Waiting for open connections.');
      if (await this.#drain(attachment, deadlineMs)) return await this.#takeBack(attachment);
      begin('remove', 'Removing the sidecar.');
      await this.#takeDown(attachment, false, true);
      this.#progress(attachment, 'detach', 'remove', 'done', null);
    } catch (error) {
      if (error instanceof MeshError && error.code === 'CONFLICT') throw error;
      this.#detachFailed(attachment, step, error);
    }
  }

  /** Resolves true when it was taken back. */
  async #drain(attachment: Attachment, deadlineMs: number): Promise<boolean> {
    const connection = attachment.link?.connection ?? null;
    if (connection === null || attachment.isGone) return false;
    const takenBack = new Promise<boolean>((resolve) => {
      attachment.takeBack = () => resolve(true);
    });
    const drained = drainPolitely(attachment, deadlineMs).then(
      () => false,
      (error: unknown) => {
        this.#options.log.warn(`the drain of ${attachment.workloadId} was cut short: ${String(error)}`);
        return false;
      },
    );
    const result = await Promise.race([drained, takenBack]);
    attachment.takeBack = null;
    return result;
  }

  async #takeBack(attachment: Attachment): Promise<void> {
    const { publisher, wanted } = this.#options;
    attachment.link?.connection?.undrain();
    await attachment.sidecar?.redirect();
    attachment.isAnnounced = true;
    wanted.add(attachment.workloadId);
    publisher.publish();
    this.#attached(attachment);
    throw new MeshError('CONFLICT', 'It was attached again while it was being detached.');
  }

  #detachFailed(attachment: Attachment, step: Step, error: unknown): never {
    const message = error instanceof Error ? error.message : String(error);
    this.#progress(attachment, 'detach', step, 'failed', message);
    // The sidecar still serves: taking it away with the rules in place would cut the application off.
    attachment.phase = 'attached';
    attachment.isDegraded = true;
    attachment.reason = `Detaching failed (step ${step}): ${message}`;
    this.#options.onChange();
    throw new MeshError('DETACH_FAILED', `It could not be detached (step ${step}): ${message}`, { cause: error });
  }

  /** Removes all of it. Errors are logged, unless `strict`: then they reject and the attachment stays. */
  async #takeDown(attachment: Attachment, undirect: boolean, strict = false): Promise<void> {
    const { attachments, certificates, publisher, onRemoved, onChange, log } = this.#options;
    const id = attachment.workloadId;
    if (attachments.get(id) !== attachment) return;
    const attempt = async (what: string, work: () => Promise<void> | undefined) => {
      try {
        await work();
      } catch (error) {
        if (strict) throw error;
        log.error(`${id}: ${what} failed`, error);
      }
    };
    if (attachment.isAnnounced) {
      attachment.isAnnounced = false;
      publisher.publish();
    }
    if (undirect) await attempt('taking the redirect rules away', () => attachment.sidecar?.undirect());
    if (strict) await attempt('removing the sidecar', () => attachment.sidecar?.remove());
    attachment.close();
    attachments.delete(id);
    certificates.forget(id);
    onRemoved(id);
    publisher.publish();
    onChange();
    if (strict) return;
    const removing = attempt('removing the sidecar', () => attachment.sidecar?.remove()).finally(() =>
      this.#removing.delete(id),
    );
    this.#removing.set(id, removing);
    await removing;
  }

  #step(attachment: Attachment, operation: 'attach' | 'detach', step: Step, text: string): void {
    attachment.reason = text;
    this.#progress(attachment, operation, step, 'running', text);
    this.#options.onChange();
  }

  #progress(
    attachment: Attachment,
    operation: 'attach' | 'detach',
    step: Step,
    state: Progress['state'],
    message: string | null,
  ): void {
    const steps: readonly string[] = operation === 'attach' ? attachSteps : detachSteps;
    const percent = state === 'done' ? 100 : (steps.indexOf(step) / steps.length) * 100;
    this.#options.onProgress({ operation, workload: attachment.workloadId, step, state, message, percent });
  }
}

/**
 * The deadline is that of long-lived TCP connections. HTTP requests under way and idle connections that a client is
 * about to use get `politeMs` in any case.
 */
async function drainPolitely(attachment: Attachment, deadlineMs: number): Promise<void> {
  const connection = attachment.link?.connection ?? null;
  if (connection === null) return;
  const isShort = deadlineMs < politeMs;
  const drained = connection.drain(isShort ? politeMs : deadlineMs, deadlineMs === 0 ? 'close' : 'keep');
  const closeTcp = () => void connection.drain(politeMs - deadlineMs, 'close').catch(() => undefined);
  const timer = isShort && deadlineMs > 0 ? setTimeout(closeTcp, deadlineMs) : null;
  try {
    await drained;
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

/** Throws HOST_NETWORK, NO_NETWORK, WINDOWS_CONTAINER ... or NOT_RUNNING. */
export function assertAttachable(workload: DiscoveredWorkload): void {
  if (workload.notAttachable !== null) {
    const { code, message } = workload.notAttachable;
    throw new MeshError(code as MeshError['code'], `${workload.name}: ${message}`);
  }
  if (workload.state !== 'running') {
    throw new MeshError('NOT_RUNNING', `${workload.name} does not run (${workload.stateText}).`);
  }
}

/** Where another remedy than trying again is known, that code stays; the step is in the message in any case. */
function toAttachError(workload: DiscoveredWorkload, step: Step, error: unknown): MeshError {
  const why = error instanceof Error ? error.message : String(error);
  const message = `${workload.name} could not be attached (step ${step}): ${why}`;
  const keeps = ['ENGINE_UNAVAILABLE', 'IMAGE_BUILD_FAILED'];
  const code = error instanceof MeshError && keeps.includes(error.code) ? error.code : 'ATTACH_FAILED';
  return new MeshError(code, message, { cause: error });
}
