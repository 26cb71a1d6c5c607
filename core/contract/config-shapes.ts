/** What the contract says about the project's resources: texts, findings, history. */
import { z } from 'zod';
import { Finding, findingNumbers } from '../model/finding.ts';

/** A finding with its stable number, as lists and `--json` show it. */
export const FindingView = Finding.extend({ number: z.string() });
export type FindingView = z.infer<typeof FindingView>;

export function toFindingView(finding: Finding): FindingView {
  return { ...finding, number: findingNumbers[finding.code] };
}

/** A YAML text and where it comes from (a path, or `-` for standard input), for messages. */
export const ConfigText = z.strictObject({ file: z.string(), text: z.string().max(8 * 1024 * 1024) });
export type ConfigText = z.infer<typeof ConfigText>;

export const ResourceView = z.strictObject({
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  yaml: z.string(),
});
export type ResourceView = z.infer<typeof ResourceView>;

export const ApplyResult = z.strictObject({
  /** `VirtualService shop/payments`, in the order given. */
  applied: z.array(z.string()),
  /** Warnings and what is kept without being applied; errors refuse the whole call. */
  findings: z.array(FindingView),
});
export type ApplyResult = z.infer<typeof ApplyResult>;

export const HistoryEntry = z.strictObject({
  id: z.number().int(),
  atMs: z.number(),
  label: z.string(),
  files: z.array(z.strictObject({ path: z.string(), before: z.string().nullable(), after: z.string().nullable() })),
});
export type HistoryEntry = z.infer<typeof HistoryEntry>;

/** Newest first. */
export const History = z.strictObject({ done: z.array(HistoryEntry), undone: z.array(HistoryEntry) });
export type History = z.infer<typeof History>;
