/**
 * The sample shop: six small services as host processes, one of them in two versions, one that speaks TCP, and shoppers
 * who use it. Starts and stops the processes and makes them known to the process runtime; attaching is the mesh's job.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { MeshError } from '../../contract/errors.ts';
import { toServiceKey } from '../../model/workload.ts';
import type { Logger } from '../../shared/logger.ts';
import { nodeProgram } from '../runtime/node-program.ts';
import { OutputBuffer } from '../runtime/process/output-buffer.ts';
import type { ProcessRuntime, RegisteredProcess } from '../runtime/process/process-runtime.ts';
import { type SampleMember, type SampleServiceConfig, sampleMembers, sampleNamespace } from './shop-plan.ts';

const readyTimeoutMs = 10_000;
const stopTimeoutMs = 2_000;
const restartPauseMs = 300;

export interface SampleShopOptions {
  readonly runtime: ProcessRuntime;
  /** The built service program. */
  readonly program: string;
  readonly log: Logger;
  readonly onState?: (state: SampleState) => void;
}
export type SampleState = 'stopped' | 'starting' | 'running';

interface Running {
  readonly member: SampleMember;
  readonly handle: RegisteredProcess;
  readonly output: OutputBuffer;
  readonly config: SampleServiceConfig;
  child: ChildProcess | null;
}

/** Shoppers only come once the shop is open. */
const isServer = ({ member }: Running) => member.servicePort !== null;

function serviceEnv(config: SampleServiceConfig): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, MESHDESK_SAMPLE_SERVICE: JSON.stringify(config) };
  delete env.NODE_OPTIONS;
  return { ...env, ...nodeProgram().env };
}

export class SampleShop {
  readonly #options: SampleShopOptions;
  readonly #running: Running[] = [];
  #state: SampleState = 'stopped';
  #work: Promise<void> = Promise.resolve();

  constructor(options: SampleShopOptions) {
    this.#options = options;
  }

  get state(): SampleState {
    return this.#state;
  }

  /** Ids of its workloads, while it runs. */
  get workloads(): readonly string[] {
    return this.#running.map(({ handle }) => handle.id);
  }

  /** Resolves when every service answers. Rejects with SAMPLE_FAILED; nothing is left running then. A second call is a no-op. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#state === 'running') return;
      this.#setState('starting');
      try {
        await this.#launch();
        this.#setState('running');
      } catch (error) {
        await this.#end();
        throw error;
      }
    });
  }

  stop(): Promise<void> {
    return this.#inTurn(() => this.#end());
  }

  close(): Promise<void> {
    return this.stop();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => undefined);
    return result;
  }

  async #launch(): Promise<void> {
    const { runtime } = this.#options;
    const ports = await runtime.reservePorts(sampleMembers.map(({ name }) => name));
    const portOf = new Map(sampleMembers.map(({ name }, index) => [name, ports[index] ?? 0]));
    const outputs = sampleMembers.map(() => new OutputBuffer());
    const handles = await runtime.register(
      sampleMembers.map((member, index) =>
        toRegistration(member, portOf.get(member.name) ?? 0, outputs[index] ?? new OutputBuffer()),
      ),
    );
    sampleMembers.forEach((member, index) => {
      const handle = handles[index];
      const output = outputs[index];
      if (handle === undefined || output === undefined) return;
      const config = {
        role: member.service,
        version: member.version,
        port: member.servicePort === null ? null : (portOf.get(member.name) ?? null),
        upstreams: member.calls.map((service) => toUpstream(service, handle, portOf)),
      };
      this.#running.push({ member, handle, output, config, child: null });
    });
    const [open, shoppers] = [this.#running.filter(isServer), this.#running.filter((running) => !isServer(running))];
    await Promise.all(open.map((running) => this.#spawn(running)));
    await Promise.all(shoppers.map((running) => this.#spawn(running)));
  }

  async #spawn(running: Running): Promise<void> {
    const { output, config, handle, member } = running;
    const child = spawn(
      nodeProgram().path,
      ['--max-semi-space-size=1', '--max-old-space-size=64', this.#options.program, member.name],
      {
        env: serviceEnv(config),
        stdio: ['pipe', 'pipe', 'pipe'],
        windowsHide: true,
      },
    );
    running.child = child;
    child.stdin?.on('error', () => undefined); // EPIPE of a dying child; its exit is what counts
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => output.append(text));
    const ready = waitForReady(child, member.name, output);
    child.once('exit', (code, signal) => {
      if (running.child !== child) return;
      handle.ended();
      this.#options.log.warn(`sample shop: ${member.name} ended (${signal ?? code})`);
      setTimeout(() => this.#restart(running, child), restartPauseMs).unref();
    });
    await ready;
    handle.started(child.pid ?? 0);
  }

  #restart(running: Running, child: ChildProcess): void {
    if (this.#state !== 'running' || running.child !== child) return;
    this.#spawn(running).catch((error: unknown) =>
      this.#options.log.error(`sample shop: ${running.member.name}`, error),
    );
  }

  async #end(): Promise<void> {
    const all = this.#running.splice(0).reverse();
    await Promise.all(
      all.map(async (running) => {
        const { child } = running;
        running.child = null;
        if (child !== null) await endChild(child);
        running.handle.unregister();
      }),
    );
    this.#setState('stopped');
  }

  #setState(state: SampleState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState?.(state);
  }
}

function toRegistration(member: SampleMember, port: number, output: OutputBuffer) {
  const aliases = member.default && member.servicePort !== null ? [member.service] : [];
  return {
    name: member.name,
    service: member.service,
    namespace: sampleNamespace,
    version: member.version,
    project: sampleNamespace,
    ports: member.servicePort === null ? [] : [{ port, servicePort: member.servicePort, protocol: member.protocol }],
    aliases: member.name === member.service ? aliases : [...aliases, member.name],
    pid: null,
    output,
  };
}

function toUpstream(service: string, caller: RegisteredProcess, portOf: ReadonlyMap<string, number>) {
  const member = sampleMembers.find((other) => other.service === service && other.default);
  if (member?.servicePort === undefined || member.servicePort === null) throw new Error(`${service} cannot be called`);
  return {
    name: service,
    mesh: caller.outbound(toServiceKey(service, sampleNamespace), member.servicePort),
    direct: { host: '127.0.0.1', port: portOf.get(member.name) ?? 0 },
  };
}

function waitForReady(child: ChildProcess, name: string, output: OutputBuffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(new MeshError('SAMPLE_FAILED', `The sample service ${name} ${why}. ${output.tail(3)}`.trim()));
    const timer = setTimeout(() => fail('was not ready in 10 s'), readyTimeoutMs);
    const stop = output.listen((text) => {
      if (!text.includes('ready')) return;
      stop();
      clearTimeout(timer);
      resolve();
    });
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('exit', (code) => {
      stop();
      clearTimeout(timer);
      fail(`ended with code ${code}`);
    });
  });
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await exited;
  clearTimeout(timer);
}
