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

/** A YAML file of the project, as an editor needs it. */
export const ConfigFile = z.strictObject({
  /** Relative to the project, with `/`. */
  path: z.string(),
  text: z.string(),
  /** What the text defines, whether or not it is in force; with its line, from 1. */
  resources: z.array(
    z.strictObject({ kind: z.string(), namespace: z.string(), name: z.string(), line: z.number().int() }),
  ),
  /** True: the text has errors, what it said before them is still in force. */
  isBehind: z.boolean(),
  /** What is in force instead; `null`: the text itself. */
  appliedText: z.string().nullable(),
  /** Also what the mesh as a whole has to say about the resources of this file; errors first. */
  findings: z.array(FindingView),
});
export type ConfigFile = z.infer<typeof ConfigFile>;

export const ConfigFiles = z.strictObject({
  /** By path. */
  files: z.array(ConfigFile),
  /** What concerns no file. */
  findings: z.array(FindingView),
});
export type ConfigFiles = z.infer<typeof ConfigFiles>;

/** Writes a whole file, or removes it (`text: null`). */
export const ConfigSave = z.strictObject({
  path: z.string(),
  text: z
    .string()
    .max(8 * 1024 * 1024)
    .nullable(),
  /** What the file was when the edit began (`null`: there was none); CONFLICT when it is not that any more. */
  expected: z.string().nullable(),
});
export type ConfigSave = z.infer<typeof ConfigSave>;

/** Of the event `config`: something about the files or the findings is new; fetch them again. */
export const ConfigChange = z.strictObject({
  /** Rises with every change. */
  change: z.number().int(),
  errors: z.number().int(),
  warnings: z.number().int(),
});
export type ConfigChange = z.infer<typeof ConfigChange>;
