import type { Random } from '../../shared/random.ts';
import type { DownstreamContext } from '../connection.ts';
import { headLimits } from './codec.ts';
import type { CompiledConfig } from './compiled-config.ts';
import { portOf, unroutedEdge } from './edges.ts';
import { droppedBytes } from './head-writer.ts';
import type { KeptHead } from './kept-head.ts';
import { RequestReader, type RequestRefusal } from './parsed-request.ts';
import { requestIdLength, writeRequestId } from './request-ids.ts';
import { splitQuery } from './request-target.ts';
import { rewriteTarget } from './route-actions.ts';
import type { Forward, RoutePlan, Routing } from './route-plan.ts';
import { planRoute } from './routing.ts';
import type { RequestEdit } from './streams.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Routes the requests of one client. As long as host and configuration stay the same, what follows from them is not worked
 * out again, and no string is made of a request unless a route asks for it.
 */
export class RequestRouter {
  readonly request: RequestReader;
  /** What changes in the head of the request routed last. */
  readonly edit: Mutable<RequestEdit> = { target: null, host: null, requestId: null };
  readonly #head: KeptHead;
  readonly #context: DownstreamContext;
  readonly #parts: { readonly config: () => CompiledConfig; readonly random: Random };
  readonly #port: number;
  /** Inbound requests have got theirs from the caller's sidecar, or are left as they are. */
  readonly #requestId: Buffer | null;
  #plan: RoutePlan | null = null;
  #planned: CompiledConfig | null = null;

  constructor(
    head: KeptHead,
    context: DownstreamContext,
    parts: { readonly config: () => CompiledConfig; readonly random: Random },
  ) {
    this.request = new RequestReader(head);
    if (context.gateway?.secure === true) this.request.scheme = 'https';
    this.#head = head;
    this.#context = context;
    this.#parts = parts;
    this.#port = portOf(context);
    this.#requestId = context.direction === 'outbound' ? Buffer.allocUnsafe(requestIdLength) : null;
  }

  /** Routes the head that is kept now. `forced`: it goes there, whatever the configuration says. */
  route(forced: Forward | null): Routing {
    const { request, edit } = this;
    const refusal = request.read(this.#port);
    const routing = refusal === null ? (forced ?? this.#decide()) : this.#refuse(refusal);
    edit.target = null;
    edit.host = null;
    edit.requestId = null;
    if (routing.kind !== 'forward') return routing;
    this.#edit(routing);
    return edit.target === null || this.#fits(edit.target) ? routing : this.#refuse(tooLarge);
  }

  #decide(): Routing {
    const { request } = this;
    const config = this.#parts.config();
    let plan = request.sameHost && this.#planned === config ? this.#plan : null;
    if (plan === null) {
      const planned = planRoute(this.#context, request, config);
      plan = planned.plan;
      this.#plan = planned.reusable ? plan : null;
      this.#planned = config;
    }
    return plan.always ?? plan.choose(request, this.#parts.random);
  }

  #edit(routing: Forward): void {
    const { edit } = this;
    const head = this.#head;
    const { actions } = routing;
    const rewrite = actions?.rewrite ?? null;
    const asked = routing.target === null ? this.request : splitQuery(routing.target);
    const { form, rewrittenTarget } = this.request;
    const target = routing.target ?? (form === 'origin' ? rewrittenTarget : null);
    const { path, query } = asked;
    const { emptyQuery } = this.request;
    edit.target = rewrite === null ? target : rewriteTarget({ path, query, emptyQuery }, rewrite);
    edit.host =
      actions?.authority ?? routing.host ?? (head.hostIndex < 0 ? missingHost(routing, this.request.authority) : null);
    if (this.#requestId === null || head.hasRequestId) return;
    writeRequestId(this.#requestId);
    edit.requestId = this.#requestId;
  }

  /** Whether the head can still go on with another target: a rewrite may make it longer without end. */
  #fits(target: string): boolean {
    const head = this.#head;
    const excess = head.end - (head.targetEnd - head.targetStart) + target.length - headLimits.edited.bytes;
    return excess <= 0 || excess <= droppedBytes(head);
  }

  #refuse({ status, reason }: RequestRefusal): Routing {
    this.#plan = null;
    const edge = unroutedEdge(this.#context);
    const body = `the request has ${reason}\n`;
    return { kind: 'answer', status, flag: 'DPE', body, edge, service: null, route: null };
  }
}

const tooLarge = { status: 431, reason: `a head that its route makes larger than ${headLimits.edited.bytes} bytes` };

/** Upstream is always HTTP/1.1 and needs a Host; an HTTP/1.0 client may have sent none. */
function missingHost(routing: Forward, authority: string): string {
  const target = routing.candidates[0]?.target;
  return authority !== '' || target === undefined ? authority : `${target.host}:${target.port}`;
}
