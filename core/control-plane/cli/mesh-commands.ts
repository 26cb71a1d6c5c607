import type { Command } from 'commander';
import type { Selection } from '../../contract/contract.ts';
import type { TopologyEdge, WorkloadView } from '../../contract/shapes.ts';
import { parseTime, usage } from './arguments.ts';
import { defineCommand, type Environment, Exit, exitCodes } from './context.ts';
import { type Cell, figure, type Output } from './output.ts';

const mebibyte = 1024 * 1024;

function stateCell({ mesh }: WorkloadView): Cell {
  const colour = mesh === 'attached' ? 'green' : mesh === 'detached' ? 'dim' : 'yellow';
  return { text: mesh, colour };
}

function printWorkloads(output: Output, workloads: readonly (WorkloadView & { durationMs?: number })[]): void {
  if (workloads.length === 0) {
    output.say('No workloads. Start some containers, or the sample shop: meshdesk serve --sample');
    return;
  }
  const timed = workloads.some(({ durationMs }) => durationMs !== undefined);
  output.table(
    ['NAME', 'SERVICE', 'VERSION', 'RUNTIME', 'STATE', 'PORTS', 'MESH', ...(timed ? ['TOOK'] : []), ''],
    workloads.map((workload) => [
      workload.name,
      `${workload.service}.${workload.namespace}`,
      workload.version ?? '-',
      workload.runtime,
      workload.state,
      workload.ports.map(({ port, servicePort, protocol }) => `${servicePort ?? port}/${protocol}`).join(' ') || '-',
      stateCell(workload),
      ...(timed ? [figure(Math.round(workload.durationMs ?? 0), ' ms')] : []),
      workload.reason ?? workload.notAttachable?.message ?? '',
    ]),
  );
}

function toSelection(names: readonly string[], options: { all?: boolean; projectName?: string }): Selection {
  const given = [names.length > 0, options.all === true, options.projectName !== undefined].filter(Boolean).length;
  if (given !== 1) return usage('give either names, or --all, or --project-name');
  if (names.length > 0) return { names: [...names] };
  return options.projectName === undefined ? { all: true } : { project: options.projectName };
}

/** What each sidecar has in force, and what is meant for it. */
function printSidecars(output: Output, workloads: readonly WorkloadView[]): void {
  const attached = workloads.filter(({ mesh }) => mesh !== 'detached');
  output.table(
    ['SIDECAR OF', 'IN FORCE', 'MEANT', '', ''],
    attached.map(({ name, ackedRevision, wantedRevision, reason }) => {
      const isBehind = wantedRevision !== undefined && (ackedRevision ?? -1) < wantedRevision;
      return [
        name,
        String(ackedRevision ?? '-'),
        String(wantedRevision ?? '-'),
        isBehind ? { text: 'on its way', colour: 'yellow' } : { text: 'applied', colour: 'green' },
        reason ?? '',
      ];
    }),
  );
}

function statusCommand(environment: Environment): Command {
  const command = defineCommand(environment, 'status', 'mesh, engine, revision, cost');
  command.option('--sidecars', 'also which revision each sidecar has acknowledged');
  return command.run<{ sidecars?: boolean }>(async ({ call, output }, _args, options) => {
    const status = await call('mesh.status', {});
    const workloads = options.sidecars === true && !output.json ? await call('workload.list', {}) : [];
    output.result(status, () => {
      const { engine, sidecars, traffic, cost } = status;
      const engineText = [engine.name, engine.version, engine.state].filter((part) => part !== null).join(' ');
      output.say(`project   ${status.project.dir}`);
      output.say(`engine    ${engineText}${engine.message === null ? '' : `: ${engine.message}`}`);
      output.say(`sample    ${status.sample}`);
      output.say(
        `mesh      revision ${status.revision}, applied by ${sidecars.acked} of ${sidecars.attached} sidecars, mTLS ${status.mtlsMode}, ${status.trustDomain}`,
      );
      output.say(
        `traffic   ${figure(traffic.requestsPerSecond, '/s')}, errors ${figure(traffic.errorPercent, ' %')}, faults on: ${status.faultsActive}`,
      );
      output.say(
        `cost      sidecars ${figure(Math.round(cost.sidecarsRssBytes / mebibyte), ' MB')} and ${figure(cost.sidecarsCpuPercent, ' % CPU')}, control plane ${figure(Math.round(cost.controlPlaneRssBytes / mebibyte), ' MB')}`,
      );
      if (options.sidecars === true) {
        output.say('');
        printSidecars(output, workloads);
      }
    });
  });
}

function workloadsCommand(environment: Environment): Command {
  return defineCommand(environment, 'workloads', 'what can be attached')
    .option('--listeners', 'also where host processes reach the others through the mesh')
    .run<{ listeners?: boolean }>(async ({ call, output }, _args, options) => {
      const workloads = await call('workload.list', {});
      output.result(workloads, () => {
        printWorkloads(output, workloads);
        if (options.listeners === true) printListeners(output, workloads);
      });
    });
}

