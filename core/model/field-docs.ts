/**
 * What a field means, for whoever writes it: one sentence, with the default. Keys are the end of a field's path, without
 * list indices, under a kind or under `any`; the longest that fits is taken. test/unit/model/field-docs.test.ts holds
 * every key against the schemas.
 */
import type { FieldPath } from './field-path.ts';

type Docs = Readonly<Record<string, string>>;

const any: Docs = {
  apiVersion: 'API group and version that the kind belongs to.',
  kind: 'What the resource is.',
  'metadata.name': 'Name, unique for the kind in its namespace.',
  'metadata.namespace': 'Namespace; here a compose project. Default `default`.',
  'metadata.labels': 'Labels, for selectors.',
  'metadata.annotations': 'Free text for tools; kept as it is.',
  exportTo: 'Namespaces that see it: `.` its own, `*` all (the default), `~` none, or names.',
  'destination.host': 'Service: a short name (of this namespace), `name.namespace`, or a full host name.',
  'destination.subset': 'Subset of the host, defined in a DestinationRule.',
  'destination.port.number': 'Port of the service; needed only when it has several.',
  weight: 'Share of the traffic, in relation to the sum of the weights.',
  sourceLabels: 'Callers whose workload has these labels.',
  sourceNamespace: 'Callers of this namespace.',
  destinationSubnets: 'Addresses or blocks that were dialled.',
  'workloadSelector.labels': 'Workloads with all of these labels; absent: all of the namespace.',
  'selector.matchLabels': 'Workloads with all of these labels; absent: all of the namespace.',
  exact: 'The value must be this, letter for letter.',
  prefix: 'The value must begin with this.',
  regex: 'The whole value must match this RE2 expression.',
  connectTimeout: 'Time for a connection to be made. Default 10s.',
  maxConnections: 'Most connections at a time; default no limit.',
  tcpKeepalive: 'Keep-alive probes of the system on idle connections.',
  maxConnectionDuration: 'A connection is ended, politely, after this time.',
  'tcp.idleTimeout': 'A connection without traffic ends after this time. Default 1h, 0s: never.',
  'http.idleTimeout': 'A connection without a request ends after this time. Default 1h.',
  http1MaxPendingRequests: 'Requests that wait for a connection; more are answered 503 (`UO`).',
  http2MaxRequests: 'Requests under way at a time; more are answered 503 (`UO`).',
  maxRequestsPerConnection: 'Requests until a connection is replaced; 1 switches keep-alive off, 0: no limit.',
  maxRetries: 'Retries under way at a time.',
  h2UpgradePolicy: 'UPGRADE: speak HTTP/2 to the destination though its port is declared HTTP/1.',
  useClientProtocol: 'Speak the version of HTTP that the client spoke.',
  maxConcurrentStreams: 'Streams at a time on one HTTP/2 connection.',
  insecureSkipVerify: 'Take any certificate. Only for tests.',
  caCertificates: 'File with the certificate authorities to trust.',
  subjectAltNames: 'One of these names must be in the certificate of the peer.',
  credentialName: 'Secret with certificate and key.',
};

