/**
 * From what the engine says of a container to a workload of the mesh. Pure.
 *
 *   namespace  label, else compose project, else `default`
 *   service    label, else compose service or container name, without a version at its end
 *   version    label, else `v2` at the end of that name (`payments-v2`), else the image's tag unless it says nothing
 */
import type Docker from 'dockerode';
import { PortProtocol, parseProxyProtocol } from '../../../model/protocol.ts';
import type { DiscoveredWorkload, RunState, WorkloadAddress, WorkloadPort } from '../../../model/workload.ts';
import { compose, override } from './labels.ts';

const defaultNamespace = 'default';
/** Databases and queues whose protocol is not HTTP: spares their clients the detection. */
const tcpPorts: ReadonlySet<number> = new Set([25, 53, 587, 1433, 3306, 5432, 5672, 6379, 9092, 11_211, 27_017]);
const versionSuffix = /^(.+)[-_.](v\d+(?:[.-]\d+)*)$/i;

/** Kubernetes-style name (RFC 1123 label): what services and namespaces must be to be exported. */
export function toDnsLabel(text: string): string {
  const label = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+/g, '')
    .slice(0, 63)
    .replaceAll(/-+$/g, '');
  return label === '' ? 'unnamed' : label;
}

/** Tag of an image reference; `latest`, no tag, a digest and an image id say nothing. */
function imageVersion(image: string): string | null {
  if (/^(sha256:)?[0-9a-f]{12,64}$/.test(image)) return null;
  const tag = /:([\w][\w.-]*)$/.exec(image.split('@')[0] ?? '')?.[1];
  return tag === undefined || tag === 'latest' ? null : tag;
}

/** Of a container: `name` is what it is called where no label says its compose service. */
export function nameAndVersion(name: string, labels: Readonly<Record<string, string>>, image: string) {
  const base = labels[compose.service] ?? name;
  const [, stem, suffix] = versionSuffix.exec(base) ?? [];
  const service = labels[override.service] ?? stem ?? base;
  const version = labels[override.version] ?? suffix ?? imageVersion(image);
  return { service: toDnsLabel(service), version };
}

function toRunState(state: Docker.ContainerInspectInfo['State']): RunState {
  if (state.Paused) return 'paused';
  if (state.Restarting) return 'restarting';
  return state.Running ? 'running' : 'exited';
}

function toPorts(info: Docker.ContainerInspectInfo): WorkloadPort[] {
  const labels = info.Config.Labels ?? {};
  const exposed = { ...info.Config.ExposedPorts, ...info.NetworkSettings.Ports };
  const declared = [override.protocolPrefix, override.proxyProtocolPrefix].flatMap((prefix) =>
    Object.keys(labels)
      .filter((key) => key.startsWith(prefix))
      .map((key) => `${key.slice(prefix.length)}/tcp`),
  );
  const ports: WorkloadPort[] = [];
  for (const key of new Set([...Object.keys(exposed), ...declared])) {
    const [number, transport] = key.split('/');
    const port = Number(number);
    if (transport !== 'tcp' || !Number.isInteger(port) || port < 1 || port > 65_535) continue;
    const said = PortProtocol.safeParse(labels[`${override.protocolPrefix}${port}`]);
    const proxyProtocol = parseProxyProtocol(labels[`${override.proxyProtocolPrefix}${port}`] ?? '');
    // Requests of many clients share connections to the application, so only as TCP can each have a header of its own.
    const isTcp = tcpPorts.has(port) || (proxyProtocol !== null && proxyProtocol.send !== null);
    const fallback: PortProtocol = isTcp ? 'tcp' : 'auto';
    const published = info.NetworkSettings.Ports?.[key]?.[0]?.HostPort;
    ports.push({
      port,
      protocol: said.success ? said.data : fallback,
      publishedPort: published === undefined || published === '' ? null : Number(published),
      ...(proxyProtocol === null ? {} : { proxyProtocol }),
    });
  }
  return ports.sort((a, b) => a.port - b.port);
}

function toAddresses(info: Docker.ContainerInspectInfo, name: string): WorkloadAddress[] {
  const addresses: WorkloadAddress[] = [];
  for (const [network, endpoint] of Object.entries(info.NetworkSettings.Networks ?? {})) {
    const dnsNames = 'DNSNames' in endpoint && Array.isArray(endpoint.DNSNames) ? endpoint.DNSNames.map(String) : [];
    // The default bridge has no DNS of its own, so names mean nothing there.
    const known = network === 'bridge' ? [] : [name, ...(endpoint.Aliases ?? []), ...dnsNames, info.Id.slice(0, 12)];
    const aliases = [...new Set(known.map((alias) => alias.toLowerCase()))];
    for (const ip of [endpoint.IPAddress, endpoint.GlobalIPv6Address]) if (ip) addresses.push({ network, ip, aliases });
  }
  return addresses;
}

function notAttachable(info: Docker.ContainerInspectInfo): DiscoveredWorkload['notAttachable'] {
  const mode = info.HostConfig.NetworkMode ?? '';
  const name = info.Name.replace(/^\//, '');
  if (info.Platform === 'windows') {
    return {
      code: 'WINDOWS_CONTAINER',
      message: `${name} is a Windows container: it has no Linux network namespace to join.`,
    };
  }
  if (mode === 'host') {
    return {
      code: 'HOST_NETWORK',
      message: `${name} uses the host's network (network_mode: host), which is shared with the whole machine. Give it a network of its own to attach it.`,
    };
  }
  if (mode === 'none') {
    return {
      code: 'NO_NETWORK',
      message: `${name} has no network (network_mode: none), so there is no traffic to see.`,
    };
  }
  if (mode.startsWith('container:')) {
    const owner = mode.slice('container:'.length);
    return {
      code: 'SHARED_NETWORK',
      message: `${name} shares the network namespace of container ${owner.slice(0, 12)}; attach that one, it covers both.`,
    };
  }
  return null;
}

/** @param stateText the engine's own words, from its list ("Up 3 minutes") */
export function toWorkload(info: Docker.ContainerInspectInfo, stateText: string): DiscoveredWorkload {
  const labels = info.Config.Labels ?? {};
  const name = info.Name.replace(/^\//, '');
  const startedAtMs = Date.parse(info.State.StartedAt);
  const project = labels[compose.project] ?? null;
  return {
    id: info.Id,
    incarnation: info.State.StartedAt,
    name,
    runtime: 'docker',
    ...nameAndVersion(name, labels, info.Config.Image),
    namespace: toDnsLabel(labels[override.namespace] ?? project ?? defaultNamespace),
    project,
    image: info.Config.Image,
    labels,
    state: toRunState(info.State),
    stateText,
    startedAtMs: Number.isNaN(startedAtMs) || startedAtMs <= 0 ? null : startedAtMs,
    ports: toPorts(info),
    addresses: toAddresses(info, name),
    notAttachable: notAttachable(info),
  };
}
