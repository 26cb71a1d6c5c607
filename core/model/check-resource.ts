import { checkDestinationRule } from './check-destination-rule.ts';
import { checkGateway } from './check-gateway.ts';
import { checkRouteFilters } from './check-route-filters.ts';
import { checkAuthorizationPolicy, checkPeerAuthentication, checkRequestAuthentication } from './check-security.ts';
import { checkLabels, checkSelector } from './check-selectors.ts';
import { checkEndpoint, checkServiceEntry } from './check-service-entry.ts';
import { checkSidecar } from './check-sidecar.ts';
import { checkTelemetry } from './check-telemetry.ts';
import { checkVirtualService } from './check-virtual-service.ts';
import { type FieldPath, formatPath } from './field-path.ts';
import { keptFields, keptHint } from './kept-fields.ts';
import { Problems, type ResourceProblem } from './problems.ts';
import { describeResource, isIstioGateway, type Resource, type ResourceKind } from './resource.ts';
import { toHostProcess, type WorkloadEntry } from './workload-entry.ts';

/**
 * What a schema cannot say about one resource by itself: expressions that do not compile, weights that send nothing
 * anywhere, fields that are kept and not applied. A problem of severity `error` means: do not use the resource.
 */
export function checkResource(resource: Resource): readonly ResourceProblem[] {
  const problems = new Problems();
  checkMetadata(resource, problems);
  checkKind(resource, problems);
  return [...problems.list, ...keptFields(resource).map((path) => keptProblem(resource, path))];
}

type KindChecks = {
  readonly [K in ResourceKind]?: (resource: Extract<Resource, { kind: K }>, problems: Problems) => void;
};

/** One entry per kind that has more rules than its schema can say. */
const kindChecks: KindChecks = {
  VirtualService: checkVirtualService,
  DestinationRule: checkDestinationRule,
  Gateway: (resource, problems) => {
    if (isIstioGateway(resource)) checkGateway(resource, problems);
  },
  ServiceEntry: checkServiceEntry,
  WorkloadEntry: checkWorkloadEntry,
  WorkloadGroup: ({ spec }, problems) => checkLabels(spec.metadata?.labels, problems.at('spec', 'metadata', 'labels')),
  Sidecar: checkSidecar,
  ProxyConfig: ({ spec }, problems) => {
    if (spec.selector !== undefined) checkSelector(spec.selector.matchLabels, problems.at('spec', 'selector'));
  },
  PeerAuthentication: checkPeerAuthentication,
  RequestAuthentication: checkRequestAuthentication,
  AuthorizationPolicy: checkAuthorizationPolicy,
  Telemetry: checkTelemetry,
  HTTPRoute: checkRouteFilters,
  GRPCRoute: checkRouteFilters,
};

function checkKind(resource: Resource, problems: Problems): void {
  // The table's types pair each kind with its check; a lookup by a union of kinds loses that.
  const check = kindChecks[resource.kind] as ((resource: Resource, problems: Problems) => void) | undefined;
  check?.(resource, problems);
}

/** Annotations that Istio refuses. */
function checkMetadata(resource: Resource, problems: Problems): void {
  const { annotations = {} } = resource.metadata;
  const at = problems.at('metadata', 'annotations');
  if (
    'istio.io/dry-run' in annotations &&
    resource.kind !== 'AuthorizationPolicy' &&
    resource.apiVersion.includes('istio.io')
  ) {
    at.at('istio.io/dry-run').error('is for AuthorizationPolicy only', 'Remove it.');
  }
}

function keptProblem(resource: Resource, path: FieldPath): ResourceProblem {
  const what = path.length === 1 ? describeResource(resource) : formatPath(path);
  return {
    code: 'NOT_APPLIED',
    severity: 'info',
    path,
    message: `${what} is kept and exported, not applied here`,
    hint: keptHint(resource, path),
  };
}

/** Only processes of this machine can get a sidecar here. */
function checkWorkloadEntry(resource: WorkloadEntry, problems: Problems): void {
  checkEndpoint(resource.spec, { names: null, mayBeName: true }, problems.at('spec'));
  if (toHostProcess(resource) !== null) return;
  problems.list.push({
    code: 'NOT_APPLIED',
    severity: 'info',
    path: ['spec', 'address'],
    message: `${describeResource(resource)} is kept and exported, not applied here: ${resource.spec.address ?? 'no address'} is not a process of this machine`,
    hint: 'To mesh a process of this machine, give the address it listens on: 127.0.0.1, ::1 or localhost.',
  });
}
