/**
 * Real programs in containers, each behind a sidecar of its own: `client`, and the servers that a test asks for. What is
 * run in them, and what their sidecars hold, is seen through the engine.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { ContractClient } from '../../core/contract/client.ts';
import type { TopologyEdge } from '../../core/contract/shapes.ts';
import { ensureProgramImage } from './docker-program-image.ts';
import { type ContainerSpec, DockerShop } from './docker-shop.ts';
import { eventually } from './eventually.ts';

export type ServerName = 'server' | 'postgres' | 'redis' | 'nginx';

export interface Ended {
  /** `null`: its container was gone before it could be asked. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs in a container. */
export interface Running {
  readonly output: () => string;
  /** A line with what `test` accepts, as soon as it is printed. */
  line(what: string, test: (line: string) => boolean, timeoutMs?: number): Promise<string>;
  write(text: string): void;
  readonly ended: Promise<Ended>;
}

/** What a sidecar's process and its connections amount to. */
export interface SidecarFigures {
  readonly pid: number;
  readonly rssBytes: number;
  /** Open TCP connections of its own, both sides and both directions. */
  readonly connections: number;
}

export interface ClientEvent {
  readonly begun?: true;
  readonly outcome?: 'complete' | 'broken' | 'truncated' | 'different';
  readonly error?: string;
  readonly [field: string]: unknown;
}

const programsDir = join(import.meta.dirname, 'container-programs');
const programFiles = () =>
  Object.fromEntries(
    readdirSync(programsDir).map((name) => [`/app/${name}`, readFileSync(join(programsDir, name), 'utf8')]),
  );
const sidecarUid = '1337';
const established = '01';

const postgresStart = [
  'initdb -D /tmp/data -A trust -U postgres --no-sync -E UTF8 --locale=C >/dev/null',
  'echo "host all all all trust" >>/tmp/data/pg_hba.conf',
  'exec postgres -D /tmp/data -k /tmp -c "listen_addresses=*" -c fsync=off -c shared_buffers=32MB -c max_connections=60',
].join(' && ');

export class ProgramShop extends DockerShop {
  constructor() {
    super(ensureProgramImage);
  }

