import type { CertificateView } from '../../../core/contract/shapes.ts';

export interface Validity {
  /** Places on the bar, 0 to 100. */
  readonly nowPercent: number;
  readonly rotatesPercent: number;
  readonly lifeMs: number;
  readonly rotatesInMs: number;
  readonly state: 'valid' | 'due' | 'expired' | 'not yet valid';
}

/** Certificates begin this much before their issue, for machines whose clock is behind. */
export const backdatedMs = 5 * 60_000;

export function issuedAtMs({ notBefore }: Pick<CertificateView, 'notBefore'>): number {
  return Date.parse(notBefore) + backdatedMs;
}

/** Where a certificate stands in its life. Pure. */
export function validityOf(
  { notBefore, notAfter, rotatesAt }: Pick<CertificateView, 'notBefore' | 'notAfter' | 'rotatesAt'>,
  nowMs: number,
): Validity {
  const from = Date.parse(notBefore);
  const to = Date.parse(notAfter);
  const rotates = Date.parse(rotatesAt);
  const place = (ms: number) => Math.min(100, Math.max(0, ((ms - from) / Math.max(1, to - from)) * 100));
  const state = nowMs > to ? 'expired' : nowMs < from ? 'not yet valid' : nowMs > rotates ? 'due' : 'valid';
  return {
    nowPercent: place(nowMs),
    rotatesPercent: place(rotates),
    lifeMs: to - from,
    rotatesInMs: rotates - nowMs,
    state,
  };
}
