/**
 * Endpoints that are given by name (ServiceEntry, resolution DNS): each of the name's addresses is an endpoint, asked for
 * again and again, so that all of them get traffic and those that are gone none (Envoy STRICT_DNS).
 */

import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { Endpoint, ServiceConfig } from '../../model/sidecar-config.ts';

export interface ResolvedName {
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

export interface EndpointNamesOptions {
  /** Rejects when the name has no address, or nobody can say. */
  readonly resolve: (name: string) => Promise<ResolvedName>;
  /** Some name has other addresses than before. */
  readonly onChange: () => void;
}

/** Engines give out names for minutes, but containers get new addresses with every start. */
const maxWaitMs = 10_000;
const minWaitMs = 1_000;
const resolverTimeoutMs = 2_000;
const resolverTries = 2;

interface Name {
  /** Sorted; none: not known yet. */
  addresses: readonly string[];
  timer: NodeJS.Timeout | null;
}

export class EndpointNames {
  readonly #options: EndpointNamesOptions;
  readonly #names = new Map<string, Name>();
  /** What was made of a service, and from which addresses: a service stays the same object while nothing changes. */
  readonly #made = new WeakMap<ServiceConfig, { readonly text: string; readonly service: ServiceConfig }>();

  constructor(options: EndpointNamesOptions) {
    this.#options = options;
  }

  /** The services with addresses instead of names, as far as they are known. Names that are there no more are forgotten. */
  apply(services: ServiceConfig[]): ServiceConfig[] {
    const wanted = new Set<string>();
    const resolved = services.map((service) => {
      const names = namesOf(service);
      for (const name of names) wanted.add(name);
      return names.length === 0 ? service : this.#resolved(service, names);
    });
    for (const [name, { timer }] of this.#names) {
      if (wanted.has(name)) continue;
      if (timer !== null) clearTimeout(timer);
      this.#names.delete(name);
    }
    for (const name of wanted) {
      if (this.#names.has(name)) continue;
      this.#names.set(name, { addresses: [], timer: null });
      void this.#refresh(name);
    }
    return wanted.size === 0 ? services : resolved;
  }

  close(): void {
    for (const { timer } of this.#names.values()) if (timer !== null) clearTimeout(timer);
    this.#names.clear();
  }

  #resolved(service: ServiceConfig, names: readonly string[]): ServiceConfig {
    const text = names.map((name) => this.#names.get(name)?.addresses.join(' ') ?? '').join('|');
    const before = this.#made.get(service);
    if (before?.text === text) return before.service;
    const made = { ...service, endpoints: service.endpoints.flatMap((endpoint) => this.#toEndpoints(endpoint)) };
    this.#made.set(service, { text, service: made });
    return made;
  }

  /** All with the id of the one that they stand for: subsets and shares name that. */
  #toEndpoints(endpoint: Endpoint): Endpoint[] {
    const { addresses = [] } = this.#names.get(endpoint.address) ?? {};
    return addresses.length === 0 ? [endpoint] : addresses.map((address) => ({ ...endpoint, address }));
  }

  async #refresh(name: string): Promise<void> {
    // A name that cannot be resolved any more keeps its addresses, as in Envoy.
    const found = await this.#options.resolve(name).catch(() => null);
    const known = this.#names.get(name);
    if (known === undefined) return;
    const waitMs = Math.min(maxWaitMs, Math.max(minWaitMs, found?.ttlMs ?? 0));
    known.timer = setTimeout(() => void this.#refresh(name), waitMs);
    known.timer.unref();
    if (found === null) return;
    const addresses = [...new Set(found.addresses)].sort();
    if (addresses.join(' ') === known.addresses.join(' ')) return;
    known.addresses = addresses;
    this.#options.onChange();
  }
}

function namesOf({ endpoints }: ServiceConfig): readonly string[] {
  return endpoints.map(({ address }) => address).filter((address) => isIP(address) === 0);
}

/** What the hosts file of the namespace says, else its DNS: IPv4 addresses, without any IPv6 ones. */
export function createNameResolver(hostsPath = '/etc/hosts'): EndpointNamesOptions['resolve'] {
  const resolver = new Resolver({ timeout: resolverTimeoutMs, tries: resolverTries });
  return async (name) => {
    const fixed = addressesInHosts(await readFile(hostsPath, 'utf8').catch(() => ''), name);
    if (fixed.length > 0) return { addresses: fixed, ttlMs: maxWaitMs };
    const options = { ttl: true } as const;
    const records = await resolver.resolve4(name, options).catch(() => resolver.resolve6(name, options));
    // Our own answer for the name, should the question have come round to us.
    const foreign = records.filter(({ address }) => !address.startsWith('240.240.'));
    if (foreign.length === 0) throw new Error(`${name} has no address`);
    return {
      addresses: foreign.map(({ address }) => address),
      ttlMs: Math.min(...foreign.map(({ ttl }) => ttl)) * 1_000,
    };
  };
}

/** Lines of a hosts file: an address, then names; `#` begins a comment. */
export function addressesInHosts(text: string, name: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    return isIP(address) !== 0 && names.some((known) => known.toLowerCase() === name) ? [address] : [];
  });
}
