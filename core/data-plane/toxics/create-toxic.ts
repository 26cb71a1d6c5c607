import type { TcpAction } from '../faults/injection-set.ts';
import { createBandwidth } from './bandwidth.ts';
import { createBlackHole } from './black-hole.ts';
import { createLatency } from './latency.ts';
import { createLimitData } from './limit-data.ts';
import { createResetPeer } from './reset-peer.ts';
import { createSlicer } from './slicer.ts';
import { createSlowClose } from './slow-close.ts';
import type { Toxic } from './toxic.ts';

export type ToxicAction = Exclude<TcpAction, { kind: 'tcp-refuse' }>;

/** A toxic for one direction of one connection. */
export function createToxic(action: ToxicAction): Toxic {
  switch (action.kind) {
    case 'tcp-latency':
      return createLatency(action.latencyMs, action.jitterMs);
    case 'tcp-bandwidth':
      return createBandwidth(action.bytesPerSecond);
    case 'tcp-slow-close':
      return createSlowClose(action.delayMs);
    case 'tcp-timeout':
      return createBlackHole(action.timeoutMs);
    case 'tcp-reset':
      return createResetPeer(action.afterMs);
    case 'tcp-slicer':
      return createSlicer(action.averageBytes, action.variationBytes, action.delayMs);
    case 'tcp-limit-data':
      return createLimitData(action.bytes);
  }
}
