/**
 * `test/fidelity/`: does a Meshdesk sidecar do what a real Istio does? The same YAML, the same upstreams and the same
 * requests go through both; what can be observed is compared.
 *
 *   scenario     one service of its own (`{host}`), resources for it, and requests to it
 *   world        many scenarios loaded at once, in both
 *   observation  what a client and the upstreams saw of one request
 *   difference   two observations that do not agree; explained ones are listed in docs/fidelity.md by their key
 */

/** What the upstream is told to do with a request, in the header `x-do`. */
export interface UpstreamOrder {
  /** Status to answer with; default 200. */
  readonly status?: number;
  /** The order is for the first N attempts of this request only; later ones are answered with 200. */
  readonly times?: number;
  readonly delayMs?: number;
  /** Closes the connection with RST instead of answering. */
  readonly reset?: boolean;
  /** The order is for this version only; others answer with 200. */
  readonly only?: string;
  /** Headers of the answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  /** Host to ask for, with `{host}`; default the service's full name. */
  readonly authority?: string;
  /** A list: one line for each value. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  readonly order?: UpstreamOrder;
  /** More than once: shares of outcomes are compared statistically instead of answer by answer. */
  readonly repeat?: number;
  /** A copy may be seen at an upstream too, some time after the answer. */
  readonly mirrored?: boolean;
  /** One after the other on one connection; for stickiness: which version answered must be the same within the series. */
  readonly sticky?: boolean;
  /** With `repeat`: the times between the attempts of each request are compared, statistically. */
  readonly pauses?: boolean;
  /** With `repeat`: how many answers took so long at least is compared, statistically. All are asked for at once. */
  readonly slowFromMs?: number;
  /** With `repeat`: all at once, on a connection each; how many ended in which way is compared exactly. */
  readonly atOnce?: boolean;
  /**
   * With `repeat`: as many keys, which stand for `{key}` in path and headers. Each is asked for twice; then this version fails
   * until it is ejected, and each is asked for once more. Compared is how many keys were where before and after.
   */
  readonly keysUntilFails?: string;
  /** Time before it is asked. */
  readonly afterMs?: number;
  /** Asks every 20 ms for some time, while this version fails; the times from one return of it to the next are compared. */
  readonly watch?: { readonly version: string; readonly forMs: number };
}

export interface Scenario {
  /** The field it is about, e.g. `VirtualService.http.match.uri.prefix: ends inside a segment`. */
  readonly name: string;
  /** Resources with `{host}` for the short name of the scenario's service, in namespace shop. */
  readonly yaml: string;
  /** Versions the service has, an endpoint each; default v1 and v2. */
  readonly versions?: readonly string[];
  /** The endpoint is drawn at random, so which version answers may differ; default false. */
  readonly draws?: boolean;
  /** Resources that Istio gets besides: what newer ones do with a field that the arbiter does not know yet. */
  readonly forIstio?: string;
  readonly asks: readonly Ask[];
  /** Then the service has these versions, and is asked this. */
  readonly later?: { readonly versions: readonly string[]; readonly asks: readonly Ask[] };
}

export const defaultVersions: readonly string[] = ['v1', 'v2'];

/** Text of an order, and back. */
export function printOrder(order: UpstreamOrder): string {
  return JSON.stringify(order);
}

export function parseOrder(text: string | undefined): UpstreamOrder {
  return text === undefined ? {} : (JSON.parse(text) as UpstreamOrder);
}
