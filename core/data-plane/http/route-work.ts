import type { HeaderOperations } from '../../model/traffic-config.ts';
import { decideCors } from '../../policy/cors.ts';
import { formatHeaderValue } from '../../policy/header-values.ts';
import { rateLimitHeaders } from '../../policy/token-bucket.ts';
import type { Address } from '../connection.ts';
import type { HttpCodec, ResponseHead } from './codec.ts';
import { editHead, editPairs } from './edit-head.ts';
import { KeptHead } from './kept-head.ts';
import type { RequestReader } from './parsed-request.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { RequestRouter } from './request-router.ts';
import type { RouteActions } from './route-actions.ts';
import type { BodyForm, ClientStream, MeshAnswer, RequestEdit } from './streams.ts';

const none: readonly HeaderOperations[] = [];

/** What a route's actions do with the heads of one request and its answer. Reused from request to request. */
export class RouteWork {
  /** Of the endpoint chosen last, for Envoy's variables. */
  upstreamAddress: string | null = null;
  readonly #codec: HttpCodec;
  readonly #head: KeptHead;
  readonly #request: RequestReader;
  readonly #edit: RequestEdit;
  readonly #client: Address;
  #setCookie: string | null = null;
  /** Changes to the head of the request that are still to be made. */
  #pending: readonly HeaderOperations[] = none;
  #entered = false;
  /** Changes to the head of the answer; `null`: none. */
  #edits: HeaderOperations[] | null = null;
  /** Those of faults, after them; `null`: none. */
  faultEdits: readonly HeaderOperations[] | null = null;

  /** @param codec for heads that were changed; nobody else may be using it meanwhile */
  constructor(codec: HttpCodec, head: KeptHead, { request, edit }: RequestRouter, client: Address) {
    this.#codec = codec;
    this.#head = head;
    this.#request = request;
    this.#edit = edit;
    this.#client = client;
  }

  /** A new request, whose head is kept. `setCookie`: for the answer of an upstream. */
  begin(actions: RouteActions | null, setCookie: string | null): void {
    this.#edits = null;
    this.faultEdits = null;
    this.upstreamAddress = null;
    this.#pending = none;
    this.#entered = false;
    this.#setCookie = setCookie;
    if (actions === null) return;
    for (const operations of actions.response) this.#editAnswer(operations);
    this.#pending = actions.request;
  }

