import type { MethodOutput, MethodParsed } from '../../contract/contract.ts';
import { MeshError } from '../../contract/errors.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import { type DiscoveredWorkload, toServiceKey } from '../../model/workload.ts';
import type { ExplainedOutcome } from '../../policy/explain-outcome.ts';
import { explainRequest } from '../../policy/explain-request.ts';
import type { RequestView } from '../../policy/request-view.ts';
import type { Random } from '../../shared/random.ts';
import type { MeshSnapshot } from '../../snapshot/snapshot.ts';
import { toSidecarConfig } from '../../snapshot/to-sidecar-config.ts';
import type { TelemetryStore } from '../telemetry/telemetry-store.ts';
import type { Attachment } from './attachment.ts';
import { findService } from './find-service.ts';
import type { WorkloadRegistry } from './workload-registry.ts';

export type RecentRequest = MethodOutput<'request.recent'>[number];
export type Explanation = MethodOutput<'request.explain'>;

export interface ExplanationParts {
  readonly registry: WorkloadRegistry;
  readonly attachments: ReadonlyMap<string, Attachment>;
  readonly telemetry: TelemetryStore;
  readonly snapshot: () => MeshSnapshot;
  readonly random: Random;
}

type Asked = Explanation['request'];

/** Single requests: those that the sidecars told of, and why one goes where it goes, by what the caller's sidecar has. */
export class Explanations {
  readonly #parts: ExplanationParts;

  constructor(parts: ExplanationParts) {
    this.#parts = parts;
  }

  /** Services by name or as `name.namespace`. Throws NOT_FOUND, AMBIGUOUS_NAME for a name alone. */
  recent({ from, to, limit }: MethodParsed<'request.recent'>): RecentRequest[] {
    const toKey = (name: string | null) =>
      name === null || /[.:]/.test(name) ? name : findService(this.#parts.snapshot().services, name).key;
    const query = { from: toKey(from), to: toKey(to), limit };
    return this.#parts.telemetry.recent(query).map((request) => this.#withNames(request));
  }

  /** Throws NOT_FOUND, AMBIGUOUS_NAME, BAD_REQUEST (an address that is none), NOT_EXPLAINED (a caller outside the mesh). */
  explain(input: MethodParsed<'request.explain'>): Explanation {
    if (!('id' in input)) {
      const caller = this.#parts.registry.find(input.from);
      const { method, url, headers } = input;
      return this.#explain(caller, toAsked(method, url, headers), null, null, null);
    }
    const recorded = this.#parts.telemetry.request(input.id);
    if (recorded === null)
      throw new MeshError(
        'NOT_FOUND',
        `Request ${input.id} is not kept any more; \`meshdesk requests\` lists those that are.`,
      );
    const caller = recorded.caller === null ? null : this.#parts.registry.get(recorded.caller);
    if (caller === null)
      throw new MeshError('NOT_EXPLAINED', `Request ${input.id} came from ${recorded.from}, which has no sidecar.`);
    const service = recorded.to?.startsWith('outside:') === true ? null : recorded.to;
    return this.#explain(
      caller,
      toRecordedAsked(recorded, service),
      service,
      recorded.endpoint,
      this.#withNames(recorded),
    );
  }

  #explain(
    caller: DiscoveredWorkload,
    request: Asked,
    service: string | null,
    endpoint: string | null,
    recorded: RecentRequest | null,
  ): Explanation {
    const { snapshot, attachments, random } = this.#parts;
    const link = attachments.get(caller.id)?.link ?? null;
    const config = link?.connection?.inForce ?? link?.wanted ?? previewConfig(snapshot(), caller.id);
    const view = toView(request);
    const explained = explainRequest(config, view, random, {
      ...(service === null ? {} : { service }),
      ...(endpoint === null ? {} : { endpoint }),
    });
    const ackedRevision = link?.ackedRevision ?? null;
    return {
      caller: { id: caller.id, name: caller.name, service: toServiceKey(caller.service, caller.namespace) },
      config: {
        revision: config.revision,
        state: link === null ? 'without-sidecar' : ackedRevision === config.revision ? 'in-force' : 'pushed',
        ackedRevision,
      },
      request,
      listener: describeListener(config, explained.service, request.port, link !== null),
      ...explained,
      routes: explained.routes.map(({ route, outcome, reasons }) => ({ route, outcome, reasons: [...reasons] })),
      outcome: explained.outcome as Explanation['outcome'],
      rateLimits: [...explained.rateLimits],
      draw: [...explained.draw],
      mirrors: [...explained.mirrors],
      faults: [...explained.faults],
      callee: this.#callee(explained.outcome),
      leftOut: this.#leftOut(caller.id, explained.outcome),
      recorded,
    };
  }

  /** What the sidecar of the chosen endpoint does with what comes in. */
  #callee(outcome: ExplainedOutcome): Explanation['callee'] {
    if (outcome.kind !== 'forward' && outcome.kind !== 'connection') return null;
    const { endpoints, chosen } = outcome.destination;
    const endpoint = endpoints.find(({ id }) => id === chosen);
    const workload = endpoint === undefined ? null : this.#parts.registry.get(endpoint.id);
    if (endpoint === undefined || workload === null) return null;
    const link = this.#parts.attachments.get(workload.id)?.link ?? null;
    const config = link?.connection?.inForce ?? link?.wanted ?? null;
    // Where callers use its sidecar's own port, the application's is the one that the service port leads to.
    const port = config?.listeners.kind === 'explicit' ? ownPort(config.listeners, endpoint.port) : endpoint.port;
    const listed = config?.inbound.ports.find((own) => own.port === port);
    const declared = workload.ports.find((own) => own.port === port)?.protocol;
    return {
      workload: workload.name,
      port,
      protocol: listed?.protocol ?? declared ?? 'auto',
      mtls: config === null ? null : (listed?.mtls ?? config.inbound.mtls),
      rateLimits: [...(config?.inbound.rateLimits ?? [])],
    };
  }

  #leftOut(caller: string, outcome: ExplainedOutcome): Explanation['leftOut'] {
    if (outcome.kind !== 'forward' && outcome.kind !== 'connection') return [];
    const { service, subset, port } = outcome.destination;
    return (this.#parts.telemetry.cost(caller)?.leftOut ?? [])
      .filter((one) => one.service === service && one.subset === subset && one.port === port)
      .map(({ endpoint, state, reason }) => ({ id: endpoint, state, reason }));
  }

  #withNames(request: RecentRequest): RecentRequest {
    const nameOf = (id: string | null) => (id === null ? null : (this.#parts.registry.get(id)?.name ?? id));
    return { ...request, caller: nameOf(request.caller), endpoint: nameOf(request.endpoint) };
  }
}

