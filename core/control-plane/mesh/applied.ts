import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { Attachment } from './attachment.ts';

/** How many sidecars a setting is for (by their configuration) and how many have acknowledged it. */
export type AppliedCount = (uses: (config: SidecarConfig) => boolean) => { of: number; acked: number };

export function countApplied(attachments: Iterable<Attachment>): AppliedCount {
  return (uses) => {
    let of = 0;
    let acked = 0;
    for (const { link } of attachments) {
      if (link?.wanted == null || !uses(link.wanted)) continue;
      of += 1;
      if (isAcked({ link })) acked += 1;
    }
    return { of, acked };
  };
}

/** True when the sidecar has in force what it should have. */
export function isAcked({ link }: Pick<Attachment, 'link'>): boolean {
  return link?.wanted != null && link.connection !== null && (link.ackedRevision ?? -1) >= link.wanted.revision;
}
