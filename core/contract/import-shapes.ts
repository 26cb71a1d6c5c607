/** What the contract says about taking in configuration that was made elsewhere. */
import { z } from 'zod';
import { ConfigText, FindingView } from './config-shapes.ts';

/**
 * What a name of production is called here. `host`: a service (`payments.prod.svc.cluster.local` -> `payments.shop`);
 * `namespace`: where resources go (`prod` -> `shop`). `to: null`: left as it is.
 */
export const NameMapping = z.strictObject({
  kind: z.enum(['host', 'namespace']),
  from: z.string().min(1),
  to: z.string().min(1).nullable(),
});
export type NameMapping = z.infer<typeof NameMapping>;

export const ImportInput = z.strictObject({
  texts: z.array(ConfigText).min(1),
  /** Decides over what is proposed, name by name. */
  mapping: z.array(NameMapping).default([]),
  /** False: a preview; nothing is changed. */
  write: z.boolean().default(false),
});

/** A name in use in the resources, and what it becomes. */
export const MappedName = NameMapping.extend({
  /** True: `to` (or `from`, left as it is) is a service, or a namespace, that runs here. */
  isKnown: z.boolean(),
  /** Other names here that it may mean, best first. */
  candidates: z.array(z.string()),
});
export type MappedName = z.infer<typeof MappedName>;

export const ImportedResource = z.strictObject({
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** Where it comes from, and the project's file that it goes into. */
  file: z.string(),
  path: z.string(),
  /** True: the project has a resource of this name already. */
  replaces: z.boolean(),
  /** As it is written: without what only a cluster needs, names mapped. */
  yaml: z.string(),
});
export type ImportedResource = z.infer<typeof ImportedResource>;

/** A service of a compose file, and what the mesh would take it for. */
export const ComposeService = z.strictObject({
  file: z.string(),
  line: z.number().int(),
  /** Its name in the compose file. */
  name: z.string(),
  service: z.string(),
  namespace: z.string(),
  version: z.string().nullable(),
  /** Ports inside of the container. */
  ports: z.array(z.number().int()),
  /** Labels to add to it in the compose file, for what its names do not say; nothing is changed by Meshdesk. */
  labels: z.record(z.string(), z.string()),
  /** Why it cannot join the mesh, else `null`. */
  problem: z.string().nullable(),
});
export type ComposeService = z.infer<typeof ComposeService>;

export const ImportResult = z.strictObject({
  resources: z.array(ImportedResource),
  /** What is not of a mesh, or not of this one: `Deployment shop/payments`. */
  skipped: z.array(z.strictObject({ what: z.string(), file: z.string(), line: z.number().int(), reason: z.string() })),
  services: z.array(ComposeService),
  mapping: z.array(MappedName),
  findings: z.array(FindingView),
  /** Files of the project that were written; none without `write`. */
  written: z.array(z.string()),
});
export type ImportResult = z.infer<typeof ImportResult>;