/** What a workload without a sidecar would be given. */
function previewConfig(snapshot: MeshSnapshot, id: string): SidecarConfig {
  const workload = snapshot.workloads.get(id);
  const listeners = { kind: 'transparent', outboundPort: 15001, inboundPort: 15006 } as const;
  const preview = workload && { ...workload, listeners: workload.listeners ?? listeners };
  const workloads = new Map(snapshot.workloads);
  if (preview !== undefined) workloads.set(id, preview);
  const config = toSidecarConfig({ ...snapshot, workloads }, id);
  if (config === null) throw new MeshError('NOT_FOUND', 'The workload is not known any more.');
  return config;
}

function ownPort({ inbound }: Extract<SidecarConfig['listeners'], { kind: 'explicit' }>, listening: number): number {
  return inbound.find(({ listen }) => listen.port === listening)?.target.port ?? listening;
}

function toAsked(method: string, url: string, headers: Asked['headers']): Asked {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `http://${url}`;
  const parsed = URL.canParse(text) ? new URL(text) : null;
  const scheme = parsed?.protocol.slice(0, -1);
  if (parsed === null || url.startsWith('/') || parsed.hostname === '' || (scheme !== 'http' && scheme !== 'https'))
    throw new MeshError('BAD_REQUEST', `'${url}' is no address of a request: write http://SERVICE:PORT/PATH.`);
  return {
    method,
    scheme,
    host: parsed.hostname.toLowerCase(),
    port: parsed.port === '' ? (scheme === 'http' ? 80 : 443) : Number(parsed.port),
    path: parsed.pathname,
    query: parsed.search.slice(1),
    headers: [...headers],
  };
}

/** Host processes say `/proxy/SERVICE/PATH` to their sidecar; the rules see what follows. */
function toRecordedAsked({ method, path: target, host, port, headers }: RecentRequest, service: string | null): Asked {
  const { path, query } = splitTarget(target);
  const proxied = service === null ? null : /^\/proxy\/[^/:]+(?::\d{1,5})?(\/.*)?$/.exec(path);
  const name = service?.split('.')[0] ?? 'unknown';
  return {
    method,
    scheme: 'http',
    host: proxied === null ? (host ?? name) : name,
    port: port ?? 80,
    path: proxied === null ? path : (proxied[1] ?? '/'),
    query,
    headers: [...headers],
  };
}

function splitTarget(target: string): { path: string; query: string } {
  const origin = target.replace(/^https?:\/\/[^/?]*/i, '') || '/';
  const mark = origin.indexOf('?');
  return mark === -1 ? { path: origin, query: '' } : { path: origin.slice(0, mark), query: origin.slice(mark + 1) };
}

function toView({ method, scheme, host, port, path, query, headers }: Asked): RequestView {
  const values = new Map<string, string>();
  const add = (name: string, value: string) => {
    const known = values.get(name);
    values.set(name, known === undefined ? value : `${known}, ${value}`);
  };
  for (const { name, value } of headers) add(name.toLowerCase(), value);
  const isDefault = port === (scheme === 'http' ? 80 : 443);
  if (!values.has('host')) values.set('host', isDefault ? host : `${host}:${port}`);
  const named = values.get('host')?.replace(/:\d+$/, '').toLowerCase() ?? host;
  return { method, path, query, host: named, port, scheme, header: (name) => values.get(name) };
}

function describeListener(config: SidecarConfig, service: string | null, port: number, hasSidecar: boolean): string {
  if (!hasSidecar) return 'none: the caller has no sidecar, its requests go past the mesh';
  const { listeners } = config;
  if (listeners.kind === 'transparent') return `outbound, redirected to port ${listeners.outboundPort}`;
  const at = ({ host, port: number }: { host: string; port: number }) => `${host}:${number}`;
  if (listeners.kind === 'gateway') {
    const taken = listeners.ports.find((own) => own.port === port);
    return taken === undefined ? 'none' : `port ${port} of the gateway, at ${at(taken.listen)}`;
  }
  const own = listeners.outbound.find((outbound) => outbound.service === service && outbound.port === port);
  if (own !== undefined) return `outbound for ${own.service}:${own.port} at ${at(own.listen)}`;
  return listeners.httpProxy === null ? 'outbound' : `HTTP proxy at ${at(listeners.httpProxy)}`;
}
