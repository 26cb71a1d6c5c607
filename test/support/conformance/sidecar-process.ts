import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sidecarNodeFlags } from '../../../core/control-plane/runtime/process/sidecar-process.ts';
import { ControlClient } from '../control-client.ts';
import { eventually } from '../eventually.ts';
import { builtProgram } from '../programs.ts';
import type { TestCa } from '../test-ca.ts';
import { spiffeIdOfName } from '../test-sidecar.ts';

/** The built sidecar in a process of its own, as it ships: what it uses is its own, and so are its limits. */
export class SidecarProcess {
  readonly control: ControlClient;
  readonly #child: ChildProcess;
  readonly #dir: string;

  private constructor(child: ChildProcess, dir: string, control: ControlClient) {
    this.#child = child;
    this.#dir = dir;
    this.control = control;
  }

  static async start(options: { ca?: TestCa; name?: string } = {}): Promise<SidecarProcess> {
    const dir = await mkdtemp(join(tmpdir(), 'sidecar-'));
    const socket = join(dir, 'sidecar.sock');
    const env = { ...process.env, MESHDESK_SOCKET: socket, MESHDESK_STATE: 'off', MESHDESK_EXIT_WITH_PARENT: '1' };
    const child = spawn(process.execPath, [...sidecarNodeFlags, builtProgram('sidecar')], {
      env,
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr?.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-2_000);
    });
    const control = await eventually('the sidecar to answer', () => {
      if (child.exitCode !== null) throw new Error(`the sidecar ended: ${said}`);
      return ControlClient.open(socket);
    });
    await control.hello();
    if (options.ca) await control.issue(options.ca, spiffeIdOfName(options.name ?? 'test'));
    return new SidecarProcess(child, dir, control);
  }

  /** Open descriptors and resident memory, as Linux tells them. */
  async usage(): Promise<{ files: number; residentBytes: number }> {
    const folder = `/proc/${this.#child.pid}`;
    const files = await readdir(join(folder, 'fd'));
    const status = await readFile(join(folder, 'status'), 'utf8');
    return { files: files.length, residentBytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1_024 };
  }

  async close(): Promise<void> {
    this.control.close();
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    await rm(this.#dir, { recursive: true, force: true });
  }
}
