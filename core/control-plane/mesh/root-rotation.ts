import type { SidecarLink } from '../push/sidecar-link.ts';
import type { CertificateBook } from './certificate-book.ts';

export interface RootRotationParts {
  readonly certificates: CertificateBook;
  readonly links: () => Iterable<readonly [workloadId: string, link: SidecarLink]>;
  /** Gives these workloads a certificate of the root that is active now. */
  readonly reissue: (workloadIds: string[]) => Promise<void>;
  /** How long sidecars may take to learn the trust bundle; one that is away learns it when it connects again. */
  readonly ackTimeoutMs?: number;
}

/**
 * Replaces the root without a moment in which two sidecars do not trust each other; goes on where an interrupted one
 * stopped. Every sidecar trusts the next root before anything is signed by it, and the old one until nothing is.
 */
export async function rotateRoot(parts: RootRotationParts, options: { readonly begin: boolean }): Promise<void> {
  const { authority } = parts.certificates;
  if (authority.rotation === 'none') {
    if (!options.begin) return;
    await authority.introduceRoot();
  }
  if (authority.rotation === 'introduced') {
    await spreadTrust(parts);
    await authority.activateRoot();
  }
  await spreadTrust(parts);
  await parts.reissue(parts.certificates.ids());
  await authority.finishRootRotation();
  await spreadTrust(parts);
}

/** Messages are handled in order, so the ACK of a push says that the trust bundle before it is in force. */
async function spreadTrust({ certificates, links, ackTimeoutMs = 5_000 }: RootRotationParts): Promise<void> {
  const waiting: Promise<boolean>[] = [];
  for (const [, link] of links()) {
    if (link.connection === null || link.wanted === null) continue;
    link.connection.sendTrust(certificates.authority.trustBundlePem);
    link.pushAgain();
    waiting.push(link.waitForAck(link.wanted.revision, ackTimeoutMs));
  }
  await Promise.all(waiting);
}
