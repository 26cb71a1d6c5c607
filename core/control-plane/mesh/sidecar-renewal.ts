/**
 * Hot restart: another sidecar of the program as it is now takes over while the workload's traffic goes on.
 *
 *   sidecar        a second one starts beside the older, in the same place
 *   connect        its control stream and its certificate
 *   configuration  it listens on the same ports (ACK); new connections come to it from here on
 *   switch         it is the workload's sidecar now, also for a later control plane
 *   retire         the older one stops listening; its open connections end politely
 *   remove         the older one is gone
 *
 * What fails before the switch is undone, and the older one goes on as if nothing had been. Sidecars switch one at a
 * time; older ones end side by side. The redirect rules are not touched: they name ports and a user, not a program.
 */
import { MeshError } from '../../contract/errors.ts';
import type { Progress } from '../../contract/shapes.ts';
import type { Logger } from '../../shared/logger.ts';
import type { SidecarLink } from '../push/sidecar-link.ts';
import type { Sidecar, SuccessorSidecar } from '../runtime/runtime.ts';
import type { Attachment, Successor } from './attachment.ts';
import type { Publisher } from './publisher.ts';
import type { SidecarSessions } from './sidecar-sessions.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

export interface RenewalOptions {
  readonly registry: WorkloadRegistry;
  readonly attachments: ReadonlyMap<string, Attachment>;
  readonly publisher: Publisher;
  readonly sessions: SidecarSessions;
  readonly onProgress: (progress: Progress) => void;
  readonly onNotice: (notice: { level: 'info' | 'warn'; code: string | null; message: string }) => void;
  readonly onChange: () => void;
  readonly log: Logger;
  /** How long a sidecar may take to apply its configuration, and to listen after a gap; default 10,000. */
  readonly configTimeoutMs?: number;
}

const steps = ['sidecar', 'connect', 'configuration', 'switch', 'retire', 'remove'] as const;
type Step = (typeof steps)[number];

/** Code of the NACK of a sidecar that could not open a port. */
const listenFailed = 'LISTEN_FAILED';
/** Where ports are not shared: how often the next sidecar tries to listen while the older one gives its ports up. */
const listenRetryMs = 50;
/** Nobody waits for a renewal that was not asked for, so connections that last get longer. */
const automaticDeadlineMs = 600_000;

/** A sidecar that has handed over. */
interface Retired {
  readonly sidecar: Sidecar | null;
  readonly link: SidecarLink | null;
}

interface TakenOver extends Retired {
  /** The ports could not be shared: the older one had to give them up first. */
  readonly hadGap: boolean;
  readonly isListening: boolean;
}

interface UnderWay {
  readonly attachment: Attachment;
  readonly deadlineMs: number;
  step: Step;
  /** It was cut short, with this deadline for older connections. */
  cut: { readonly deadlineMs: number | null } | null;
  /** Set while older connections are waited for. */
  onCut: ((deadlineMs: number | null) => void) | null;
}

