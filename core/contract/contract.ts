/**
 * The contract: every method and event between the control plane and whoever uses it (desktop, browser, CLI, tests).
 * A method is `noun.verb` with a schema for its input and its output. Adding one: a line here, a handler in
 * control-plane/api, nothing in the transports.
 */
import { z } from 'zod';
import { FaultSpec } from '../model/fault-injection.ts';
import {
  ApplyResult,
  ConfigChange,
  ConfigFile,
  ConfigFiles,
  ConfigSave,
  ConfigText,
  FindingView,
  History,
  HistoryEntry,
  ResourceView,
} from './config-shapes.ts';
import { ExplainInput, Explanation, RecentRequest } from './explain-shapes.ts';
import { ImportInput, ImportResult } from './import-shapes.ts';
import {
  CertificateCheck,
  CertificateView,
  CleanupResult,
  DoctorCheck,
  ExportResult,
  FaultAction,
  FaultView,
  GatewayView,
  HeaderPin,
  MeshStatus,
  Progress,
  Series,
  SplitView,
  Topology,
  WorkloadResult,
  WorkloadView,
} from './shapes.ts';

const Nothing = z.strictObject({});

/** Names or ids; `all` and `project` choose by rule. Exactly one of the three is given. */
const Selection = z
  .strictObject({ names: z.array(z.string()).min(1), all: z.literal(true), project: z.string() })
  .partial()
  .refine((value) => Object.keys(value).length === 1, 'give exactly one of names, all, project');
export type Selection = z.infer<typeof Selection>;

const WindowSeconds = z.number().int().min(1).max(600).default(30);

/** `production`: names that an import mapped become again what they were; `local`: as they are here. */
const ExportNames = z.enum(['production', 'local']).default('production');

export const contract = {
  'mesh.status': { input: Nothing, output: MeshStatus },
  'mesh.cleanup': { input: Nothing, output: CleanupResult },
  'mesh.doctor': { input: Nothing, output: z.array(DoctorCheck) },
  /** A fresh one-time address for a browser; fails with NOT_FOUND when no HTTP server runs. */
  'mesh.address': { input: Nothing, output: z.strictObject({ url: z.string() }) },

  'workload.list': { input: Nothing, output: z.array(WorkloadView) },
  'workload.attach': { input: z.strictObject({ select: Selection }), output: z.array(WorkloadResult) },
  'workload.detach': {
    input: z.strictObject({
      select: Selection,
      /** How long long-lived TCP connections are kept; 0 closes them at once. */
      deadlineMs: z.number().int().min(0).max(3_600_000).default(10_000),
    }),
    output: z.array(WorkloadResult),
  },
  /** Hot restart: a sidecar of the program as it is now takes over from each of them while traffic goes on. */
  'workload.renew': {
    input: z.strictObject({
      select: Selection,
      /** How long connections that do not end by themselves are left to the older sidecar. */
      deadlineMs: z.number().int().min(0).max(3_600_000).default(30_000),
    }),
    output: z.array(WorkloadResult),
  },

  'topology.get': { input: z.strictObject({ windowSeconds: WindowSeconds }), output: Topology },
  /** Golden signals of one edge (`from` and `to` node ids) or of everything that reaches `to`. */
  'series.get': {
    input: z.strictObject({
      from: z.string().nullable(),
      to: z.string(),
      seconds: z.number().int().min(10).max(3_600).default(600),
    }),
    output: Series,
  },
  'request.recent': {
    input: z.strictObject({
      from: z.string().nullable(),
      to: z.string().nullable(),
      limit: z.number().int().min(1).max(500).default(50),
    }),
    output: z.array(RecentRequest),
  },
  /**
   * Why a request goes where it goes: every rule that was tried, destination, endpoints, time limits, retries, faults.
   * Goes by the configuration that the caller's sidecar has. NOT_FOUND for a request that is not kept any more.
   */
  'request.explain': { input: ExplainInput, output: Explanation },

  'fault.list': { input: Nothing, output: z.array(FaultView) },
  /** Creates (no `id`) or replaces a fault: a delay or an abort, or any kind by its `spec`. Services as `name` or `name.namespace`. */
  'fault.set': {
    input: z
      .strictObject({
        id: z.string().optional(),
        from: z.string().nullable(),
        to: z.string(),
        route: z.string().nullable().default(null),
        action: FaultAction,
        percent: z.number().min(0).max(100),
        durationMs: z.number().int().positive().nullable().default(null),
        enabled: z.boolean().default(true),
      })
      .or(z.strictObject({ id: z.string().optional(), spec: FaultSpec, enabled: z.boolean().default(true) })),
    output: FaultView,
  },
  'fault.toggle': { input: z.strictObject({ id: z.string(), enabled: z.boolean() }), output: FaultView },
  /** Removes one fault, or all of them. */
  'fault.clear': {
    input: z.strictObject({ id: z.string() }).or(z.strictObject({ all: z.literal(true) })),
    output: z.array(FaultView),
  },

  'split.list': { input: Nothing, output: z.array(SplitView) },
  'split.show': { input: z.strictObject({ service: z.string(), windowSeconds: WindowSeconds }), output: SplitView },
  'split.set': {
    input: z.strictObject({
      service: z.string(),
      weights: z.array(z.strictObject({ subset: z.string(), weight: z.number().int().min(0).max(100) })).min(1),
      pins: z.array(HeaderPin).default([]),
    }),
    output: SplitView,
  },
  'split.clear': { input: z.strictObject({ service: z.string() }), output: SplitView },

  /** Proxies that the project's Gateways ask for; they are attached and detached as workloads. */
  'gateway.list': { input: Nothing, output: z.array(GatewayView) },

  'certificate.list': { input: Nothing, output: z.array(CertificateView) },
  'certificate.show': { input: z.strictObject({ workload: z.string() }), output: CertificateView },
  'certificate.rotate': {
    input: z
      .strictObject({ workload: z.string() })
      .or(z.strictObject({ all: z.literal(true) }))
      .or(z.strictObject({ root: z.literal(true) })),
    output: z.array(CertificateView),
  },
  'certificate.verify': { input: z.strictObject({ workload: z.string() }), output: CertificateCheck },

  /** What there is to say about the project's files and about how they fit together; errors first. */
  'config.findings': { input: Nothing, output: z.array(FindingView) },
  'config.get': {
    input: z.strictObject({ kind: z.string().nullable(), name: z.string().nullable() }),
    output: z.array(ResourceView),
  },
  /** Adds or replaces resources in the project's files; all or nothing. */
  'config.apply': { input: z.strictObject({ texts: z.array(ConfigText).min(1) }), output: ApplyResult },
  'config.delete': {
    input: z.strictObject({ kind: z.string(), namespace: z.string().nullable(), name: z.string() }),
    output: ResourceView,
  },
  /** The project's YAML files with their texts and what there is to say about each. */
  'config.files': { input: Nothing, output: ConfigFiles },
  /**
   * Writes one file. A text with errors is written too, and what the file said before stays in force, as with an edit on
   * disk. BAD_REQUEST for a path that is not a YAML file of the project.
   */
  'config.save': { input: ConfigSave, output: z.strictObject({ file: ConfigFile.nullable() }) },
  /** Takes in YAML of a cluster, of Helm, of a compose file; `write` puts the resources into the project. */
  'config.import': { input: ImportInput, output: ImportResult },
  'config.history': { input: Nothing, output: History },
  /** The change that was taken back; CONFLICT when its files were changed since. */
  'config.undo': { input: Nothing, output: HistoryEntry },
  'config.redo': { input: Nothing, output: HistoryEntry },

  'export.preview': {
    input: z.strictObject({ targets: z.array(z.string()).min(1), names: ExportNames }),
    output: z.array(ExportResult),
  },
  'export.write': {
    input: z.strictObject({ targets: z.array(z.string()).min(1), outDir: z.string().min(1), names: ExportNames }),
    output: z.array(ExportResult),
  },

  'sample.start': { input: Nothing, output: MeshStatus },
  'sample.stop': { input: Nothing, output: MeshStatus },

  /** Output arrives as `terminal.data` events of this id. `logs` follows; `shell` takes input. */
  'terminal.open': {
    input: z.strictObject({
      workload: z.string(),
      target: z.enum(['workload', 'sidecar']),
      kind: z.enum(['logs', 'shell']),
      columns: z.number().int().min(1).max(1_000).default(80),
      rows: z.number().int().min(1).max(1_000).default(24),
    }),
    output: z.strictObject({ id: z.string() }),
  },
  'terminal.input': { input: z.strictObject({ id: z.string(), data: z.string() }), output: Nothing },
  'terminal.resize': {
    input: z.strictObject({ id: z.string(), columns: z.number().int().min(1), rows: z.number().int().min(1) }),
    output: Nothing,
  },
  'terminal.close': { input: z.strictObject({ id: z.string() }), output: Nothing },
} as const satisfies Record<string, { input: z.ZodType; output: z.ZodType }>;