function printListeners(output: Output, workloads: readonly WorkloadView[]): void {
  const rows = workloads.flatMap(({ name, listeners }) => [
    ...(listeners?.outbound ?? []).map(({ service, port, url }) => [name, `calls ${service}:${port} at`, url]),
    ...(listeners?.inbound ?? []).map(({ port, url }) => [name, `is called on ${port} at`, url]),
    ...(listeners?.httpProxy ? [[name, 'HTTP_PROXY, and /proxy/{service}/{path}', listeners.httpProxy]] : []),
  ]);
  output.say('');
  if (rows.length === 0)
    output.say('No host process is attached; containers need no address, their traffic is redirected.');
  else output.table(['NAME', 'THROUGH THE MESH', 'ADDRESS'], rows);
}

function attachCommand(environment: Environment): Command {
  return defineCommand(environment, 'attach', 'attach workloads to the mesh; waits until they are meshed')
    .argument('[name...]', 'names or ids')
    .option('--all', 'every workload that can be attached')
    .option('--project-name <name>', 'every workload of a compose project')
    .run<{ all?: boolean; projectName?: string }>(async (context, [names = []], options) => {
      const select = toSelection([names].flat(), options);
      const workloads = await context.call('workload.attach', { select });
      context.output.result(workloads, () => printWorkloads(context.output, workloads));
      if (workloads.some(({ mesh }) => mesh !== 'attached')) throw new Exit(exitCodes.failed);
    });
}

function detachCommand(environment: Environment): Command {
  return defineCommand(environment, 'detach', 'detach workloads; waits until nothing is left')
    .argument('[name...]', 'names or ids')
    .option('--all', 'every attached workload')
    .option('--project-name <name>', 'every workload of a compose project')
    .option('--deadline <time>', 'how long long-lived TCP connections are kept', parseTime, 10_000)
    .run<{ all?: boolean; projectName?: string; deadline: number }>(async (context, [names = []], options) => {
      const select = toSelection([names].flat(), options);
      const workloads = await context.call('workload.detach', { select, deadlineMs: options.deadline });
      context.output.result(workloads, () => printWorkloads(context.output, workloads));
      if (workloads.some(({ mesh }) => mesh !== 'detached')) throw new Exit(exitCodes.failed);
    });
}

function renewCommand(environment: Environment): Command {
  return defineCommand(environment, 'renew', 'replace sidecars by ones of this version while their traffic goes on')
    .argument('[name...]', 'names or ids')
    .option('--all', 'every attached workload')
    .option('--project-name <name>', 'every attached workload of a compose project')
    .option('--deadline <time>', 'how long the older sidecars keep long-lived connections', parseTime, 30_000)
    .run<{ all?: boolean; projectName?: string; deadline: number }>(async (context, [names = []], options) => {
      const select = toSelection([names].flat(), options);
      const workloads = await context.call('workload.renew', { select, deadlineMs: options.deadline });
      context.output.result(workloads, () => printWorkloads(context.output, workloads));
      if (workloads.some(({ mesh }) => mesh !== 'attached')) throw new Exit(exitCodes.failed);
    });
}

function edgeRow(edge: TopologyEdge): Cell[] {
  const lock: Cell = { text: edge.mtls, colour: edge.mtls === 'closed' ? 'green' : 'yellow' };
  const tcp =
    edge.tcp === null ? '' : `${edge.tcp.connections} connections, ${figure(edge.tcp.bytesPerSecond, ' B/s')}`;
  return [
    `${edge.from} -> ${edge.to}`,
    edge.protocol,
    lock,
    figure(edge.requestsPerSecond, '/s'),
    figure(edge.errorPercent, ' %'),
    figure(edge.p50Ms, ' ms'),
    figure(edge.p95Ms, ' ms'),
    figure(edge.p99Ms, ' ms'),
    [...edge.badges.map(({ text }) => text), tcp].filter((text) => text !== '').join(', '),
  ];
}

function topologyCommand(environment: Environment): Command {
  return defineCommand(environment, 'topology', 'who calls whom, how often, how fast, how safely')
    .option('--window <time>', 'over which time', parseTime, 30_000)
    .run<{ window: number }>(async ({ call, output }, _args, options) => {
      const topology = await call('topology.get', { windowSeconds: Math.round(options.window / 1_000) });
      output.result(topology, () => {
        if (topology.edges.length === 0) return output.say('No traffic was seen in this window.');
        output.table(
          ['EDGE', 'PROTOCOL', 'MTLS', 'RATE', 'ERRORS', 'P50', 'P95', 'P99', ''],
          topology.edges.map(edgeRow),
        );
      });
    });
}

function addressCommand(environment: Environment): Command {
  return defineCommand(environment, 'address', 'a fresh one-time address for a browser').run(
    async ({ call, output }) => {
      const address = await call('mesh.address', {});
      output.result(address, () => output.say(address.url));
    },
  );
}

export const meshCommands = [
  statusCommand,
  workloadsCommand,
  attachCommand,
  detachCommand,
  renewCommand,
  topologyCommand,
  addressCommand,
];
