/** Our containers on the engine: what they are started with, and how they are found again by their labels. */
import type Docker from 'dockerode';
import { isDone, statusOf, toEngineError } from './engine-error.ts';
import { isOurs, label } from './labels.ts';

export type Role = 'sidecar' | 'rules' | 'check' | 'gateway' | 'relay' | 'hold';

export interface Purpose {
  readonly owner: string;
  readonly role: Role;
  readonly workloadId: string;
  readonly incarnation: string;
}

const logLimits = { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } };
/** Writable, in memory: the control socket, the last good configuration and the lock of iptables. */
const runFolder = { '/run': 'rw,nosuid,nodev,noexec,size=16m,mode=0755' };
/** Above what the sidecar's overload manager lets it use (400 MiB, and the kernel's buffers): it sheds, it is not killed. */
const memoryLimitBytes = 512 * 1024 * 1024;

export const toLabels = ({ owner, role, workloadId, incarnation }: Purpose): Record<string, string> => ({
  [label.owner]: owner,
  [label.role]: role,
  [label.workload]: workloadId,
  [label.incarnation]: incarnation,
});

/**
 * The guard is root to be able to take the redirect rules away, the sidecar becomes uid 1337 before it opens anything.
 * NET_ADMIN and NET_RAW: iptables; SETUID, SETGID, CHOWN: becoming 1337; KILL: ending the sidecar.
 */
