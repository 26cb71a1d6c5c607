import type { ServiceConfig } from '../model/sidecar-config.ts';

/** Never told of a request, whatever rules look at: they may be secrets. */
const secret: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-api-key']);
const maxNames = 16;

/** Lower-case names of the headers that the rules of a service look at and that are no secrets; most services have none. */
export function headersRead({ routes, policies = [] }: Pick<ServiceConfig, 'routes' | 'policies'>): readonly string[] {
  const names = new Set<string>();
  for (const { headers = {}, withoutHeaders = {} } of routes.flatMap(({ match }) => match)) {
    for (const name of [...Object.keys(headers), ...Object.keys(withoutHeaders)]) names.add(name.toLowerCase());
  }
  for (const { policy } of policies) {
    const key = policy.loadBalancer?.kind === 'hash' ? policy.loadBalancer.key : null;
    if (key?.kind === 'header') names.add(key.name.toLowerCase());
  }
  return [...names].filter((name) => !secret.has(name)).slice(0, maxNames);
}
