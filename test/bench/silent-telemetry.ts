/** Stands in for telemetry/telemetry.ts when the sidecar is built without its counters: whatever is recorded goes nowhere. */
import { Edge } from '../../core/data-plane/telemetry/edge.ts';
import { Telemetry as Recording } from '../../core/data-plane/telemetry/telemetry.ts';

function createSilentEdge(): Edge {
  const edge = Object.create(Edge.prototype) as Edge;
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(Edge.prototype))) {
    if (typeof value === 'function' && name !== 'constructor') Reflect.set(edge, name, () => undefined);
  }
  return edge;
}

export class Telemetry extends Recording {
  readonly #silent = createSilentEdge();

  override edge(): Edge {
    return this.#silent;
  }

  override faultSeen(): void {
    // not recorded
  }

  override sample(): void {
    // not recorded
  }
}
