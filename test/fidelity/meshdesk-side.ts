import { Agent } from 'node:http';
import { parseResources } from '../../core/model/parse-resources.ts';
import type { DiscoveredWorkload } from '../../core/model/workload.ts';
import { compileSnapshot } from '../../core/snapshot/compile-snapshot.ts';
import type { SnapshotWorkload } from '../../core/snapshot/snapshot.ts';
import { toSidecarConfig } from '../../core/snapshot/to-sidecar-config.ts';
import { freePort, TestSidecar } from '../support/test-sidecar.ts';
import type { Side } from './observe.ts';
import type { Upstreams } from './upstreams.ts';
import { type World, withPorts } from './world.ts';

export interface MeshdeskSide extends Side {
  load(world: World, upstreams: Upstreams): Promise<void>;
  close(): Promise<void>;
}

/** The product's own way from YAML to a sidecar: parse, compile, push over the control stream; explicit listeners. */
export async function startMeshdeskSide(): Promise<MeshdeskSide> {
  const sidecar = await TestSidecar.start();
  // Faults live as long as somebody renews them.
  sidecar.control.startHeartbeats(1_000);
  const proxyPort = await freePort();
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const listeners = {
    kind: 'explicit',
    inbound: [],
    outbound: [],
    httpProxy: { host: '127.0.0.1', port: proxyPort },
  } as const;
  let revision = 0;
  return {
    name: 'meshdesk',
    proxyPort,
    agent,
    async load(world, upstreams) {
      revision += 1;
      const { resources, findings } = parseResources(
        withPorts(world.scenarios.map(({ yaml }) => yaml).join('\n'), upstreams),
        null,
      );
      const errors = findings.filter(({ severity }) => severity === 'error');
      if (errors.length > 0) throw new Error(`Meshdesk refuses the world:\n${errors.map(toLine).join('\n')}`);
      const caller = { ...toWorkload('web', 'v1', 1), labels: { app: 'web', tier: 'front' } };
      const workloads: SnapshotWorkload[] = [
        { discovered: caller, attached: true, listeners: listeners as never, endpointPorts: [] },
      ];
      for (const { host, versions } of world.scenarios) {
        for (const version of versions) {
          const discovered = toWorkload(host, version, upstreams.portOf(version));
          workloads.push({ discovered, attached: false, listeners: null, endpointPorts: [] });
        }
      }
      const snapshot = compileSnapshot({
        revision,
        trustDomain: 'cluster.local',
        rootNamespace: 'istio-system',
        resources,
        workloads,
        faults: [],
      });
      const config = toSidecarConfig(snapshot, caller.id);
      if (config === null) throw new Error('the caller has no configuration');
      await sidecar.control.push(config);
    },
    async close() {
      agent.destroy();
      sidecar.control.stopHeartbeats();
      await sidecar.close();
    },
  };
}

function toLine({ line, column, message }: { line: number | null; column: number | null; message: string }): string {
  return `  ${line}:${column} ${message}`;
}

function toWorkload(service: string, version: string, port: number): DiscoveredWorkload {
  return {
    id: `${service}-${version}`,
    incarnation: '1',
    name: `${service}-${version}`,
    runtime: 'process',
    service,
    namespace: 'shop',
    version,
    project: null,
    image: null,
    labels: {},
    state: 'running',
    stateText: 'running',
    startedAtMs: null,
    ports: [{ port, protocol: 'http', publishedPort: null, servicePort: 80 }],
    addresses: [{ network: 'loopback', ip: '127.0.0.1', aliases: [service] }],
    notAttachable: null,
  };
}
