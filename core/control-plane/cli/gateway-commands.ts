import { Command } from 'commander';
import { MeshError } from '../../contract/errors.ts';
import type { GatewayView } from '../../contract/shapes.ts';
import { type CommandContext, defineCommand, type Environment, Exit, exitCodes } from './context.ts';
import type { Cell, Output } from './output.ts';

function printGateways(output: Output, gateways: readonly GatewayView[]): void {
  if (gateways.length === 0) {
    output.say(
      'No Gateway is in the project. One that names hosts and ports makes a gateway run, see docs/gateways.md.',
    );
    return;
  }
  const rows = gateways.flatMap((gateway) =>
    gateway.listeners.map((listener): Cell[] => [
      gateway.name,
      {
        text: gateway.mesh === 'attached' ? 'runs' : gateway.mesh,
        colour: gateway.mesh === 'attached' ? 'green' : 'yellow',
      },
      gateway.place ?? '-',
      listener.gateway,
      `${listener.port}/${listener.protocol}`,
      listener.hosts.join(' '),
      listener.url ?? '-',
    ]),
  );
  output.table(['NAME', 'STATE', 'RUNS AS', 'GATEWAY', 'PORT', 'HOSTS', 'ADDRESS'], rows);
  for (const { name, reason, mesh } of gateways)
    if (reason !== null && mesh !== 'attached') output.say(`${name}: ${reason}`);
  const commands = new Set(gateways.flatMap(({ listeners }) => listeners.flatMap(({ command }) => command ?? [])));
  for (const command of commands) output.say(`try: ${command}`);
  const root = gateways.find(({ rootFile }) => rootFile !== null)?.rootFile;
  if (root != null) output.say(`Where the mesh’s certificate is shown, clients trust ${root} (curl --cacert).`);
}

async function findGateway({ call }: CommandContext, name: string): Promise<GatewayView> {
  const gateways = await call('gateway.list', {});
  const found = gateways.find(
    (gateway) => gateway.name === name || gateway.id === name || gateway.gateways.includes(name),
  );
  if (found !== undefined) return found;
  const known = gateways.map((gateway) => gateway.name).join(', ') || 'none';
  throw new MeshError('NOT_FOUND', `There is no gateway called ${name}. Gateways: ${known}.`);
}

function listCommand(environment: Environment): Command {
  return defineCommand(environment, 'gateways', 'proxies that take traffic from outside, with their addresses').run(
    async ({ call, output }) => {
      const gateways = await call('gateway.list', {});
      output.result(gateways, () => printGateways(output, gateways));
    },
  );
}

function changeCommand(environment: Environment, verb: 'start' | 'stop', description: string): Command {
  return defineCommand(environment, verb, description)
    .argument('<name>', 'of the gateway, or namespace/name of a Gateway')
    .run(async (context, [name]) => {
      const { id } = await findGateway(context, String(name));
      const select = { names: [id] };
      if (verb === 'start') await context.call('workload.attach', { select });
      else await context.call('workload.detach', { select });
      const gateways = (await context.call('gateway.list', {})).filter((gateway) => gateway.id === id);
      context.output.result(gateways, () => printGateways(context.output, gateways));
      const wanted = verb === 'start' ? 'attached' : 'detached';
      if (gateways.some(({ mesh }) => mesh !== wanted)) throw new Exit(exitCodes.failed);
    });
}

function gatewayCommand(environment: Environment): Command {
  const command = new Command('gateway').description(
    'start and stop gateways; they start by themselves when something is attached',
  );
  command.addCommand(changeCommand(environment, 'start', 'start a gateway; waits until it serves'));
  command.addCommand(changeCommand(environment, 'stop', 'stop a gateway'));
  return command;
}

export const gatewayCommands = [listCommand, gatewayCommand];