const virtualService: Docs = {
  'spec.hosts': 'Hosts whose requests these rules are for.',
  'spec.gateways': 'Gateways that get the rules; `mesh`: all sidecars. Absent: mesh.',
  'spec.http': 'Rules for HTTP ports, in order; the first that matches wins.',
  'spec.tls': 'Rules for TLS that is passed through, by the name the client asks for (SNI).',
  'spec.tcp': 'Rules for connections that are not HTTP.',
  'http.name': 'Name of the rule, shown in explanations and used as the scope of faults.',
  'http.match': 'Conditions: those of one entry must all hold, one entry is enough. Absent: every request.',
  'match.uri': 'Path of the request, without the query.',
  'match.ignoreUriCase': 'Upper and lower case are the same, for exact and prefix.',
  'match.scheme': '`http` or `https`.',
  'match.method': 'Method, such as GET.',
  'match.authority': 'Host header of the request.',
  'match.headers': 'Header name in lower case -> value. `{}` asks only that it is there.',
  'match.withoutHeaders': 'As headers, but none of them may match.',
  'match.queryParams': 'Query parameter -> value. `exact: ""` for a parameter without value.',
  'match.port': 'Port of the service that was called.',
  'match.gateways': 'Only for requests that come through these gateways.',
  'match.sniHosts': 'Names of the TLS handshake; `*.com` covers `foo.example.com` and `example.com`.',
  'http.route': 'Destinations, with weights when there are several.',
  'http.timeout': 'Time for the whole request with its retries; then 504 (`UT`). Absent: none.',
  'http.retries': 'Absent: 2 more attempts on connect failure, refused stream, unavailable, cancelled.',
  'retries.attempts': 'Attempts beyond the first; 0 switches retries off.',
  'retries.perTryTimeout': 'Time for one attempt. Default: the timeout of the route.',
  'retries.retryOn':
    'Conditions, by commas: 5xx, gateway-error, reset, connect-failure, retriable-4xx, status codes ...',
  'retries.backoff': 'Base of the pause between attempts, which doubles. Default 25ms.',
  'retries.retryRemoteLocalities': 'Attempts may go to other localities.',
  'retries.retryIgnorePreviousHosts': 'Attempts avoid endpoints that have been tried. Default true.',
  'http.fault': 'Delays and errors made at the caller. Switches retries and timeouts of the rule off.',
  'delay.fixedDelay': 'The request waits this long before it goes on.',
  'delay.percentage': 'Share of the requests. Absent: none.',
  'abort.httpStatus': 'Answered with this status, without the service.',
  'abort.grpcStatus': 'Answered with this gRPC status, by name: UNAVAILABLE.',
  'abort.percentage': 'Share of the requests. Absent: none.',
  'http.redirect': 'Answered with a redirect; nothing is forwarded.',
  'redirect.uri': 'Path to go to; replaces the whole path.',
  'redirect.authority': 'Host to go to.',
  'redirect.redirectCode': 'Default 301.',
  'http.directResponse': 'Answered by the sidecar; nothing is forwarded.',
  'http.rewrite': 'The request is changed before it goes on.',
  'rewrite.uri': 'Replaces the prefix that matched; for other matches the whole path.',
  'rewrite.authority': 'Replaces the Host header.',
  'rewrite.uriRegexRewrite': 'Replaces what an RE2 expression matches; `\\1` is its first group.',
  'http.mirror': 'A copy of the request goes there; its answer is dropped.',
  'http.mirrors': 'Copies of the request, each with a percentage.',
  'http.mirrorPercentage': 'Share of the requests that are copied. Default 100.',
  'http.corsPolicy': 'Which web pages of other origins may call.',
  'corsPolicy.allowOrigins': 'Origins that may call.',
  'corsPolicy.allowCredentials': 'Cookies and credentials may come along.',
  'http.headers': 'Headers that are set, added or removed.',
  'headers.request': 'On the way to the service.',
  'headers.response': 'On the way back.',
  'http.delegate': 'The rules of another VirtualService, for requests that match here.',
};

const destinationRule: Docs = {
  'spec.host': 'Service that the policy is for.',
  'spec.trafficPolicy': 'How callers treat the service.',
  'spec.subsets': 'Named groups of endpoints, by labels; routes name them.',
  'subsets.labels': 'Labels of the endpoints that belong to it.',
  'subsets.trafficPolicy': 'Overrides the policy of the rule; acts only when a route names the subset.',
  'trafficPolicy.portLevelSettings': 'Policies by port. They inherit nothing: what is absent is the default.',
  loadBalancer: 'How requests are shared among endpoints.',
  'loadBalancer.simple': 'LEAST_REQUEST (the default), ROUND_ROBIN, RANDOM or PASSTHROUGH.',
  'loadBalancer.consistentHash': 'The same header, cookie, address or parameter goes to the same endpoint.',
  'consistentHash.httpHeaderName': 'Header whose value decides.',
  'consistentHash.httpCookie': 'Cookie that decides; made when absent and `ttl` is given.',
  'consistentHash.useSourceIp': 'The address of the client decides.',
  'consistentHash.httpQueryParameterName': 'Query parameter whose value decides.',
  'loadBalancer.localityLbSetting': 'Sharing by region and zone; needs outlierDetection.',
  'loadBalancer.warmup': 'New endpoints get their share little by little.',
  connectionPool: 'Limits of connections and requests (circuit breaking).',
  outlierDetection: 'Endpoints that fail are left out for a while.',
  'outlierDetection.consecutive5xxErrors': '5xx answers in a row until an endpoint is ejected. Default 5, 0: off.',
  'outlierDetection.consecutiveGatewayErrors': '502, 503 and 504 in a row until an endpoint is ejected. Default off.',
  'outlierDetection.interval': 'Time between looks at the endpoints. Default 10s.',
  'outlierDetection.baseEjectionTime':
    'How long the first ejection lasts; the n-th lasts n times as long. Default 30s.',
  'outlierDetection.maxEjectionPercent': 'Most endpoints that are left out at a time. Default 10.',
  'outlierDetection.minHealthPercent': 'With fewer healthy endpoints than this, all are used. Default 0.',
  'tls.mode': 'DISABLE: plaintext. SIMPLE: TLS. MUTUAL: with an own certificate. ISTIO_MUTUAL: the mesh’s.',
  'tls.sni': 'Name to ask for in the handshake.',
  tunnel: 'Connections go through an HTTP proxy.',
  proxyProtocol: 'Connections begin with a PROXY protocol header.',
  retryBudget: 'Most retries at a time, as a share of the requests.',
};

