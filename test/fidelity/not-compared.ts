/** Fields of VirtualService and DestinationRule that no scenario has, with the reason; a path stands for all that is in it. */
const newer = 'newer than the arbiter, which does not know it';
const http2 = 'the arbiter is asked in HTTP/1.1 only';
const tls = 'the arbiter has no certificates: no TLS between the two';
const tcp = 'the arbiter is asked through its HTTP proxy, which knows no TCP and no TLS';
const kept = 'kept, not applied; Istio does not apply it either';
const name = 'names metrics and logs only';

export const notCompared: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  VirtualService: {
    'spec.tls': tcp,
    'spec.tcp': tcp,
    'spec.http.*.match.*.name': name,
    'spec.http.*.match.*.statPrefix': name,
    'spec.http.*.fault.delay.exponentialDelay': kept,
    'spec.http.*.fault.abort.http2Error': kept,
    'spec.http.*.redirect.prefixRewrite': newer,
    'spec.http.*.retries.retryIgnorePreviousHosts': newer,
    'spec.http.*.corsPolicy.unmatchedPreflights': newer,
  },
  DestinationRule: {
    'spec.trafficPolicy.loadBalancer.zoneAwareLbSetting': newer,
    'spec.trafficPolicy.loadBalancer.warmup': `${newer}; its predecessor warmupDurationSecs is compared`,
    'spec.trafficPolicy.loadBalancer.consistentHash.httpCookie.attributes': newer,
    'spec.trafficPolicy.connectionPool.http.maxConcurrentStreams': http2,
    'spec.trafficPolicy.connectionPool.http.http2KeepAlive': http2,
    'spec.trafficPolicy.outlierDetection.outlierDetectionHttpErrorCodes': newer,
    'spec.trafficPolicy.retryBudget': newer,
    'spec.trafficPolicy.tls': tls,
    'spec.trafficPolicy.tunnel': tcp,
    'spec.trafficPolicy.proxyProtocol': 'the upstreams of the comparison do not read it',
  },
};

/** Places where the same policy may stand again; that it counts there is compared, not every field of it once more. */
export const sameAgain: readonly string[] = [
  'spec.subsets.*.trafficPolicy',
  'spec.trafficPolicy.portLevelSettings.*',
  'spec.subsets.*.trafficPolicy.portLevelSettings.*',
];
