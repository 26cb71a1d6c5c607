import type { EndpointShare } from '../../model/traffic-config.ts';
import {
  localityAvailability,
  type PriorityHealth,
  type PriorityPlan,
  planPriorities,
} from '../../policy/priority-load.ts';

/** Some endpoints of a place, and what share of their priority's traffic is theirs. */
export interface LocalityGroup<T> {
  /** Equal for the same place and priority. */
  readonly name: string;
  readonly weight: number;
  readonly members: readonly T[];
}

interface Level<T> {
  readonly members: readonly T[];
  /** Members and weights before health is looked at. */
  readonly groups: readonly LocalityGroup<T>[];
}

/** A member may say what its share is; without it is like all others. */
export interface SharedMember {
  readonly share?: EndpointShare;
}

/**
 * The endpoints of a cluster by priority and locality, as Envoy sees them: a draw names a priority (by health), then a
 * locality of it (by weight and health). Which endpoint of the locality is the load balancer's to say.
 */
export class LocalityLevels<T extends SharedMember> {
  readonly #panicPercent: number;
  #levels: readonly Level<T>[] = [];
  #plan: PriorityPlan = { load: [], panic: [] };
  #usable: readonly (readonly LocalityGroup<T>[])[] = [];

  /** @param panicPercent Istio `minHealthPercent` */
  constructor(panicPercent: number) {
    this.#panicPercent = panicPercent;
  }

  /** Other endpoints, or others of them are healthy. Priorities that have nobody are passed over. */
  update(members: readonly T[], isHealthy: (member: T) => boolean): void {
    this.#levels = toLevels(members);
    const health = this.#levels.map((level) => toHealth(level.members, isHealthy));
    this.#plan = planPriorities(health, this.#panicPercent);
    this.#usable = this.#levels.map(({ groups }, index) =>
      groups.flatMap((group) => toUsable(group, this.#plan.panic[index] === true, isHealthy) ?? []),
    );
  }

  /**
   * @param draw in [0, 1), for the priority; with consistent hash made of the key
   * @param excluded priorities of earlier tries (Envoy's `previous_priorities`); they count again when there are no others
   */
  pick(draw: number, random: () => number, excluded: ReadonlySet<number> | null): LocalityGroup<T> | null {
    const level = pickByWeight(this.#loadWithout(excluded), draw);
    const groups = level === -1 ? [] : (this.#usable[level] ?? []);
    if (groups.length <= 1) return groups[0] ?? null;
    return (
      groups[
        pickByWeight(
          groups.map(({ weight }) => weight),
          random(),
        )
      ] ?? null
    );
  }

  /** All of a priority, for tables that place keys: there, localities play no part. */
  pickAll(draw: number): LocalityGroup<T> | null {
    const level = pickByWeight(this.#plan.load, draw);
    const groups = level === -1 ? [] : (this.#usable[level] ?? []);
    if (groups.length <= 1) return groups[0] ?? null;
    return { name: `${level}`, weight: 1, members: groups.flatMap(({ members }) => members) };
  }

  /** Place of the member's priority among those there are; -1: it is none of the members. */
  levelOf(member: T): number {
    return this.#levels.findIndex(({ members }) => members.includes(member));
  }

  #loadWithout(excluded: ReadonlySet<number> | null): readonly number[] {
    const { load } = this.#plan;
    if (excluded === null || excluded.size === 0) return load;
    const left = this.#usable.map((groups, index) => (excluded.has(index) || groups.length === 0 ? 0 : 1));
    const first = left.indexOf(1);
    if (first === -1) return load;
    const rest = load.map((share, index) => (left[index] === 1 ? share : 0));
    // Whoever comes next takes over what the excluded ones had.
    return rest.some((share) => share > 0) ? rest : rest.map((_, index) => (index === first ? 100 : 0));
  }
}

function toLevels<T extends SharedMember>(members: readonly T[]): Level<T>[] {
  const byPriority = new Map<number, T[]>();
  for (const member of members) {
    const { priority, weight } = member.share ?? ordinary;
    if (weight > 0) byPriority.set(priority, [...(byPriority.get(priority) ?? []), member]);
  }
  return [...byPriority]
    .sort(([a], [b]) => a - b)
    .map(([priority, own]) => ({ members: own, groups: toGroups(priority, own) }));
}

const ordinary = { priority: 0, weight: 1 };

function toGroups<T extends SharedMember>(priority: number, members: readonly T[]): LocalityGroup<T>[] {
  const groups = new Map<string, { members: T[]; weight: number; given: number | undefined }>();
  for (const member of members) {
    const { locality = '', weight = 1, localityWeight } = member.share ?? {};
    const group = groups.get(locality) ?? { members: [], weight: 0, given: localityWeight };
    group.members.push(member);
    group.weight += weight;
    groups.set(locality, group);
  }
  return [...groups].map(([locality, { members: own, weight, given }]) => ({
    name: `${priority} ${locality}`,
    weight: given ?? weight,
    members: own,
  }));
}

function toHealth<T>(members: readonly T[], isHealthy: (member: T) => boolean): PriorityHealth {
  return { healthy: members.filter(isHealthy).length, total: members.length };
}

function toUsable<T>(
  group: LocalityGroup<T>,
  isPanic: boolean,
  isHealthy: (member: T) => boolean,
): LocalityGroup<T> | null {
  if (isPanic) return group;
  const members = group.members.filter(isHealthy);
  if (members.length === 0) return null;
  if (members.length === group.members.length) return group;
  const weight = group.weight * localityAvailability(toHealth(group.members, isHealthy));
  return { name: group.name, weight, members };
}

function pickByWeight(weights: readonly number[], draw: number): number {
  let left = draw * weights.reduce((sum, weight) => sum + weight, 0);
  let last = -1;
  for (const [index, weight] of weights.entries()) {
    if (weight <= 0) continue;
    last = index;
    left -= weight;
    if (left < 0) return index;
  }
  return last;
}
