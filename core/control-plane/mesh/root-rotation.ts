import type { SidecarLink } from '../push/sidecar-link.ts';
import type { CertificateBook } from './certificate-book.ts';

export interface RootRotationParts {
  readonly certificates: CertificateBook;
  readonly links: () => Iterable<readonly [workloadId: string, link: SidecarLink]>;
  /** Gives those of these workloads that are connected a certificate of the root that is active now. */
  readonly reissue: (workloadIds: string[]) => Promise<void>;
  /** True once the control plane ends: the rotation stays where it is and is resumed by the next one. */
  readonly isStopped: () => boolean;
  /** How long sidecars may take to learn the trust bundle; default 5,000. */
  readonly ackTimeoutMs?: number;
}

/**
 * Replaces the root without a moment in which two sidecars do not trust each other; goes on where an interrupted one
 * stopped. Every sidecar trusts the next root before anything is signed by it, and the old one until nothing is. A
 * sidecar that is away keeps the old root trusted; call again later.
 */
export async function rotateRoot(parts: RootRotationParts, options: { readonly begin: boolean }): Promise<void> {
  const { certificates, isStopped } = parts;
  const { authority } = certificates;
  if (authority.rotation === 'none') {
    if (!options.begin) return;
    await authority.introduceRoot();
  }
  if (authority.rotation === 'introduced') {
    await spreadTrust(parts);
    if (isStopped()) return;
    await authority.activateRoot();
  }
  await spreadTrust(parts);
  if (isStopped()) return;
  const findOutdated = () => [...parts.links()].map(([id]) => id).filter((id) => !certificates.isOfActiveRoot(id));
  await parts.reissue(findOutdated());
  if (isStopped() || findOutdated().length > 0) return;
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
