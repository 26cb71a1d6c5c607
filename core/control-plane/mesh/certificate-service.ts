import { MeshError } from '../../contract/errors.ts';
import type { CertificateCheck, CertificateView } from '../../contract/shapes.ts';
import type { Logger } from '../../shared/logger.ts';
import type { SidecarLink } from '../push/sidecar-link.ts';
import type { Attachment } from './attachment.ts';
import type { CertificateBook } from './certificate-book.ts';
import type { MeshCertificates } from './mesh-api.ts';
import { rotateRoot } from './root-rotation.ts';
import { runLimited } from './run-limited.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

export interface CertificateServiceOptions {
  readonly book: CertificateBook;
  readonly registry: WorkloadRegistry;
  readonly attachments: ReadonlyMap<string, Attachment>;
  readonly log: Logger;
}

const checkMs = 30_000;
const concurrency = 4;

/** Shows, checks and rotates certificates: when somebody asks, and by itself at half of their life. */
export class CertificateService implements MeshCertificates {
  readonly #options: CertificateServiceOptions;
  readonly #timer: NodeJS.Timeout;
  #rootRotation: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: CertificateServiceOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#check(), checkMs);
    this.#timer.unref();
  }

  list(): CertificateView[] {
    return this.#options.book.list();
  }

  show(workload: string): CertificateView {
    return this.#options.book.show(this.#options.registry.find(workload).id);
  }

  verify(workload: string): CertificateCheck {
    return this.#options.book.verify(this.#options.registry.find(workload).id);
  }

  async rotate(which: { workload: string } | { all: true } | { root: true }): Promise<CertificateView[]> {
    const { book } = this.#options;
    if ('workload' in which) {
      const { id } = this.show(which.workload).workload;
      if (this.#connectionOf(id) === null) {
        throw new MeshError('SIDECAR_UNREACHABLE', 'The sidecar is not connected just now.');
      }
      await this.#reissue([id]);
      return [book.show(id)];
    }
    if ('root' in which) await this.#rotateRoot(true);
    else await this.#reissue(book.ids());
    return book.list();
  }

  /**
   * Goes on with a root rotation that an earlier control plane began. Sidecars that were taken over have to be there
   * first: they must know the next root before it signs.
   */
  resume(): void {
    if (this.#options.book.authority.rotation === 'none') return;
    const known = [...this.#links()].map(([, link]) => link.waitForAck(link.wanted?.revision ?? 0, 10_000));
    this.#inBackground(Promise.all(known).then(() => (this.#isClosed ? undefined : this.#rotateRoot(false))));
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  #check(): void {
    const { book } = this.#options;
    this.#inBackground(this.#reissue(book.due()));
    if (book.authority.rotation !== 'none') this.#inBackground(this.#rotateRoot(false));
  }

  /** A sidecar that is not connected gets its certificate when it is again. */
  async #reissue(ids: readonly string[]): Promise<void> {
    const results = await runLimited(ids, concurrency, async (id) => {
      const connection = this.#connectionOf(id);
      if (connection !== null) await this.#options.book.rotate(id, connection);
    });
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #rotateRoot(begin: boolean): Promise<void> {
    const parts = {
      certificates: this.#options.book,
      links: () => this.#links(),
      isStopped: () => this.#isClosed,
      reissue: (ids: string[]) => this.#reissue(ids),
    };
    this.#rootRotation ??= rotateRoot(parts, { begin }).finally(() => {
      this.#rootRotation = null;
    });
    return this.#rootRotation;
  }

  #connectionOf(id: string) {
    return this.#options.attachments.get(id)?.link?.connection ?? null;
  }

  *#links(): Iterable<readonly [string, SidecarLink]> {
    for (const [id, { link, successor }] of this.#options.attachments) {
      if (link !== null) yield [id, link];
      if (successor !== null) yield [id, successor.link];
    }
  }

  #inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#options.log.warn(`certificate rotation: ${String(error)}`));
  }
}