export function sidecarContainer(image: string, purpose: Purpose, networkMode: string): Docker.ContainerCreateOptions {
  return {
    Image: image,
    Labels: toLabels(purpose),
    Tty: false,
    HostConfig: {
      NetworkMode: networkMode,
      CapDrop: ['ALL'],
      CapAdd: ['NET_ADMIN', 'NET_RAW', 'SETUID', 'SETGID', 'CHOWN', 'KILL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      Tmpfs: runFolder,
      Memory: memoryLimitBytes,
      PidsLimit: 64,
      LogConfig: logLimits,
      RestartPolicy: { Name: 'no' },
    },
  };
}

/** The network of a project's gateways; labels as those of its containers. */
export function gatewayNetwork(owner: string): Docker.NetworkCreateOptions {
  const labels = { [label.owner]: owner, [label.role]: 'network' };
  return { Name: `meshdesk-gateways-${owner}`, Driver: 'bridge', Labels: labels };
}

/** Removes networks of ours on which nobody is: of one project, or of all. Others stay. */
export async function removeNetworks(docker: Docker, owner?: string): Promise<void> {
  const filters = [`${label.role}=network`, ...(owner === undefined ? [] : [`${label.owner}=${owner}`])];
  for (const { Id } of await docker.listNetworks({ filters: { label: filters } })) {
    await docker
      .getNetwork(Id)
      .remove()
      .catch((error: unknown) => {
        // Somebody is on it, or it has gone meanwhile.
        if (![403, 404, 409].includes(statusOf(error) ?? 0))
          throw toEngineError(`Network ${Id} could not be removed`, error);
      });
  }
}

/**
 * A gateway's proxy: the sidecar's program in a network namespace of its own, with ports on this machine's loopback.
 * @param network it is on from the start; `null`: the engine's default
 */
export function gatewayContainer(
  image: string,
  purpose: Purpose,
  ports: readonly { readonly port: number; readonly published: number }[],
  network: string | null,
): Docker.ContainerCreateOptions {
  const { HostConfig: common, ...container } = sidecarContainer(image, purpose, 'default');
  const { NetworkMode: _mode, ...host } = common ?? {};
  return {
    ...container,
    ExposedPorts: Object.fromEntries(ports.map(({ port }) => [`${port}/tcp`, {}])),
    HostConfig: {
      ...host,
      ...(network === null ? {} : { NetworkMode: network }),
      // It has no rules to take away, and listens below 1024 without being root.
      CapAdd: ['SETUID', 'SETGID', 'CHOWN', 'KILL'],
      Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' },
      PortBindings: Object.fromEntries(
        ports.map(({ port, published }) => [`${port}/tcp`, [{ HostIp: '127.0.0.1', HostPort: String(published) }]]),
      ),
    },
  };
}

/** A container that publishes `ports` and passes their connections on to the same ports of `target` (`relay.mjs`). */
export function relayContainer(
  image: string,
  purpose: Purpose,
  ports: readonly { readonly port: number; readonly published: number }[],
  target: { readonly network: string; readonly ip: string },
): Docker.ContainerCreateOptions {
  const { HostConfig: common, ...container } = gatewayContainer(image, purpose, ports, target.network);
  return {
    ...container,
    Entrypoint: ['node', '--max-semi-space-size=1', '--max-old-space-size=32', '/meshdesk/relay.mjs'],
    Cmd: [target.ip, ...ports.map(({ port }) => String(port))],
    User: '1337:1337',
    HostConfig: { ...common, CapAdd: [], Memory: 128 * 1024 * 1024, PidsLimit: 32 },
  };
}

/** A container that runs `rules.sh` once in somebody's network namespace. */
export function rulesContainer(
  image: string,
  purpose: Purpose,
  networkMode: string,
  action: string,
): Docker.ContainerCreateOptions {
  return {
    Image: image,
    Labels: toLabels(purpose),
    Entrypoint: ['/bin/sh', '/meshdesk/rules.sh'],
    Cmd: [action],
    User: '0:0',
    Tty: false,
    HostConfig: {
      NetworkMode: networkMode,
      CapDrop: ['ALL'],
      CapAdd: ['NET_ADMIN', 'NET_RAW'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      Tmpfs: runFolder,
      PidsLimit: 32,
      LogConfig: logLimits,
      RestartPolicy: { Name: 'no' },
    },
  };
}

/** A container that holds another one's processes (`hold.mjs`): by the engine's machine's process ids, with signals only. */
export function holdContainer(
  image: string,
  purpose: Purpose,
  command: readonly string[],
): Docker.ContainerCreateOptions {
  return {
    Image: image,
    Labels: toLabels(purpose),
    Entrypoint: ['node', '/meshdesk/hold.mjs'],
    Cmd: [...command],
    User: '0:0',
    Tty: false,
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: {
      NetworkMode: 'none',
      PidMode: 'host',
      CapDrop: ['ALL'],
      CapAdd: ['KILL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      PidsLimit: 32,
      LogConfig: logLimits,
      RestartPolicy: { Name: 'no' },
    },
  };
}

export interface OwnContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly owner: string;
  readonly role: string;
  readonly workloadId: string;
  readonly incarnation: string;
  readonly running: boolean;
  /** Started beside another sidecar that it has not taken over from yet. */
  readonly isSuccessor: boolean;
}

/** Ends the name of a sidecar that is not in charge yet; a container's labels stay what they are, its name can change. */
const successorSuffix = '-next';

/** Names of one workload's sidecars sort by their age. */
export function toSidecarName(workloadId: string, isSuccessor: boolean): string {
  return `meshdesk-${workloadId.slice(0, 12)}-${Date.now().toString(36)}${isSuccessor ? successorSuffix : ''}`;
}

export function toGatewayName(name: string): string {
  return `meshdesk-${name.slice(0, 40)}-${Date.now().toString(36)}`;
}

/** What the gateway of such a container is called. */
export const fromGatewayName = (name: string): string => name.replace(/^meshdesk-(.*)-[a-z0-9]+$/, '$1');

/** In charge first, then successors that have not taken over; among equals the youngest first. */
function byPrecedence(a: OwnContainer, b: OwnContainer): number {
  return Number(a.isSuccessor) - Number(b.isSuccessor) || (a.name < b.name ? 1 : -1);
}

/** Puts a successor in charge. Idempotent. */
export async function confirmSuccessor(docker: Docker, id: string): Promise<void> {
  const container = docker.getContainer(id);
  try {
    const name = (await container.inspect()).Name.replace(/^\//, '');
    if (name.endsWith(successorSuffix)) await container.rename({ name: name.slice(0, -successorSuffix.length) });
  } catch (error) {
    throw toEngineError(`Container ${id.slice(0, 12)} could not be renamed`, error);
  }
}

/** Ours, of every project unless `owner` is given; of one workload's sidecars the one in charge first. */
export async function listOwn(
  docker: Docker,
  wanted: { owner?: string; role?: Role; workloadId?: string } = {},
): Promise<OwnContainer[]> {
  const filters = [
    label.role + (wanted.role === undefined ? '' : `=${wanted.role}`),
    ...(wanted.owner === undefined ? [] : [`${label.owner}=${wanted.owner}`]),
    ...(wanted.workloadId === undefined ? [] : [`${label.workload}=${wanted.workloadId}`]),
  ];
  const listed = await docker.listContainers({ all: true, filters: { label: filters } });
  return listed
    .filter(({ Labels }) => isOurs(Labels))
    .map(({ Id, Names, ImageID, Labels, State }) => ({
      id: Id,
      name: (Names[0] ?? Id).replace(/^\//, ''),
      image: ImageID,
      owner: Labels[label.owner] ?? '',
      role: Labels[label.role] ?? '',
      workloadId: Labels[label.workload] ?? '',
      incarnation: Labels[label.incarnation] ?? '',
      running: State === 'running',
      isSuccessor: Names[0]?.endsWith(successorSuffix) ?? false,
    }))
    .sort(byPrecedence);
}

/** Ends and removes a container, whatever state it is in; one that is gone is fine. */
export async function removeContainer(docker: Docker, id: string, graceSeconds = 0): Promise<void> {
  const container = docker.getContainer(id);
  try {
    if (graceSeconds > 0) {
      await container.stop({ t: graceSeconds }).catch((error: unknown) => {
        if (!isDone(error)) throw error;
      });
    }
    await container.remove({ force: true, v: true });
  } catch (error) {
    if (!isDone(error)) throw toEngineError(`Container ${id.slice(0, 12)} could not be removed`, error);
  }
}
