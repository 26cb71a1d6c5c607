/**
 * The Docker runtime by itself, on a real engine: what it lists, what it refuses, and that everything it does in a
 * target's namespace can be taken back. No control plane and no configuration: nothing is proxied here.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { EngineStatus, Progress } from '../../core/contract/shapes.ts';
import { DockerRuntime } from '../../core/control-plane/runtime/docker/docker-runtime.ts';
import type { Sidecar, TerminalSession } from '../../core/control-plane/runtime/runtime.ts';
import type { DiscoveredWorkload } from '../../core/model/workload.ts';
import { silentLogger } from '../../core/shared/logger.ts';
import { dockerProblem } from '../support/docker-mesh.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';
import { builtProgram, distDir } from '../support/programs.ts';

const problem = await dockerProblem();
const sleeper = ['node', '-e', 'process.once("SIGTERM",()=>process.exit());setInterval(()=>{},1e6)'];

describe.skipIf(problem !== null)('the Docker runtime', () => {
  const shop = new DockerShop();
  const progress: Progress[] = [];
  const statuses: EngineStatus[] = [];
  let stateDir: string;
  let runtime: DockerRuntime;

  const startRuntime = async () => {
    const started = new DockerRuntime({ distDir, stateDir, log: silentLogger });
    await started.start({
      onWorkloads: () => undefined,
      onEngine: (status) => statuses.push(status),
      onProgress: (step) => progress.push(step),
      onNotice: () => undefined,
    });
    return started;
  };
  const find = (short: string): DiscoveredWorkload | undefined =>
    runtime.workloads().find(({ name }) => name === shop.name(short));
  const inspect = async (short: string) => await shop.docker.getContainer(shop.id(short)).inspect();
  const processes = async (short: string): Promise<unknown> =>
    (await shop.docker.getContainer(shop.id(short)).top()).Processes.map(([, pid]: string[]) => pid);
  const own = async (short: string, role: string) => {
    const label = [`dev.meshdesk.role=${role}`, `dev.meshdesk.workload=${shop.id(short)}`];
    return await shop.docker.listContainers({ all: true, filters: { label } });
  };

  beforeAll(async () => {
    builtProgram('sidecar');
    vi.stubEnv('MESHDESK_SIDECAR_IMAGE', 'host');
    stateDir = await mkdtemp(join(tmpdir(), 'docker-runtime-'));
    await shop.prepare();
    await shop.add({
      name: 'target',
      command: sleeper,
      aliases: ['target', 'Store'],
      port: 8080,
      labels: { 'dev.meshdesk.protocol.7000': 'tcp' },
    });
    await shop.add({ name: 'neighbour', command: sleeper, aliases: ['neighbour'] });
    runtime = await startRuntime();
  });

  afterAll(async () => {
    for (const { Id } of shop.containers.has('target') ? await own('target', 'sidecar') : [])
      await shop.docker.getContainer(Id).remove({ force: true });
    await runtime?.close();
    await shop.close();
    await rm(stateDir, { recursive: true, force: true });
    vi.unstubAllEnvs();
  });

  it('connects and lists what runs, with addresses, names and declared ports', () => {
    expect(runtime.engine()).toMatchObject({ state: 'connected', message: null });
    expect(runtime.engine().version).toMatch(/^\d+\./);
    const target = find('target');
    expect(target).toMatchObject({ id: shop.id('target'), state: 'running', notAttachable: null });
    expect(target?.ports.map(({ port, protocol }) => [port, protocol])).toEqual([
      [7000, 'tcp'],
      [8080, 'auto'],
    ]);
    expect(target?.addresses[0]?.ip).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(target?.addresses[0]?.aliases).toEqual(expect.arrayContaining([shop.name('target'), 'target', 'store']));
  });

  it('follows pause, rename, stop, start and removal', async () => {
    const container = await shop.add({ name: 'actor', command: sleeper });
    const becomes = (what: string, test: (found: DiscoveredWorkload | undefined) => boolean) =>
      eventually(what, () => test(runtime.workloads().find(({ id }) => id === container.id)));
    await becomes('running', (found) => found?.state === 'running');
    const first = runtime.workloads().find(({ id }) => id === container.id)?.incarnation;
    await container.pause();
    await becomes('paused', (found) => found?.state === 'paused');
    await container.unpause();
    await becomes('running again', (found) => found?.state === 'running');
    await container.rename({ name: shop.name('renamed') });
    await becomes('renamed', (found) => found?.name === shop.name('renamed'));
    await container.stop({ t: 5 });
    await becomes('exited', (found) => found?.state === 'exited');
    await container.start();
    await becomes('another incarnation', (found) => found?.state === 'running' && found.incarnation !== first);
    await container.remove({ force: true });
    await becomes('gone', (found) => found === undefined);
  });

  it('lists a container on another network as soon as it is connected to it', async () => {
    const container = await shop.add({ name: 'mover', command: sleeper });
    const network = await shop.docker.createNetwork({ Name: `${shop.run}-second` });
    try {
      await network.connect({ Container: container.id, EndpointConfig: { Aliases: ['moved'] } });
      await eventually('a second address', () =>
        find('mover')?.addresses.some(
          ({ network: name, aliases }) => name === `${shop.run}-second` && aliases.includes('moved'),
        ),
      );
      await network.disconnect({ Container: container.id });
      await eventually('one address', () => find('mover')?.addresses.length === 1);
    } finally {
      await container.remove({ force: true });
      await network.remove();
    }
  });

  it.each([
    ['host', 'HOST_NETWORK', /network of its own/],
    ['none', 'NO_NETWORK', /no network/],
  ])('refuses a container with network_mode %s', async (networkMode, code, message) => {
    await shop.add({ name: `net-${networkMode}`, command: sleeper, networkMode });
    const found = await eventually('it is listed', () => find(`net-${networkMode}`));
    expect(found.notAttachable?.code).toBe(code);
    await expect(runtime.startSidecar(found.id)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
    expect(await own(`net-${networkMode}`, 'sidecar')).toEqual([]);
  });

  it('refuses a container that shares another’s network, and names that one', async () => {
    await shop.add({ name: 'guest', command: sleeper, networkMode: `container:${shop.id('target')}` });
    const found = await eventually('it is listed', () => find('guest'));
    await expect(runtime.startSidecar(found.id)).rejects.toMatchObject({
      message: expect.stringContaining(shop.id('target').slice(0, 12)) as string,
    });
  });

  it('refuses a container that is not running, and one that does not exist', async () => {
    const container = await shop.add({ name: 'stopped', command: sleeper });
    await container.stop({ t: 0 });
    await eventually('it has stopped', () => find('stopped')?.state === 'exited');
    await expect(runtime.startSidecar(container.id)).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    await expect(runtime.startSidecar('f'.repeat(64))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('starts a sidecar, redirects, takes it all back, and the target is as it was', async () => {
    const before = {
      inspect: await inspect('target'),
      processes: await processes('target'),
      rules: await shop.rulesOf('target'),
    };
    const sidecar = await runtime.startSidecar(shop.id('target'));
    expect(sidecar.listeners).toEqual({
      kind: 'transparent',
      outboundPort: 15_001,
      inboundPort: 15_006,
      dnsPort: 15_053,
    });
    await sidecar.redirect();
    const redirected = await shop.rulesOf('target');
    await sidecar.redirect();
    expect(await shop.rulesOf('target')).toBe(redirected);
    expect(redirected).toContain('MESHDESK_OUTPUT');
    for (const line of before.rules.split('\n')) expect(redirected).toContain(line);
    await sidecar.undirect();
    await sidecar.undirect();
    // Not before: without a configuration the sidecar answers no questions.
    expect(
      await shop.exec('target', ['node', '-e', 'require("dns").lookup("neighbour",(e,a)=>console.log(e?e.code:a))']),
    ).toMatch(/^\d+\.\d+/);
    await sidecar.remove();
    await sidecar.remove();
    expect(await shop.rulesOf('target')).toBe(before.rules);
    expect({ ...(await inspect('target')), ExecIDs: null }).toEqual({ ...before.inspect, ExecIDs: null });
    expect(await processes('target')).toEqual(before.processes);
    expect([...(await own('target', 'sidecar')), ...(await own('target', 'rules'))]).toEqual([]);
  });

  it('gives the sidecar a read-only container without new privileges, that publishes nothing', async () => {
    const sidecar = await runtime.startSidecar(shop.id('target'));
    const [found] = await own('target', 'sidecar');
    const { HostConfig: host } = await shop.docker.getContainer(found?.Id ?? '').inspect();
    expect(host).toMatchObject({
      CapDrop: ['ALL'],
      ReadonlyRootfs: true,
      Privileged: false,
      SecurityOpt: ['no-new-privileges'],
    });
    expect(host.NetworkMode).toBe(`container:${shop.id('target')}`);
    expect(host.PortBindings ?? {}).toEqual({});
    expect(host.Binds).toBeNull();
    await sidecar.remove();
  });

  it('reaches the sidecar’s control socket through the engine, and the sidecar ends the stream with it', async () => {
    const sidecar = await runtime.startSidecar(shop.id('target'));
    try {
      const stream = await sidecar.connect();
      expect(await firstLine(stream, 'GET / HTTP/1.1\r\nHost: sidecar\r\n\r\n')).toMatch(/^HTTP\/1\.1 \d{3}/);
      stream.destroy();
      await eventually('no bridge is left', async () => {
        const [found] = await own('target', 'sidecar');
        const { Processes: all } = await shop.docker.getContainer(found?.Id ?? '').top();
        return !all.some((line: string[]) => /socat|bridge\.mjs/.test(line.join(' ')));
      });
    } finally {
      await sidecar.remove();
    }
  });

  it('rejects with SIDECAR_UNREACHABLE once the sidecar’s container is gone', async () => {
    const sidecar = await runtime.startSidecar(shop.id('target'));
    await sidecar.remove();
    await expect(sidecar.connect()).rejects.toMatchObject({ code: 'SIDECAR_UNREACHABLE' });
  });

  it('takes over the sidecar that serves this run of the target, and replaces it after a restart', async () => {
    const first = await runtime.startSidecar(shop.id('target'));
    const [container] = await own('target', 'sidecar');
    await runtime.startSidecar(shop.id('target'));
    expect((await own('target', 'sidecar')).map(({ Id }) => Id)).toEqual([container?.Id]);
    await shop.docker.getContainer(shop.id('target')).restart({ t: 5 });
    await eventually(
      'another incarnation',
      () => find('target')?.incarnation !== first.incarnation && find('target')?.state === 'running',
    );
    const second = await runtime.startSidecar(shop.id('target'));
    expect(second.incarnation).toBe(find('target')?.incarnation);
    const after = await own('target', 'sidecar');
    expect(after).toHaveLength(1);
    expect(after[0]?.Id).not.toBe(container?.Id);
    await second.remove();
  });

  it('is adopted by the next control plane of the same project, which removes what serves nobody', async () => {
    await runtime.startSidecar(shop.id('target'));
    await runtime.startSidecar(shop.id('neighbour'));
    const [kept] = await own('target', 'sidecar');
    await runtime.close();
    await shop.docker.getContainer(shop.id('neighbour')).remove({ force: true });
    runtime = await startRuntime();
    const adopted: readonly Sidecar[] = await runtime.adopt();
    expect(adopted.map(({ workloadId }) => workloadId)).toEqual([shop.id('target')]);
    expect((await own('target', 'sidecar')).map(({ Id }) => Id)).toEqual([kept?.Id]);
    expect(await own('neighbour', 'sidecar')).toEqual([]);
    await adopted[0]?.remove();
  });

  it('neither adopts nor replaces the sidecars of another project', async () => {
    const sidecar = await runtime.startSidecar(shop.id('target'));
    const other = new DockerRuntime({ distDir, stateDir: `${stateDir}-other`, log: silentLogger });
    const ignore = () => undefined;
    await other.start({ onWorkloads: ignore, onEngine: ignore, onProgress: ignore, onNotice: ignore });
    expect(await other.adopt()).toEqual([]);
    await expect(other.startSidecar(shop.id('target'))).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await own('target', 'sidecar')).toHaveLength(1);
    await other.close();
    await sidecar.remove();
  });

  it('builds its image once and uses it again', async () => {
    progress.length = 0;
    const sidecar = await runtime.startSidecar(shop.id('target'));
    expect(progress.filter(({ operation }) => operation === 'image')).toEqual([]);
    await sidecar.remove();
  });

  it('shows what a container wrote, with the line ends of a terminal, and what it writes next', async () => {
    await shop.add({
      name: 'talker',
      command: [
        'node',
        '-e',
        'console.log("early ü");console.error("aside");setTimeout(()=>console.log("late"),700);setInterval(()=>{},1e6)',
      ],
    });
    const session = await runtime.openTerminal({
      workloadId: shop.id('talker'),
      target: 'workload',
      kind: 'logs',
      columns: 80,
      rows: 24,
    });
    const text = collect(session);
    await eventually(
      'all of it',
      () => text().includes('early ü\r\n') && text().includes('aside\r\n') && text().includes('late\r\n'),
    );
    session.close();
  });

  it('ends the log when the container ends', async () => {
    const container = await shop.add({ name: 'short', command: sleeper });
    const session = await runtime.openTerminal({
      workloadId: container.id,
      target: 'workload',
      kind: 'logs',
      columns: 80,
      rows: 24,
    });
    const ended = new Promise((resolve) => session.onExit(resolve));
    await container.remove({ force: true });
    expect(await ended).toBeNull();
  });

  it('opens a shell of the given size, resizes it, and tells its exit code', async () => {
    const session = await runtime.openTerminal({
      workloadId: shop.id('target'),
      target: 'workload',
      kind: 'shell',
      columns: 91,
      rows: 17,
    });
    const text = collect(session);
    const ended = new Promise((resolve) => session.onExit(resolve));
    const size = 'node -p "process.stdout.getWindowSize().join(String.fromCharCode(120))"\n';
    session.write(size);
    await eventually('its size', () => text().includes('91x17'));
    await session.resize(120, 40);
    session.write(size);
    await eventually('its new size', () => text().includes('120x40'));
    session.write('exit 7\n');
    expect(await ended).toBe(7);
  });

  it('leaves no shell behind when the terminal is closed, whatever runs in it', async () => {
    const before = await processes('target');
    const session = await runtime.openTerminal({
      workloadId: shop.id('target'),
      target: 'workload',
      kind: 'shell',
      columns: 80,
      rows: 24,
    });
    const text = collect(session);
    session.write('echo $((20+3)); sleep 600\n');
    await eventually('it runs', () => text().includes('23'));
    session.close();
    const isAsBefore = async () => JSON.stringify(await processes('target')) === JSON.stringify(before);
    await eventually('only the processes of before', isAsBefore);
  });

  it('has no terminal of a sidecar that is not there', async () => {
    const request = { workloadId: shop.id('target'), target: 'sidecar', kind: 'logs', columns: 80, rows: 24 } as const;
    await expect(runtime.openTerminal(request)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('examines the engine: version, clock, image and kernel are fine, and what is not comes with a cure', async () => {
    const checks = await runtime.doctor();
    for (const name of ['engine', 'engine version', 'clock', 'sidecar image', 'kernel: nat (IPv4)']) {
      expect(
        checks.find((check) => check.name === name),
        name,
      ).toMatchObject({ status: 'ok' });
    }
    for (const { status, fix } of checks) if (status !== 'ok' && status !== 'skipped') expect(fix).toBeTruthy();
    const left = await shop.docker.listContainers({ all: true, filters: { label: ['dev.meshdesk.role=check'] } });
    expect(left).toEqual([]);
  });
});

/** Everything a session has shown so far. */
function collect(session: TerminalSession): () => string {
  let text = '';
  session.onData((data) => {
    text += data;
  });
  return () => text;
}

async function firstLine(stream: Duplex, request: string): Promise<string> {
  stream.write(request);
  const [chunk] = (await once(stream, 'data')) as [Buffer];
  return chunk.toString('latin1').split('\r\n')[0] ?? '';
}
