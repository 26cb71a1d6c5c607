import type { BenchCase } from '../result.ts';
import { addedLatencyCase } from './added-latency.ts';
import { attachCase } from './attach.ts';
import { grpcPairCase } from './grpc-pair.ts';
import { manyWorkloadsCase } from './many-workloads.ts';
import { pushCase } from './push.ts';
import { routeMatchCase } from './route-match.ts';
import { startUpCase } from './start-up.ts';
import {
  churnCase,
  constantRateCase,
  constantRateHopCase,
  featuresCase,
  handshakesCase,
  idleConnectionsCase,
  mtlsPairCase,
  plainHopCase,
  retriesCase,
  tcpSpliceCase,
} from './throughput.ts';
import { toggleCase } from './toggle.ts';

/** The data plane beside its peers first, then the product as a whole. */
export const cases: readonly BenchCase[] = [
  plainHopCase,
  mtlsPairCase,
  grpcPairCase,
  tcpSpliceCase,
  retriesCase,
  constantRateCase,
  constantRateHopCase,
  churnCase,
  handshakesCase,
  idleConnectionsCase,
  featuresCase,
  startUpCase,
  attachCase,
  toggleCase,
  addedLatencyCase,
  manyWorkloadsCase,
  pushCase,
  routeMatchCase,
];
