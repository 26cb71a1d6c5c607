import { type Toxic, type ToxicRun, takeStep } from './toxic.ts';

/** Once the first data (or the end) has come and `afterMs` has passed, both sides see a reset. Data is dropped. */
export function createResetPeer(afterMs: number): Toxic {
  return { capacityChunks: 1, closesOnRemoval: false, run: () => run(afterMs) };
}

function* run(afterMs: number): ToxicRun {
  if ((yield takeStep) === 'interrupted') return 'interrupted';
  // What has been taken is lost: to go on would leave a hole.
  yield { kind: 'sleep', ms: afterMs };
  return 'reset';
}