const gatewayApi: Docs = {
  'spec.parentRefs': 'What the route is attached to: a Gateway, or a Service for traffic in the mesh.',
  'parentRefs.kind': 'Gateway (the default), or Service.',
  'parentRefs.name': 'Name of the gateway or service.',
  'parentRefs.sectionName': 'Listener of the gateway.',
  'parentRefs.port': 'Only this port.',
  'spec.hostnames': 'Hosts whose requests the route is for; `*.example.com` is allowed.',
  'spec.rules': 'Rules; the most specific match wins, not the first.',
  'rules.matches': 'One of them must match. Absent: every request.',
  'rules.filters': 'What is done with the request: headers, redirect, rewrite, mirror.',
  'rules.backendRefs': 'Services that get the requests, with weights.',
  'backendRefs.name': 'Name of the service.',
  'backendRefs.port': 'Port of the service.',
  'backendRefs.weight': 'Share of the traffic, in relation to the sum. Default 1.',
};

const httpRoute: Docs = {
  ...gatewayApi,
  'timeouts.request': 'Time for the whole request; then 504. `0s`: none.',
  'timeouts.backendRequest': 'Time for one attempt.',
  'matches.path': 'Path; default prefix `/`.',
  'matches.headers': 'Headers that must match.',
  'matches.queryParams': 'Query parameters that must match.',
  'matches.method': 'Method of the request.',
};

const faultInjection: Docs = {
  'spec.from': 'Calling service; absent: every caller.',
  'spec.to': 'Service whose traffic is hurt.',
  'spec.port': 'Only this port of it.',
  'spec.route': 'Only requests that this route serves.',
  'spec.match': 'Only requests that match.',
  'spec.fault': 'What happens; exactly one kind. Several faults compose.',
  'fault.delay': 'Requests wait: a fixed time, or drawn from a distribution.',
  'fault.abort': 'Requests are answered with an error, without the service.',
  'fault.responseBandwidth': 'Answers are slowed down to so many KiB a second.',
  'fault.headers': 'Headers are changed.',
  'fault.body': 'Another body, or text replaced in it.',
  'fault.truncate': 'Answers end too early.',
  'fault.tcp': 'Connections are slowed, cut, reset, or refused (toxiproxy’s toxics).',
  'fault.dns': 'The name of the service cannot be resolved, or slowly.',
  'fault.workload': 'Its containers are paused, killed or restarted.',
  'fault.identity': 'It shows a certificate that is not right.',
  'spec.trigger': 'Which requests count at all; the percentage is drawn among those.',
  'spec.schedule': 'On and off in turns.',
  'spec.duration': 'How long it stays once switched on; absent: until it is switched off.',
  'spec.seed': 'The same seed draws the same requests.',
};

const gateway: Docs = {
  'spec.selector': 'Labels of the gateway that serves it: `istio: ingressgateway`.',
  'spec.servers': 'Ports and hosts that are open.',
  'servers.hosts': 'Host names; `namespace/host` says whose routes may be bound.',
  'servers.port': 'Port to listen on.',
  'port.protocol': 'HTTP, HTTPS, HTTP2, GRPC, TLS or TCP.',
  'servers.tls': 'Certificate and mode of the port.',
  'tls.httpsRedirect': 'Plain requests are answered 301 to https.',
  'tls.mode': 'SIMPLE: TLS ends here. MUTUAL: with a certificate of the client. PASSTHROUGH: it goes on as it is.',
};