  /** The request goes on to an endpoint: changes its head as the route says. Again: nothing. */
  enter(): void {
    const pending = this.#pending;
    if (pending.length > 0) {
      const head = this.#head;
      const edited = editHead(head.bytes, head, pending, (value, now) => this.#fillIn(value, now));
      // What a rule writes may not fit into a head; then the request goes on as it came.
      if (this.#codec.parseRequest(edited, 0, edited.length) === 'complete') head.keep(edited, this.#codec.request);
    }
    this.#pending = none;
    this.#entered = true;
  }

  /**
   * Headers of an answer of the mesh's own, a content type among them: changed as the route says, like those of any other
   * answer (Envoy, finalizeResponseHeaders of local replies).
   */
  answerHeaders(body: string, headers: MeshAnswer['headers'] = []): MeshAnswer['headers'] {
    const edits = this.#allEdits;
    if (edits === null) return headers;
    const typed = body === '' ? headers : [['content-type', 'text/plain; charset=utf-8'] as const, ...headers];
    return editPairs(typed, edits, (value, now) => this.#fillInAnswer(value, now, 0));
  }

  /** The answer to a preflight; `null` when this is none, or one for the upstream. */
  answerPreflight(actions: RouteActions | null): MeshAnswer | null {
    const cors = actions?.cors ?? null;
    if (cors === null) return null;
    const request = this.#request;
    const requestedMethod = request.header('access-control-request-method');
    const decision = decideCors(cors, { method: request.method, origin: request.header('origin'), requestedMethod });
    if (decision.kind === 'preflight') {
      // It never comes to the route, whose changes it does not get.
      this.#edits = null;
      return { status: 200, flag: '', body: '', headers: decision.headers, verbatim: true };
    }
    if (decision.kind === 'allow') {
      this.#editAnswer({ remove: [], set: decision.headers.map(([name, value]) => [name, value]), add: [] });
    }
    return null;
  }

  /** Hands the head of the answer to the client, changed as the route says; as `ClientStream.sendHead`. */
  sendHead(
    client: Pick<ClientStream, 'sendHead' | 'sendBody'>,
    bytes: Buffer,
    head: ResponseHead,
    form: BodyForm,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    const edits = this.#forwardedEdits;
    if (edits === null) return client.sendHead(bytes, head, form, bodyStart, bodyEnd, isLast);
    const { status } = head;
    const edited = editHead(bytes, head, edits, (value, now) => this.#fillInAnswer(value, now, status));
    // What a rule writes may not fit into a head; then the answer goes on as it came.
    if (this.#codec.parseResponse(edited, 0, edited.length) !== 'complete') {
      return client.sendHead(bytes, head, form, bodyStart, bodyEnd, isLast);
    }
    const { end } = this.#codec.response;
    const hasBody = bodyEnd > bodyStart;
    const goOn = client.sendHead(edited, this.#codec.response, form, end, end, isLast && !hasBody);
    return hasBody ? client.sendBody(bytes, bodyStart, bodyEnd, isLast) : goOn;
  }

  /** The head of the request with more changes, for one try of it; `null` when it would not fit into a head. */
  editedHead(operations: readonly HeaderOperations[]): KeptHead | null {
    const head = this.#head;
    const all = [...this.#pending, ...operations];
    const edited = editHead(head.bytes, head, all, (value, now) => this.#fillIn(value, now));
    if (this.#codec.parseRequest(edited, 0, edited.length) !== 'complete') return null;
    const made = new KeptHead();
    made.keep(edited, this.#codec.request);
    return made;
  }

  /** A cookie goes with answers of upstreams only (Envoy). */
  get #forwardedEdits(): readonly HeaderOperations[] | null {
    const [edits, cookie] = [this.#allEdits, this.#setCookie];
    if (cookie === null) return edits;
    return [...(edits ?? []), { remove: [], set: [], add: [['set-cookie', cookie]] }];
  }

  get #allEdits(): readonly HeaderOperations[] | null {
    const { faultEdits } = this;
    return faultEdits === null ? this.#edits : [...(this.#edits ?? []), ...faultEdits];
  }

  /** One token of every limit; the answer tells what is left of each. The answer when there is none left (429), else `null`. */
  takeTokens(limits: readonly RateLimiter[], client: string, nowMs: number): MeshAnswer | null {
    if (limits.length === 0) return null;
    const decisions = limits.map((limit) => limit.take(this.#request, client, nowMs));
    this.#editAnswer({ remove: [], set: rateLimitHeaders(decisions), add: [] });
    return decisions.every(({ allowed }) => allowed) ? null : limited;
  }

  #editAnswer(operations: HeaderOperations): void {
    this.#edits ??= [];
    this.#edits.push(operations);
  }

  /** Envoy's variables in a value of the request's; it is not rewritten yet, but headers may be changed already. */
  #fillIn(value: string, now: (name: string) => string | undefined): string {
    if (!value.includes('%')) return value;
    const { path, query, emptyQuery, method, authority, scheme } = this.#request;
    const target = query === '' && !emptyQuery ? path : `${path}?${query}`;
    const pseudo = { ':path': target, ':method': method, ':authority': authority, ':scheme': scheme };
    return this.#format(value, pseudo, now, 0);
  }

  /** In a value of the answer's: the request is as it went on, if it did. */
  #fillInAnswer(value: string, now: (name: string) => string | undefined, responseCode: number): string {
    if (!value.includes('%')) return value;
    const { path, query, emptyQuery, method, authority, scheme } = this.#request;
    const edit = this.#entered ? this.#edit : null;
    const target = edit?.target ?? (query === '' && !emptyQuery ? path : `${path}?${query}`);
    const pseudo = {
      ':path': target,
      ':method': method,
      ':authority': edit?.host ?? authority,
      ':scheme': scheme,
    };
    const request = (name: string) => this.#request.firstValue(name);
    return this.#format(value, pseudo, request, responseCode, now);
  }

  #format(
    value: string,
    pseudo: Readonly<Record<string, string>>,
    request: (name: string) => string | undefined,
    responseCode: number,
    response?: (name: string) => string | undefined,
  ): string {
    return formatHeaderValue(value, {
      request: (name) => pseudo[name] ?? request(name),
      response: response ?? (() => undefined),
      protocol: 'HTTP/1.1',
      downstreamAddress: `${this.#client.host}:${this.#client.port}`,
      upstreamAddress: this.upstreamAddress,
      hostname: null,
      responseCode,
    });
  }
}

/** Envoy's words. */
const limited: MeshAnswer = { status: 429, flag: 'RL', body: 'local_rate_limited' };
