/** Where resources name services and namespaces, and in which form. The one list to add a kind or a field to. */
export type ReferenceForm =
  /** Short name, full name, `name.namespace`, or a name outside. */
  | 'host'
  /** `namespace/host`, `./host`, or with `*` as the namespace (Sidecar, Gateway). */
  | 'scoped-host'
  | 'namespace'
  /** `namespace/name` (a gateway, a service account); a bare name is of the own namespace. */
  | 'scoped-name'
  /** `cluster.local/ns/NAMESPACE/sa/NAME` */
  | 'principal'
  /** Gateway API: an object with `name` and perhaps `namespace`, a Service unless `kind` says otherwise. */
  | 'object';

export interface NameReference {
  readonly form: ReferenceForm;
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

const each = (form: ReferenceForm, ...paths: string[]) => paths.map((path) => ({ form, path }));

const virtualServiceRules = ['spec.http.*', 'spec.tcp.*', 'spec.tls.*'];
const gatewayRoute = [
  ...each('object', 'spec.rules.*.backendRefs.*', 'spec.parentRefs.*'),
  ...each('object', 'spec.rules.*.filters.*.requestMirror.backendRef'),
  ...each('object', 'spec.rules.*.backendRefs.*.filters.*.requestMirror.backendRef'),
];
const sources = 'spec.rules.*.from.*.source';

const fields: Readonly<Record<string, readonly { readonly form: ReferenceForm; readonly path: string }[]>> = {
  VirtualService: [
    ...each('host', 'spec.hosts.*', 'spec.http.*.mirror.host', 'spec.http.*.mirrors.*.destination.host'),
    ...each('host', ...virtualServiceRules.map((rule) => `${rule}.route.*.destination.host`)),
    ...each('host', 'spec.tls.*.match.*.sniHosts.*', 'spec.http.*.match.*.authority.exact'),
    ...each('namespace', ...virtualServiceRules.map((rule) => `${rule}.match.*.sourceNamespace`)),
    ...each('namespace', 'spec.http.*.delegate.namespace', 'spec.exportTo.*'),
    ...each('scoped-name', 'spec.gateways.*', ...virtualServiceRules.map((rule) => `${rule}.match.*.gateways.*`)),
  ],
  DestinationRule: [...each('host', 'spec.host'), ...each('namespace', 'spec.exportTo.*')],
  ServiceEntry: each('namespace', 'spec.exportTo.*'),
  Gateway: each('scoped-host', 'spec.servers.*.hosts.*'),
  Sidecar: each('scoped-host', 'spec.egress.*.hosts.*'),
  AuthorizationPolicy: [
    ...each('namespace', `${sources}.namespaces.*`, `${sources}.notNamespaces.*`),
    ...each('principal', `${sources}.principals.*`, `${sources}.notPrincipals.*`),
    ...each('scoped-name', `${sources}.serviceAccounts.*`, `${sources}.notServiceAccounts.*`),
    ...each('host', 'spec.rules.*.to.*.operation.hosts.*', 'spec.rules.*.to.*.operation.notHosts.*'),
  ],
  HTTPRoute: gatewayRoute,
  GRPCRoute: gatewayRoute,
  TLSRoute: gatewayRoute,
  TCPRoute: gatewayRoute,
  BackendTLSPolicy: each('object', 'spec.targetRefs.*'),
  XBackendTrafficPolicy: each('object', 'spec.targetRefs.*'),
  ReferenceGrant: each('namespace', 'spec.from.*.namespace'),
  TrafficSplit: each('host', 'spec.service', 'spec.backends.*.service'),
};

/** Every name of a service or namespace in a resource (plain data); its own namespace first. */
export function nameReferences(kind: string, value: unknown): NameReference[] {
  const found: NameReference[] = [];
  for (const { form, path } of [...each('namespace', 'metadata.namespace'), ...(fields[kind] ?? [])]) {
    expand(value, path.split('.'), [], (at, part) => {
      if (form === 'object' ? typeof part === 'object' && part !== null : typeof part === 'string')
        found.push({ form, path: at, value: part });
    });
  }
  return found;
}

type Path = readonly (string | number)[];

function expand(value: unknown, pattern: Path, path: Path, onFound: (path: Path, value: unknown) => void): void {
  const [key, ...rest] = pattern;
  if (key === undefined) onFound(path, value);
  if (key === undefined || typeof value !== 'object' || value === null) return;
  if (key === '*') {
    if (Array.isArray(value))
      for (const [index, item] of value.entries()) expand(item, rest, [...path, index], onFound);
    return;
  }
  const record = value as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(record, key)) expand(record[key], rest, [...path, key], onFound);
}