const byKind: Readonly<Record<string, Docs>> = {
  VirtualService: virtualService,
  DestinationRule: destinationRule,
  HTTPRoute: httpRoute,
  GRPCRoute: gatewayApi,
  FaultInjection: faultInjection,
  Gateway: gateway,
  ServiceEntry: {
    'spec.hosts': 'Names by which it is called.',
    'spec.addresses': 'Virtual addresses of the hosts; absent: made by the mesh where they are needed.',
    'spec.ports': 'Ports and protocols of the service.',
    'spec.location': 'MESH_EXTERNAL (the default): outside, no mutual TLS. MESH_INTERNAL: part of the mesh.',
    'spec.resolution': 'Where its endpoints are: NONE (as dialled), STATIC (`endpoints`), DNS.',
    'spec.endpoints': 'Addresses behind the hosts.',
  },
  Sidecar: {
    'spec.egress': 'What the workloads may call.',
    'egress.hosts': '`namespace/host`: `./*` the own namespace, `*/*` everything; `~` before it hides again.',
    'egress.port': 'The hosts are seen at this port alone; the listener without a port comes last.',
    'spec.inboundConnectionPool': 'Limits in front of the application; absent: those of the DestinationRule.',
    'ingress.connectionPool': 'Limits in front of the application, for this port.',
    'ingress.defaultEndpoint': 'Where the application listens for the port: `127.0.0.1:8080`.',
    'spec.outboundTrafficPolicy': 'What happens to traffic that no service is declared for.',
    'outboundTrafficPolicy.mode': 'ALLOW_ANY: it goes on. REGISTRY_ONLY: it is refused.',
  },
  BackendTLSPolicy: {
    'spec.targetRefs':
      'Services, or ServiceEntries (group networking.istio.io), of its namespace that are called with TLS.',
    'targetRefs.sectionName': 'One port: its name in a ServiceEntry; of a service, a name that ends in its number.',
    'validation.hostname': 'Server name to ask for. Without subjectAltNames Istio compares no name.',
    'validation.caCertificateRefs': 'A ConfigMap with `ca.crt`: the authorities to trust.',
    'validation.wellKnownCACertificates': '`System`: the authorities that the system trusts.',
    'validation.subjectAltNames': 'One of these names must be in the certificate of the server.',
  },
  XBackendTrafficPolicy: {
    'spec.retryConstraint': 'How many retries may be under way.',
    'budget.percent': 'Retries in relation to requests. Default 20.',
    'minRetryRate.count': 'Retries that may always be under way. Default 10.',
  },
  PeerAuthentication: {
    'mtls.mode': 'STRICT: mutual TLS only. PERMISSIVE: both. DISABLE: plaintext.',
    'spec.portLevelMtls': 'Mode by port of the workload; needs a selector.',
  },
  MeshSettings: {
    'spec.trustDomain': 'Trust domain of identities. Default cluster.local.',
    'spec.rootNamespace': 'Namespace whose policies hold for the whole mesh. Default istio-system.',
    'spec.faultOrder':
      'retry-first (the default): faults act inside every try. istio: once, before retries and timeouts.',
    'spec.outboundTrafficPolicy': 'What happens to traffic that no service is declared for. Default ALLOW_ANY.',
    'spec.defaultHttpRetryPolicy': 'Retries of routes that say nothing of them.',
    'spec.retryBodyBytes': 'Bytes of a request’s body that are kept for a retry. Default 65536.',
    'spec.healthCheck': 'Endpoints are asked whether they are well; default off.',
    'spec.rateLimits': 'Requests a service takes in a time; more are answered 429.',
    'spec.hostMappings': 'Host of production -> service of this machine.',
    'spec.namespaceMappings': 'Namespace of production -> namespace of this machine.',
  },
};

/** All keys of a kind's own table; `any`: those of all kinds. */
export function documentedFields(): readonly { readonly kind: string | null; readonly field: string }[] {
  const own = Object.entries(byKind).flatMap(([kind, docs]) => Object.keys(docs).map((field) => ({ kind, field })));
  return [...own, ...Object.keys(any).map((field) => ({ kind: null, field }))];
}

/** What a field is for; `null` when nothing is written of it. */
export function fieldDoc(kind: string | null, path: FieldPath): string | null {
  const names = path.filter((step) => typeof step === 'string');
  const own = kind !== null && Object.hasOwn(byKind, kind) ? (byKind[kind] ?? {}) : {};
  for (let from = 0; from < names.length; from += 1) {
    const key = names.slice(from).join('.');
    const found = own[key] ?? any[key];
    if (found !== undefined) return found;
  }
  return null;
}
