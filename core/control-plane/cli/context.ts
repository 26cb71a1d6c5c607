/** What every command has: the project it is about, its control plane, and a way to speak. */
import { Command } from 'commander';
import { type ContractClient, createContractClient } from '../../contract/client.ts';
import { findProjectDir, type Project, toProject } from '../store/project.ts';
import { Output, type Streams } from './output.ts';
import { createSocketTransport } from './socket-transport.ts';

export const exitCodes = { done: 0, failed: 1, usage: 2, noControlPlane: 3 } as const;

/** The surroundings of one run of the command line; tests give their own. */
export interface Environment {
  readonly streams: Streams;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Folder of the built product. */
  readonly distDir: string;
  readonly version: string;
}

/** Ends the command with this exit code; everything was said already. */
export class Exit extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

export interface CommandContext {
  readonly environment: Environment;
  readonly output: Output;
  readonly project: Project;
  /** Calls the running control plane. Ends the command with code 3 when there is none. */
  readonly call: ContractClient['call'];
  /** True when a control plane of this project answers. */
  isRunning(): Promise<boolean>;
}

const isNobodyThere = (error: unknown) =>
  ['ECONNREFUSED', 'ENOENT', 'ENOTSOCK'].includes((error as NodeJS.ErrnoException).code ?? '');

function createContext(environment: Environment, options: { project?: string; json?: boolean }): CommandContext {
  const output = new Output(environment.streams, options.json === true, environment.env);
  const project = toProject(findProjectDir(options.project ?? null, environment.cwd, environment.env));
  const transport = createSocketTransport({ socketPath: project.controlSocket });
  const client = createContractClient({ call: transport.call, listen: () => () => undefined });
  const call: ContractClient['call'] = async (method, input) => {
    try {
      return await client.call(method, input);
    } catch (error) {
      if (!isNobodyThere(error)) throw error;
      output.note(`No control plane runs for ${project.dir}.`);
      output.note('Start one with `npm start`, or `meshdesk serve --project DIR`, and try again.');
      if (output.json)
        environment.streams.stdout.write(
          `${JSON.stringify({ error: { code: 'NO_CONTROL_PLANE', message: `No control plane runs for ${project.dir}.` } })}\n`,
        );
      throw new Exit(exitCodes.noControlPlane);
    }
  };
  const isRunning = () =>
    client.call('mesh.status', {}).then(
      () => true,
      (error: unknown) => {
        if (isNobodyThere(error)) return false;
        throw error;
      },
    );
  return { environment, output, project, call, isRunning };
}

/** A command with the options that all have. Its action gets the context, then arguments and options as commander has them. */
export function defineCommand(environment: Environment, name: string, description: string): MeshCommand {
  return new MeshCommand(environment, name, description);
}

export class MeshCommand extends Command {
  readonly #environment: Environment;

  constructor(environment: Environment, name: string, description: string) {
    super(name);
    this.#environment = environment;
    this.description(description);
    this.option('--project <dir>', 'mesh project (default: the one of the current folder, else yours)');
    this.option('--json', 'machine-readable output');
  }

  /** Like `action`, with the context first; `args` are the positional arguments. */
  run<O extends object>(
    work: (context: CommandContext, args: readonly (string | string[])[], options: O) => Promise<void>,
  ): this {
    this.action(async (...all: unknown[]) => {
      const options = this.optsWithGlobals<O & { project?: string; json?: boolean }>();
      await work(createContext(this.#environment, options), all.slice(0, -2) as (string | string[])[], options);
    });
    return this;
  }
}
