/** Cleaning an engine up. It takes away what is ours of every project, so the engine is seen here through this run's labels. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cleanEngine } from '../../core/control-plane/runtime/docker/cleanup.ts';
import { DockerRuntime } from '../../core/control-plane/runtime/docker/docker-runtime.ts';
import { hasImage } from '../../core/control-plane/runtime/docker/image/sidecar-image.ts';
import { silentLogger } from '../../core/shared/logger.ts';
import { dockerProblem } from '../support/docker-mesh.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';
import { builtProgram, distDir } from '../support/programs.ts';

const problem = await dockerProblem();
const server =
  'require("http").createServer((q,r)=>r.end("here")).listen(8080);process.once("SIGTERM",()=>process.exit())';

/** The real engine, with only what this run has made in its lists. */
class RunsEngine extends Docker {
  readonly #workloads: ReadonlySet<string>;
  readonly #imageLabel: string;

  constructor(workloads: ReadonlySet<string>, imageLabel: string) {
    super();
    this.#workloads = workloads;
    this.#imageLabel = imageLabel;
  }

  // biome-ignore lint/suspicious/noExplicitAny: dockerode's overloads end in `any`
  override async listContainers(options?: any): Promise<any> {
    const all = (await super.listContainers(options)) as unknown as Docker.ContainerInfo[];
    return all.filter(
      ({ Id, Labels }) => this.#workloads.has(Id) || this.#workloads.has(Labels['dev.meshdesk.workload'] ?? ''),
    );
  }

  // biome-ignore lint/suspicious/noExplicitAny: dockerode's overloads end in `any`
  override async listImages(options?: any): Promise<any> {
    const all = (await super.listImages(options)) as unknown as Docker.ImageInfo[];
    return all.filter(({ Labels }) => Labels?.[this.#imageLabel] !== undefined);
  }
}

describe.skipIf(problem !== null)('cleaning an engine up', () => {
  const shop = new DockerShop();
  const imageLabel = `meshdesk-test-${shop.run}`;
  const imageTag = `meshdesk-test/${shop.run}:left`;
  let stateDir: string;
  let runtime: DockerRuntime;
  /** What a left image is made from where it has to work. */
  let sidecarImage = 'scratch';
  const engine = () => new RunsEngine(new Set([...shop.containers.values()].map(({ id }) => id)), imageLabel);
  const call = () => shop.call('caller', 'http://target:8080/');

  beforeAll(async () => {
    builtProgram('sidecar');
    vi.stubEnv('MESHDESK_SIDECAR_IMAGE', 'host');
    stateDir = await mkdtemp(join(tmpdir(), 'cleanup-'));
    await shop.prepare();
    await shop.add({ name: 'target', command: ['node', '-e', server], aliases: ['target'], port: 8080 });
    await shop.add({ name: 'caller', command: ['node', '-e', server] });
    runtime = new DockerRuntime({ distDir, stateDir, log: silentLogger });
    const ignore = () => undefined;
    await runtime.start({ onWorkloads: ignore, onEngine: ignore, onProgress: ignore, onNotice: ignore });
    await eventually('the target answers', async () => (await call()) === '200 here');
  });

  afterAll(async () => {
    await runtime?.close();
    await cleanEngine(engine());
    await shop.close();
    await rm(stateDir, { recursive: true, force: true });
    vi.unstubAllEnvs();
  });

  it('takes rules, sidecars and images away and names them, and the application answers as before', async () => {
    const rulesBefore = await shop.rulesOf('target');
    await buildLabelled(shop.docker, imageTag, { [imageLabel]: 'yes', 'dev.meshdesk.image': 'sidecar' });
    const sidecar = await runtime.startSidecar(shop.id('target'));
    await runtime.startSidecar(shop.id('caller'));
    const [own] = await engine().listContainers({ filters: { label: ['dev.meshdesk.role=sidecar'] } });
    sidecarImage = own.Image;
    await sidecar.redirect();
    // Without a configuration the sidecar has no listener yet, so redirected traffic is refused: the rules are in force.
    expect(await call()).toMatch(/^error/);

    const result = await cleanEngine(engine());
    expect(result.problems).toEqual([]);
    expect(result.rules).toEqual([shop.name('target')]);
    expect(result.containers).toHaveLength(2);
    expect(result.images).toEqual([imageTag]);
    expect(await call()).toBe('200 here');
    expect(await shop.rulesOf('target')).toBe(rulesBefore);
    expect(await hasImage(shop.docker, imageTag)).toBe(false);
    const left = await engine().listContainers({ all: true, filters: { label: ['dev.meshdesk.role'] } });
    expect(left).toEqual([]);
  });

  it('removes the sidecar of a target that is gone, and one that has ended', async () => {
    const passing = await shop.add({ name: 'passing', command: ['node', '-e', server] });
    await eventually('it is listed', () => runtime.workloads().some(({ id }) => id === passing.id));
    await runtime.startSidecar(passing.id);
    await runtime.startSidecar(shop.id('target'));
    await passing.remove({ force: true });
    const [own] = await shop.docker.listContainers({
      filters: { label: [`dev.meshdesk.workload=${shop.id('target')}`] },
    });
    await shop.docker.getContainer(own?.Id ?? '').kill();
    const result = await cleanEngine(engine());
    expect(result).toMatchObject({ rules: [], problems: [] });
    expect(result.containers).toHaveLength(2);
  });

  it('finds the rules of a target whose sidecar somebody has removed', async () => {
    await buildLabelled(shop.docker, imageTag, { [imageLabel]: 'yes', 'dev.meshdesk.image': 'sidecar' }, sidecarImage);
    const sidecar = await runtime.startSidecar(shop.id('target'));
    await sidecar.redirect();
    await sidecar.remove();
    expect(await call()).toMatch(/^error/);
    expect(await cleanEngine(engine())).toMatchObject({ rules: [shop.name('target')], problems: [] });
    expect(await call()).toBe('200 here');
  });

  it('finds nothing the second time', async () => {
    expect(await cleanEngine(engine())).toEqual({ containers: [], rules: [], images: [], problems: [] });
  });
});

async function buildLabelled(
  docker: Docker,
  tag: string,
  labels: Record<string, string>,
  from = 'scratch',
): Promise<void> {
  const tar = pack();
  tar.entry({ name: 'Dockerfile' }, `FROM ${from}\nCOPY Dockerfile /Dockerfile\n`);
  tar.finalize();
  const output = await docker.buildImage(tar as unknown as NodeJS.ReadableStream, { t: tag, labels });
  await new Promise<void>((resolve, reject) =>
    docker.modem.followProgress(output, (error: Error | null) => (error === null ? resolve() : reject(error))),
  );
}