export type MethodName = keyof typeof contract;
export type MethodInput<M extends MethodName> = z.input<(typeof contract)[M]['input']>;
export type MethodParsed<M extends MethodName> = z.output<(typeof contract)[M]['input']>;
export type MethodOutput<M extends MethodName> = z.output<(typeof contract)[M]['output']>;

/** Events. Each carries a whole picture, so that a lost one is mended by the next. */
export const events = {
  status: MeshStatus,
  workloads: z.array(WorkloadView),
  /** Once a second while someone listens; 30 s window. */
  topology: Topology,
  faults: z.array(FaultView),
  /** Routes or weights changed: refetch splits. */
  splits: z.strictObject({ revision: z.number().int() }),
  certificates: z.strictObject({ workload: z.string() }),
  /** Files or findings changed: fetch them again. */
  config: ConfigChange,
  progress: Progress,
  notice: z.strictObject({
    level: z.enum(['info', 'warn', 'error']),
    code: z.string().nullable(),
    message: z.string(),
  }),
  'terminal.data': z.strictObject({ id: z.string(), data: z.string() }),
  'terminal.exit': z.strictObject({ id: z.string(), code: z.number().int().nullable() }),
} as const satisfies Record<string, z.ZodType>;

export type EventName = keyof typeof events;
export type EventPayload<E extends EventName> = z.output<(typeof events)[E]>;

/** What goes over a transport. A failed call says code, message, hint and issues; never a stack. */
export const CallRequest = z.strictObject({ method: z.string(), input: z.unknown() });
export const CallResponse = z.union([
  z.strictObject({ ok: z.literal(true), output: z.unknown() }),
  z.strictObject({
    ok: z.literal(false),
    error: z.strictObject({
      code: z.string(),
      message: z.string(),
      hint: z.string(),
      issues: z.array(
        z.strictObject({
          path: z.string(),
          message: z.string(),
          file: z.string().optional(),
          line: z.number().optional(),
          column: z.number().optional(),
        }),
      ),
    }),
  }),
]);
export type CallResponse = z.infer<typeof CallResponse>;

/** The two things a transport can do. IPC, HTTP + WebSocket and the in-process one are implementations. */
export interface Transport {
  call(method: string, input: unknown): Promise<CallResponse>;
  /** Calls back for every event until the returned function is called. */
  listen(
    onEvent: (event: { name: string; payload: unknown }) => void,
    onState: (connected: boolean) => void,
  ): () => void;
}
