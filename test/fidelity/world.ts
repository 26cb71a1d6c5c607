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
  readonly forIstio: string;
  readonly asks: readonly Ask[];
  readonly later: Scenario['later'];
}

export interface World {
  readonly scenarios: readonly PlacedScenario[];
}

/** Gives every scenario a service of its own. @param prefix makes the names differ from those of other worlds */
export function toWorld(scenarios: readonly Scenario[], prefix: string): World {
  return {
    scenarios: scenarios.map((scenario, index) => {
      const { name, yaml, versions = defaultVersions, draws = false, asks, forIstio = '', later } = scenario;
      const host = `${prefix}${index}`;
      const place = (text: string) => (text === '' ? '' : `---\n${text.replaceAll('{host}', host)}\n`);
      return { name, host, versions, draws, asks, later, yaml: place(yaml), forIstio: place(forIstio) };
    }),
  };
}

/** The world after its services have changed, with what is asked then; `null`: none does. */
export function laterWorld({ scenarios }: World): World | null {
  if (scenarios.every(({ later }) => later === undefined)) return null;
  return { scenarios: scenarios.map((scenario) => ({ ...scenario, asks: [], ...scenario.later, later: undefined })) };
}

/** Resources with `{port:v1}` for the port of the upstream of that version. */
export function withPorts(yaml: string, upstreams: Upstreams): string {
  return yaml.replaceAll(/\{port:(\w+)\}/g, (_, version: string) => String(upstreams.portOf(version)));
}