  /** The client and these servers, answering. `nginx`: its configuration and other files. */
  async startPrograms(
    servers: readonly ServerName[],
    nginxFiles: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.prepare();
    const specs: Record<ServerName, Omit<ContainerSpec, 'name'>> = {
      server: {
        command: ['node', '/app/server.mjs'],
        port: 8080,
        ports: [7000, 7001, 7002, 7003, 9090],
        files: programFiles(),
      },
      postgres: { command: ['sh', '-c', postgresStart], port: 5432, user: 'postgres' },
      redis: { command: ['redis-server', '--save', '', '--protected-mode', 'no'], port: 6379 },
      nginx: {
        command: ['nginx', '-c', '/app/nginx.conf', '-e', 'stderr'],
        port: 80,
        ports: [81, 443],
        files: nginxFiles,
      },
    };
    await this.#addNamed('client', { command: ['sleep', '3600'], files: programFiles() });
    await Promise.all(servers.map((name) => this.#addNamed(name, specs[name])));
    const probes: Record<ServerName, string[]> = {
      server: ['curl', '-sf', 'http://server:8080/hello'],
      postgres: ['psql', '-h', 'postgres', '-U', 'postgres', '-c', 'select 1'],
      redis: ['redis-cli', '-h', 'redis', 'ping'],
      nginx: ['curl', '-s', '-o', '/dev/null', 'http://nginx/'],
    };
    for (const name of servers) {
      try {
        await this.answers(name, probes[name]);
      } catch (error) {
        throw new Error(`${name} printed: ${await this.logs(this.docker.getContainer(this.id(name)))}`, {
          cause: error,
        });
      }
    }
  }

  async answers(what: string, command: readonly string[]): Promise<void> {
    await eventually(`${what} answers`, async () => {
      const { code, stderr } = await this.runIn('client', command);
      if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${stderr}`);
      return true;
    });
  }

  async #addNamed(name: string, spec: Omit<ContainerSpec, 'name'>): Promise<void> {
    const labels = { 'com.docker.compose.project': this.project, 'com.docker.compose.service': name };
    await this.add({ name, aliases: [name], labels, ...spec });
  }

  /** Runs a command in a container and follows what it prints. */
  async beginIn(short: string, command: readonly string[]): Promise<Running> {
    return await this.#exec(this.id(short), command, {});
  }

  /** Runs a command in a container to its end. */
  async runIn(short: string, command: readonly string[], input?: string): Promise<Ended> {
    const running = await this.#exec(this.id(short), command, {}, input !== undefined);
    if (input !== undefined) running.write(input);
    return await running.ended;
  }

  /** A line of shell in a container; fails unless it ends well. Returns what it printed. */
  async shell(short: string, line: string): Promise<string> {
    const { code, stdout, stderr } = await this.runIn(short, ['sh', '-c', line]);
    if (code !== 0) throw new Error(`\`${line}\` ended with ${code}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  /** Begins an operation of the client program. */
  async operate(...operation: readonly (string | number)[]): Promise<Operation> {
    const command = ['node', '/app/client.mjs', ...operation.map(String)];
    return new Operation(operation.join(' '), await this.#exec(this.id('client'), command, {}, true));
  }

  async #exec(
    container: string,
    command: readonly string[],
    options: { User?: string },
    input = false,
  ): Promise<Running> {
    const exec = await this.docker.getContainer(container).exec({
      Cmd: [...command],
      AttachStdin: input,
      AttachStdout: true,
      AttachStderr: true,
      ...options,
    });
    const stream = await exec.start({ hijack: true, stdin: input });
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    this.docker.modem.demuxStream(stream, stdout, stderr);
    const text = { stdout: '', stderr: '' };
    stdout.setEncoding('utf8').on('data', (data: string) => {
      text.stdout += data;
    });
    stderr.setEncoding('utf8').on('data', (data: string) => {
      text.stderr += data;
    });
    const ended = new Promise<Ended>((resolve) => {
      const end = () =>
        void exec.inspect().then(
          ({ ExitCode: code }) => resolve({ code, ...text }),
          () => resolve({ code: null, ...text }),
        );
      stream.on('end', end).on('close', end).on('error', end);
    });
    return {
      output: () => text.stdout,
      line: (what, test, timeoutMs) =>
        eventually(
          what,
          () => {
            const found = text.stdout.split('\n').slice(0, -1).find(test);
            if (found === undefined)
              throw new Error(`printed so far: ${text.stdout.slice(-500)} ${text.stderr.slice(-500)}`);
            return found;
          },
          timeoutMs,
        ),
      write: (data) => {
        if (!stream.writableEnded) stream.end(data);
      },
      ended,
    };
  }

  async sidecarsOf(short: string): Promise<string[]> {
    const listed = await this.docker.listContainers({
      all: true,
      filters: { label: ['dev.meshdesk.role=sidecar', `dev.meshdesk.workload=${this.id(short)}`] },
    });
    return listed.map(({ Id }) => Id);
  }

  async #inSidecar(short: string, line: string, options: { User?: string } = {}): Promise<string> {
    const [id = ''] = await this.sidecarsOf(short);
    const running = await this.#exec(id, ['sh', '-c', line], options);
    return (await running.ended).stdout;
  }

  /** What the sidecar of a workload holds now. */
  async sidecarFigures(short: string): Promise<SidecarFigures> {
    // The brackets keep the shell that runs this from finding itself.
    const find =
      'for dir in /proc/[0-9]*; do case $(cat $dir/cmdline 2>/dev/null) in *[s]idecar.mjs*) cat $dir/status;; esac; done';
    const text = await this.#inSidecar(short, `${find}; cat /proc/net/tcp /proc/net/tcp6`);
    const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
    const rows = text.split('\n').map((line) => line.trim().split(/\s+/));
    const connections = rows.filter((row) => row[3] === established && row[7] === sidecarUid).length;
    return { pid: number('Pid'), rssBytes: number('VmRSS') * 1_024, connections };
  }

  /** Ends the sidecar's process, not its container, with SIGKILL. */
  async killSidecar(short: string): Promise<void> {
    const { pid } = await this.sidecarFigures(short);
    await this.#inSidecar(short, `kill -9 ${pid}`, { User: sidecarUid });
  }

  /** The edge between two of the containers, once the connections of the last seconds are all mutual TLS. */
  async securedEdge(client: ContractClient, to: string, from = 'client'): Promise<TopologyEdge> {
    return await eventually(`mutual TLS from ${from} to ${to}`, async () => {
      const { edges, nodes } = await client.call('topology.get', { windowSeconds: 4 });
      const idOf = (service: string) =>
        nodes.find((node) => node.service === service && node.namespace === this.project)?.id;
      const edge = edges.find((each) => each.from === idOf(from) && each.to === idOf(to));
      if (edge?.mtls !== 'closed') throw new Error(JSON.stringify(edge ?? null));
      return edge;
    });
  }
}

/** A running operation of the client program. */
export class Operation {
  readonly #name: string;
  readonly #running: Running;

  constructor(name: string, running: Running) {
    this.#name = name;
    this.#running = running;
  }

  async begun(timeoutMs?: number): Promise<ClientEvent> {
    const line = await this.#running.line(`${this.#name} has begun`, (text) => text.includes('"begun"'), timeoutMs);
    return JSON.parse(line) as ClientEvent;
  }

  /** Lets an operation that waits for its input go on. */
  proceed(): void {
    this.#running.write('go\n');
  }

  /** How it ended; fails when it has not after `timeoutMs`. */
  async outcome(timeoutMs?: number): Promise<ClientEvent> {
    const line = await this.#running.line(`${this.#name} has ended`, (text) => text.includes('"outcome"'), timeoutMs);
    return JSON.parse(line) as ClientEvent;
  }
}
