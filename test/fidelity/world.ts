import type { Ask, Scenario } from './scenario.ts';
import { defaultVersions } from './scenario.ts';
import type { Upstreams } from './upstreams.ts';

/** A scenario with the host name it got. */
export interface PlacedScenario {
  readonly name: string;
  readonly host: string;
  readonly versions: readonly string[];
  readonly draws: boolean;
  readonly yaml: string;
  readonly asks: readonly Ask[];
}

export interface World {
  readonly scenarios: readonly PlacedScenario[];
}

/** Gives every scenario a service of its own. @param prefix makes the names differ from those of other worlds */
export function toWorld(scenarios: readonly Scenario[], prefix: string): World {
  return {
    scenarios: scenarios.map(({ name, yaml, versions = defaultVersions, draws = false, asks }, index) => {
      const host = `${prefix}${index}`;
      return {
        name,
        host,
        versions,
        draws,
        asks,
        yaml: yaml === '' ? '' : `---\n${yaml.replaceAll('{host}', host)}\n`,
      };
    }),
  };
}

/** Resources with `{port:v1}` for the port of the upstream of that version. */
export function withPorts(yaml: string, upstreams: Upstreams): string {
  return yaml.replaceAll(/\{port:(\w+)\}/g, (_, version: string) => String(upstreams.portOf(version)));
}
