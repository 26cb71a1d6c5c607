/**
 * The command line as a function: arguments in, exit code out. Exit codes: 0 done, 1 refused or failed, 2 wrong usage,
 * 3 no control plane. Commands hold no logic of the mesh; they call the contract and print what it says.
 */
import { Command, CommanderError } from 'commander';
import { certificateCommands } from './certificate-commands.ts';
import { configCommands } from './config-commands.ts';
import { type Environment, Exit, exitCodes } from './context.ts';
import { exportCommands } from './export-command.ts';
import { gatewayCommands } from './gateway-commands.ts';
import { maintenanceCommands } from './maintenance-commands.ts';
import { meshCommands } from './mesh-commands.ts';
import { Output } from './output.ts';
import { requestCommands } from './request-commands.ts';
import { serveCommands } from './serve-command.ts';
import { trafficCommands } from './traffic-commands.ts';

const commands = [
  ...serveCommands,
  ...meshCommands,
  ...trafficCommands,
  ...requestCommands,
  ...certificateCommands,
  ...gatewayCommands,
  ...configCommands,
  ...exportCommands,
  ...maintenanceCommands,
];

/** Errors and help of every command go where the tests can read them, and never end the process. */
function prepare(command: Command, { streams }: Environment): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => streams.stdout.write(text),
    writeErr: (text) => streams.stderr.write(text),
  });
  command.showHelpAfterError('(--help shows what there is)');
  for (const member of command.commands) prepare(member, { streams } as Environment);
}

export async function runProgram(args: readonly string[], environment: Environment): Promise<number> {
  const program = new Command('meshdesk')
    .description('A desktop service mesh for the containers that already run on this machine.')
    .version(environment.version);
  for (const make of commands) program.addCommand(make(environment));
  prepare(program, environment);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof Exit) return error.code;
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.done;
      if (error.code === 'commander.invalidArgument') environment.streams.stderr.write(`error: ${error.message}\n`);
      return exitCodes.usage;
    }
    new Output(environment.streams, args.includes('--json'), environment.env).error(error);
    return exitCodes.failed;
  }
}
