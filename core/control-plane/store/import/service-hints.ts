import { type ServiceHint, toFqdn } from './production-names.ts';
import type { Manifest } from './read-manifests.ts';

const namingLabels = ['app.kubernetes.io/name', 'app', 'k8s-app', 'service', 'component'];

interface ServiceSpec {
  readonly selector?: Readonly<Record<string, unknown>> | null;
  readonly ports?: readonly { readonly port?: unknown; readonly targetPort?: unknown }[] | null;
}

/** By full name. */
export function serviceHints(manifests: readonly Manifest[]): ReadonlyMap<string, ServiceHint> {
  const hints = new Map<string, ServiceHint>();
  for (const { kind, apiVersion, name, namespace, document } of manifests) {
    if (kind !== 'Service' || apiVersion !== 'v1') continue;
    const { spec } = document.toJS() as { spec?: ServiceSpec | null };
    const selector = spec?.selector ?? {};
    const ports = (Array.isArray(spec?.ports) ? spec.ports : []).map(({ port, targetPort }) =>
      typeof targetPort === 'number' ? targetPort : port,
    );
    hints.set(toFqdn(name, namespace), {
      names: namingLabels.flatMap((label) => (typeof selector[label] === 'string' ? selector[label] : [])),
      ports: ports.filter((port) => typeof port === 'number'),
    });
  }
  return hints;
}
