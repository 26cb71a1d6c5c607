import type { EventName, EventPayload, MethodName, MethodOutput, MethodParsed } from '../../core/contract/contract.ts';
import { MeshError } from '../../core/contract/errors.ts';

/** Handlers of the contract; a part of the fake has those of its subject. */
export type Handlers = { [M in MethodName]: (input: MethodParsed<M>) => MethodOutput<M> | Promise<MethodOutput<M>> };
export type HandlersOf<Subject extends string> = Pick<Handlers, Extract<MethodName, `${Subject}.${string}`>>;

/** What the parts of the fake control plane share. */
export interface FakeHost {
  readonly nowMs: () => number;
  /** How long a step of a long operation takes. */
  readonly stepMs: number;
  emit<E extends EventName>(name: E, payload: EventPayload<E>): void;
  /** A new revision is in force: figures move, events go out. */
  changed(): void;
}

export function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new MeshError('NOT_FOUND', `there is no ${name}`);
  return value;
}
