/**
 * Ports that a gateway's container is to have on this machine and was not started with: what a container publishes is settled
 * when it is made. A relay is a small container beside it that publishes them and passes their connections on, so that the
 * gateway, and what is open through it, stays. They end with the gateway's container.
 */
import type Docker from 'dockerode';
import type { PublishedPort } from '../../gateways/gateway-place.ts';
import { engineMessage, toEngineError } from './engine-error.ts';
import { listOwn, type Purpose, relayContainer, removeContainer, toGatewayName } from './own-containers.ts';

/** How often other ports of this machine are tried when the engine says that one is taken. */
const maxTries = 8;
const portTaken = /already allocated|address already in use|ports are not available|failed to bind|permission denied/i;

/** Runs `attempt` with ports of this machine until the engine takes them all. Rejects with what it says otherwise. */
export async function withFreePorts<T>(
  name: string,
  choose: (taken: ReadonlySet<number>) => Promise<PublishedPort[]>,
  attempt: (ports: PublishedPort[]) => Promise<T>,
): Promise<T> {
  const taken = new Set<number>();
  for (let tries = 1; ; tries += 1) {
    const ports = await choose(taken);
    try {
      return await attempt(ports);
    } catch (error) {
      const message = engineMessage(error);
      if (!portTaken.test(message) || tries === maxTries)
        throw toEngineError(`The gateway ${name} could not be started`, error);
      const named = ports.filter(({ published }) => message.includes(String(published)));
      for (const { published } of named.length > 0 ? named : ports) taken.add(published);
    }
  }
}

type Bindings = Readonly<Record<string, readonly { readonly HostPort?: string }[]>> | undefined;

/** What a container publishes. */
export function toPublished(bindings: unknown): PublishedPort[] {
  return Object.entries((bindings as Bindings) ?? {}).flatMap(([port, [binding]]) => {
    const published = Number(binding?.HostPort ?? 0);
    return published > 0 ? [{ port: Number.parseInt(port, 10), published }] : [];
  });
}

export interface Relay {
  readonly id: string;
  readonly ip: string;
  readonly ports: readonly PublishedPort[];
}

export interface RelayRequest {
  readonly name: string;
  readonly workloadId: string;
  readonly owner: string;
  readonly image: string;
  /** Of the gateway's container. */
  readonly gatewayId: string;
  /** Network and address at which the relay reaches it. */
  readonly network: string;
  readonly ip: string;
}

export async function startRelay(
  docker: Docker,
  request: RelayRequest,
  ports: readonly PublishedPort[],
): Promise<Relay> {
  const { name, workloadId, owner, image, gatewayId, network, ip } = request;
  // Its incarnation is the gateway's container: a relay of another one is of no use.
  const purpose: Purpose = { owner, role: 'relay', workloadId, incarnation: gatewayId };
  const created = await docker.createContainer({
    name: toGatewayName(`${name}-relay`),
    ...relayContainer(image, purpose, ports, { network, ip }),
  });
  try {
    await created.start();
    return await inspectRelay(docker, created.id);
  } catch (error) {
    await removeContainer(docker, created.id);
    throw error;
  }
}

/** Relays of a gateway's container that run; those of the workload's other containers are removed. */
export async function adoptRelays(
  docker: Docker,
  { owner, workloadId, gatewayId }: Pick<RelayRequest, 'owner' | 'workloadId' | 'gatewayId'>,
): Promise<Relay[]> {
  const found: Relay[] = [];
  for (const { id, running, incarnation } of await listOwn(docker, { role: 'relay', workloadId, owner })) {
    if (running && incarnation === gatewayId) found.push(await inspectRelay(docker, id));
    else await removeContainer(docker, id);
  }
  return found;
}

async function inspectRelay(docker: Docker, id: string): Promise<Relay> {
  const { HostConfig, NetworkSettings } = await docker.getContainer(id).inspect();
  const ip = Object.values(NetworkSettings.Networks ?? {}).find(({ IPAddress }) => IPAddress !== '')?.IPAddress;
  return { id, ip: ip ?? '', ports: toPublished(HostConfig.PortBindings) };
}
