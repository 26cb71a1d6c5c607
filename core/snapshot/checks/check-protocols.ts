/** Rules for a protocol that a service does not speak, and names of ports that say another protocol than is declared. */
import type { Finding } from '../../model/finding.ts';
import { toIstioProtocol } from '../../model/host-syntax.ts';
import { toPortProtocol } from '../../model/protocol.ts';
import { describeResource, type MeshResources, namespaceOf, ofKind } from '../../model/resource.ts';
import { resolveHost } from '../host-names.ts';
import type { SnapshotService } from '../snapshot.ts';
import { warning } from './check-references.ts';

export function protocolFindings(
  resources: MeshResources,
  services: ReadonlyMap<string, SnapshotService>,
): readonly Finding[] {
  return [...ruleFindings(resources, services), ...portNameFindings(resources)];
}

function ruleFindings(resources: MeshResources, services: ReadonlyMap<string, SnapshotService>): readonly Finding[] {
  return resources.virtualServices.flatMap((resource) =>
    (resource.spec.hosts ?? []).flatMap((host) => {
      const service = services.get(resolveHost(host, namespaceOf(resource), services).key);
      const protocols = new Set(service?.ports.map(({ protocol }) => protocol));
      if (service === undefined || protocols.size === 0 || protocols.has('auto')) return [];
      const speaksHttp = ['http', 'http2', 'grpc'].some((protocol) => protocols.has(protocol as 'http'));
      const isWrong = (list: 'http' | 'tls' | 'tcp', speaks: boolean) =>
        (resource.spec[list]?.length ?? 0) > 0 && !speaks;
      const wrong = isWrong('http', speaksHttp)
        ? 'http'
        : isWrong('tls', protocols.has('tls'))
          ? 'tls'
          : isWrong('tcp', protocols.has('tcp'))
            ? 'tcp'
            : null;
      if (wrong === null) return [];
      const hint =
        'Rules of `http` are for HTTP and gRPC ports, of `tls` for TLS ports (by SNI), of `tcp` for all others.';
      return warning(
        'PORT_PROTOCOL',
        `${describeResource(resource)}: its ${wrong} rules never apply, for ${service.key} speaks ${[...protocols].join(', ')}`,
        hint,
      );
    }),
  );
}

/** `name: http-api, protocol: TCP`: one of them is wrong, and `protocol` counts. */
function portNameFindings(resources: MeshResources): readonly Finding[] {
  return ofKind(resources.kept, 'ServiceEntry').flatMap((entry) =>
    (entry.spec.ports ?? []).flatMap(({ name, protocol = '' }) => {
      const named = toPortProtocol(name);
      const declared = toIstioProtocol(protocol);
      if (named === 'auto' || declared === null || toPortProtocol(declared) === named) return [];
      return warning(
        'PORT_PROTOCOL',
        `${describeResource(entry)}: port "${name}" is declared as ${protocol}`,
        'Name ports by their protocol: tcp-db, https.',
      );
    }),
  );
}
