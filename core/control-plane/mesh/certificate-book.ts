import { MeshError } from '../../contract/errors.ts';
import type { CertificateCheck, CertificateView } from '../../contract/shapes.ts';
import type { DiscoveredWorkload } from '../../model/workload.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Random } from '../../shared/random.ts';
import { spiffeIdOf } from '../../snapshot/workload-identity.ts';
import type { CertificateAuthority } from '../identity/certificate-authority.ts';
import { toCertificateDetail } from '../identity/certificate-detail.ts';
import type { IssuedCertificate } from '../identity/issue-certificate.ts';
import { verifyCertificate } from '../identity/verify-certificate.ts';
import type { SidecarConnection } from '../push/sidecar-connection.ts';

interface Entry {
  readonly issued: IssuedCertificate;
  readonly rootPem: string;
  readonly rotatesAtMs: number;
  readonly serialInUse: string;
  readonly rotations: number;
}

const isDue = ({ rotatesAtMs, issued }: Entry, nowMs: number) => rotatesAtMs <= nowMs || issued.notBeforeMs > nowMs;

export interface CertificateBookOptions {
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly workload: (id: string) => DiscoveredWorkload | null;
  readonly onChanged: (workloadId: string) => void;
}

/** Which certificate each sidecar has, and when it gets the next one. */
export class CertificateBook {
  readonly #options: CertificateBookOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: CertificateBookOptions) {
    this.#options = options;
  }

  get authority(): CertificateAuthority {
    return this.#options.authority;
  }

  /** False while the workload has no certificate yet, or one of an earlier root. */
  isOfActiveRoot(workloadId: string): boolean {
    return this.#entries.get(workloadId)?.rootPem === this.authority.rootPem;
  }

  ids(): string[] {
    return [...this.#entries.keys()];
  }

  spiffeId(workloadId: string): string | null {
    return this.#entries.get(workloadId)?.issued.spiffeId ?? null;
  }

  /** Gives the sidecar a certificate unless the one it says it uses is ours, of the active root and not due. */
  async ensure(workloadId: string, connection: SidecarConnection): Promise<void> {
    const entry = this.#entries.get(workloadId);
    const isGood =
      entry !== undefined &&
      entry.issued.serial === connection.hello.certificateSerial?.toLowerCase() &&
      entry.rootPem === this.authority.rootPem &&
      !isDue(entry, this.#options.clock.nowMs());
    if (isGood) connection.sendTrust(this.authority.trustBundlePem);
    else await this.rotate(workloadId, connection);
  }

  /** The sidecar makes a new key and uses the certificate for new connections; open ones go on. */
  async rotate(workloadId: string, connection: SidecarConnection): Promise<void> {
    (await this.issue(workloadId, connection))();
  }

  /**
   * Gives a sidecar a certificate that is not shown yet: call what it resolves with once that sidecar is in charge of
   * the workload.
   */
  async issue(workloadId: string, connection: SidecarConnection): Promise<() => void> {
    const { authority, clock, random } = this.#options;
    const workload = this.#options.workload(workloadId);
    if (workload === null) throw new MeshError('IDENTITY_FAILED', 'The workload is gone.');
    const spiffeId = spiffeIdOf(workload, authority.trustDomain);
    let issued: IssuedCertificate | null = null;
    let rootPem = authority.rootPem;
    const serialInUse = await connection.installCertificate(spiffeId, async (csrPem) => {
      rootPem = authority.rootPem;
      issued = await authority.issue({ csrPem, spiffeId, commonName: `${workload.service}.${workload.namespace}` });
      return { chainPem: [issued.pem], trustBundlePem: authority.trustBundlePem };
    });
    // TypeScript does not see that the callback has run.
    const certificate = issued as IssuedCertificate | null;
    if (certificate === null) throw new MeshError('IDENTITY_FAILED', 'The sidecar did not send a certificate request.');
    const lifeMs = certificate.notAfterMs - clock.nowMs();
    // Half of its life, up to a tenth earlier, so that those of one moment do not all rotate in one moment.
    const rotatesAtMs = clock.nowMs() + (lifeMs / 2) * (1 - random() * 0.1);
    return () => {
      const before = this.#entries.get(workloadId);
      const rotations = before === undefined ? 0 : before.rotations + 1;
      this.#entries.set(workloadId, { issued: certificate, rootPem, serialInUse, rotatesAtMs, rotations });
      this.#options.onChanged(workloadId);
    };
  }

  /** Workloads whose certificate is past half of its life, or begins only later: the machine's clock was set back. */
  due(): string[] {
    const now = this.#options.clock.nowMs();
    return [...this.#entries].filter(([, entry]) => isDue(entry, now)).map(([id]) => id);
  }

  forget(workloadId: string): void {
    this.#entries.delete(workloadId);
  }

  list(): CertificateView[] {
    return this.ids().flatMap((id) => (this.#options.workload(id) === null ? [] : [this.show(id)]));
  }

  /** Throws NOT_FOUND when the workload has none. */
  show(workloadId: string): CertificateView {
    const { workload, entry } = this.#find(workloadId);
    const chain = [entry.issued.pem, entry.rootPem];
    const details = chain.map((pem) => toCertificateDetail(pem));
    const [detail] = details;
    if (detail === undefined) throw new Error('a chain has a first certificate');
    const { subject, issuer, serial, notBefore, notAfter, fingerprintSha256 } = detail;
    return {
      workload: { id: workload.id, name: workload.name, service: workload.service, namespace: workload.namespace },
      spiffeId: entry.issued.spiffeId,
      subject,
      issuer,
      serial,
      notBefore,
      notAfter,
      rotatesAt: new Date(entry.rotatesAtMs).toISOString(),
      fingerprintSha256,
      chain,
      details,
      rotations: entry.rotations,
    };
  }

  verify(workloadId: string): CertificateCheck {
    const { workload, entry } = this.#find(workloadId);
    return verifyCertificate({
      certificatePem: entry.issued.pem,
      trustBundlePem: this.authority.trustBundlePem,
      spiffeId: spiffeIdOf(workload, this.authority.trustDomain),
      nowMs: this.#options.clock.nowMs(),
      serialInUse: entry.serialInUse,
    });
  }

  #find(workloadId: string): { workload: DiscoveredWorkload; entry: Entry } {
    const entry = this.#entries.get(workloadId);
    const workload = this.#options.workload(workloadId);
    if (workload === null) throw new MeshError('NOT_FOUND', 'The workload is gone.');
    if (entry === undefined) {
      throw new MeshError('NOT_FOUND', `${workload.name} has no certificate: it is not attached.`);
    }
    return { workload, entry };
  }
}