export class SidecarRenewal {
  readonly #options: RenewalOptions;
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the older sidecar is gone: with a remark for the user when it was not quite as wanted, else `null`.
   * Under way already: waits for it. Rejects with RENEW_FAILED; the message names the step and who serves now.
   */
  async renew(workloadId: string, deadlineMs: number): Promise<string | null> {
    const attachment = this.#options.attachments.get(workloadId);
    if (attachment?.renewal != null) {
      await attachment.renewal.done;
      return null;
    }
    const name = this.#nameOf(workloadId);
    if (attachment?.phase !== 'attached' || attachment.isGone || this.#isClosed) {
      throw new MeshError('RENEW_FAILED', `${name} is not attached, so there is no sidecar to renew.`);
    }
    const underWay: UnderWay = { attachment, deadlineMs, step: 'sidecar', cut: null, onCut: null };
    return await this.#track(underWay, async () => {
      const older = await this.#inTurn(() => this.#takeOver(underWay));
      await this.#retire(underWay, older);
      if (!older.isListening) {
        throw this.#failed(
          underWay,
          new Error('it could not listen'),
          'the new sidecar tries again with the next change',
        );
      }
      return older.hadGap ? gapRemark : null;
    });
  }

  /** Ends a sidecar that an earlier control plane had replaced already. Failures are logged. */
  async finish(sidecar: Sidecar): Promise<void> {
    const { attachments, sessions, log, configTimeoutMs = 10_000 } = this.#options;
    const attachment = attachments.get(sidecar.workloadId);
    const isUsable = attachment !== undefined && attachment.renewal === null;
    if (!isUsable) return await sidecar.remove();
    const deadlineMs = automaticDeadlineMs;
    const underWay: UnderWay = { attachment, deadlineMs, step: 'retire', cut: null, onCut: null };
    await this.#track(underWay, async () => {
      // It may still be what serves, if the other one was started again meanwhile.
      await attachment.link?.waitForAck(attachment.link.wanted?.revision ?? 0, configTimeoutMs);
      const link = sessions.createLinkToRetired(attachment, sidecar);
      await link
        .open()
        .catch((error: unknown) =>
          log.warn(`an older sidecar of ${this.#nameOf(attachment.workloadId)}: ${String(error)}`),
        );
      await this.#retire(underWay, { sidecar, link });
    });
  }

  /** Renews those of these workloads whose sidecar is of an older program. What fails is told as a notice. */
  async renewOutdated(workloadIds: readonly string[]): Promise<void> {
    await Promise.all(workloadIds.map((id) => this.#renewIfOutdated(id)));
  }

  /** Gives up those that have not taken over; older ones that are ending are left to end by themselves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const underWay = [...this.#options.attachments.values()].flatMap(({ renewal }) => renewal ?? []);
    for (const { cut } of underWay) cut(null);
    await Promise.all(underWay.map(({ done }) => done));
  }

  async #renewIfOutdated(id: string): Promise<void> {
    const { attachments, registry, onNotice, log, configTimeoutMs = 10_000 } = this.#options;
    try {
      const attachment = attachments.get(id);
      const link = attachment?.link;
      if (attachment === undefined || link == null) return;
      await link.waitForAck(link.wanted?.revision ?? 0, configTimeoutMs);
      const { sidecar } = attachment;
      const workload = registry.get(id);
      if (sidecar === null || workload === null || link.connection === null) return;
      if (await registry.runtimeOf(workload).isCurrent(sidecar)) return;
      log.info(`the sidecar of ${workload.name} is of an older program and is renewed`);
      await this.renew(id, automaticDeadlineMs);
    } catch (error) {
      if (this.#isClosed) return;
      const why = error instanceof Error ? error.message : String(error);
      onNotice({ level: 'warn', code: 'RENEW_FAILED', message: `An older sidecar goes on: ${why}` });
    }
  }

  async #track<T>(underWay: UnderWay, work: () => Promise<T>): Promise<T> {
    const { attachment } = underWay;
    const working = work();
    const done = working.then(
      () => undefined,
      () => undefined,
    );
    const renewal = {
      done: done.then(() => {
        if (attachment.renewal === renewal) attachment.renewal = null;
      }),
      cut: (deadlineMs: number | null) => {
        underWay.cut = { deadlineMs };
        attachment.successor?.link.close();
        underWay.onCut?.(deadlineMs);
      },
    };
    attachment.renewal = renewal;
    try {
      return await working;
    } finally {
      await renewal.done;
      this.#options.onChange();
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #takeOver(underWay: UnderWay): Promise<TakenOver> {
    const { registry, sessions } = this.#options;
    const { attachment } = underWay;
    let sidecar: SuccessorSidecar | null = null;
    try {
      this.#begin(underWay, 'sidecar', 'Starting the next sidecar.');
      const older = attachment.sidecar;
      if (older === null || attachment.link?.connection == null) {
        throw new MeshError('SIDECAR_UNREACHABLE', 'The sidecar is not connected just now.');
      }
      sidecar = await registry.runtimeOf(attachment).startSuccessor(older);
      this.#begin(underWay, 'connect', 'Connecting to the next sidecar and issuing its certificate.');
      const successor = sessions.createSuccessor(attachment, sidecar);
      await successor.link.open();
      this.#begin(underWay, 'configuration', 'Sending the configuration.');
      const needsGap = !(await this.#configure(attachment, successor));
      this.#begin(underWay, 'switch', 'Handing the traffic over.');
      if (successor.link.connection === null) {
        throw new MeshError('SIDECAR_UNREACHABLE', 'The connection to the next sidecar was lost.');
      }
      await sidecar.confirm();
      const isListening = !needsGap || (await this.#takePorts(underWay, successor));
      return { ...sessions.promote(attachment, successor), hadGap: needsGap, isListening };
    } catch (error) {
      await this.#undo(attachment, sidecar);
      throw this.#failed(underWay, error, 'the older sidecar goes on');
    }
  }

  /** Resolves false when it cannot listen beside the older sidecar, which has everything in force itself. */
  async #configure(attachment: Attachment, successor: Successor): Promise<boolean> {
    const { link } = successor;
    const { publisher, configTimeoutMs = 10_000 } = this.#options;
    await attachment.link?.connection?.share();
    publisher.publish();
    const revision = link.wanted?.revision;
    if (revision === undefined) throw new Error('there is no configuration for this workload');
    if (await link.waitForAck(revision, configTimeoutMs)) return true;
    const { refusal } = successor;
    if (refusal?.code === listenFailed && attachment.link?.ackedRevision != null && !attachment.isDegraded)
      return false;
    if (refusal !== null) throw new MeshError('CONFIG_REJECTED', refusal.message);
    throw new MeshError('SIDECAR_UNREACHABLE', `the sidecar did not acknowledge revision ${revision} in time`);
  }

  /** The older sidecar gives its ports up, and its successor takes them as soon as they are free. There is no way back. */
  async #takePorts({ attachment, deadlineMs }: UnderWay, { link }: Successor): Promise<boolean> {
    const { log, onNotice, configTimeoutMs = 10_000 } = this.#options;
    const name = this.#nameOf(attachment.workloadId);
    onNotice({ level: 'info', code: null, message: `${name}: ${gapRemark}` });
    const older = attachment.sidecar;
    const giveUp = (error: unknown) => {
      log.warn(`the older sidecar of ${name} does not give its ports up (${String(error)}) and is ended`);
      return older?.remove();
    };
    void attachment.link?.connection
      ?.retire(deadlineMs)
      .catch(giveUp)
      .catch((error: unknown) => log.error(`the older sidecar of ${name} could not be removed`, error));
    const endsAt = performance.now() + configTimeoutMs;
    while (performance.now() < endsAt && link.connection !== null) {
      link.pushAgain();
      if (await link.waitForAck(link.wanted?.revision ?? 0, 1_000)) return true;
      await new Promise((resolve) => setTimeout(resolve, listenRetryMs));
    }
    return false;
  }

  async #retire(underWay: UnderWay, { sidecar, link }: Retired): Promise<void> {
    const { attachment, deadlineMs } = underWay;
    const name = this.#nameOf(attachment.workloadId);
    this.#step(underWay, 'retire', 'Waiting for open connections of the older sidecar.');
    const connection = link?.connection ?? null;
    let isLeft = false;
    const cut = new Promise<void>((resolve) => {
      underWay.onCut = (shorterMs) => {
        isLeft = shorterMs === null;
        if (shorterMs === null || connection === null) resolve();
        else
          connection.retire(shorterMs).then(
            () => resolve(),
            () => resolve(),
          );
      };
    });
    if (underWay.cut !== null) underWay.onCut?.(underWay.cut.deadlineMs);
    if (connection !== null) {
      const failed = (error: unknown) => this.#options.log.warn(`the older sidecar of ${name}: ${String(error)}`);
      await Promise.race([connection.retire(deadlineMs).then(() => undefined, failed), cut]);
    }
    underWay.onCut = null;
    link?.close();
    if (isLeft) return;
    this.#step(underWay, 'remove', 'Removing the older sidecar.');
    try {
      await sidecar?.remove();
    } catch (error) {
      throw this.#failed(underWay, error, 'the new sidecar serves');
    }
    this.#progress(underWay, 'done', null);
  }

  async #undo(attachment: Attachment, sidecar: SuccessorSidecar | null): Promise<void> {
    attachment.successor?.link.close();
    attachment.successor = null;
    const failed = (error: unknown) =>
      this.#options.log.error(`${this.#nameOf(attachment.workloadId)}: the next sidecar could not be removed`, error);
    await sidecar?.remove().catch(failed);
  }

  #failed(underWay: UnderWay, error: unknown, whoServes: string): MeshError {
    const why = error instanceof Error ? error.message : String(error);
    this.#progress(underWay, 'failed', why);
    const name = this.#nameOf(underWay.attachment.workloadId);
    const message = `The sidecar of ${name} was not renewed (step ${underWay.step}), ${whoServes}: ${why}`;
    return new MeshError('RENEW_FAILED', message, { cause: error });
  }

  #begin(underWay: UnderWay, step: Step, text: string): void {
    this.#step(underWay, step, text);
    if (underWay.cut === null && underWay.attachment.phase === 'attached') return;
    throw new MeshError('CONFLICT', 'it is being detached, or has ended, meanwhile');
  }

  #step(underWay: UnderWay, step: Step, text: string): void {
    underWay.step = step;
    this.#progress(underWay, 'running', text);
  }

  #progress({ attachment, step }: UnderWay, state: Progress['state'], message: string | null): void {
    const percent = state === 'done' ? 100 : (steps.indexOf(step) / steps.length) * 100;
    this.#options.onProgress({ operation: 'renew', workload: attachment.workloadId, step, state, message, percent });
  }

  #nameOf(workloadId: string): string {
    return this.#options.registry.get(workloadId)?.name ?? workloadId;
  }
}

const gapRemark =
  'The ports of its sidecars cannot be shared here: for a moment new connections were refused while the sidecar was renewed.';
