/** A program shop in the mesh: a control plane of its own, every container attached. */
import { type DockerMesh, startDockerMesh } from './docker-mesh.ts';
import { ProgramShop, type ServerName } from './docker-program-shop.ts';
import { eventually } from './eventually.ts';

export class ProgramMesh {
  readonly shop = new ProgramShop();
  readonly #servers: readonly ServerName[];
  #mesh: DockerMesh | null = null;

  constructor(servers: readonly ServerName[]) {
    this.#servers = servers;
  }

  get client(): DockerMesh['client'] {
    if (this.#mesh === null) throw new Error('the mesh has not been started');
    return this.#mesh.client;
  }

  get members(): readonly string[] {
    return ['client', ...this.#servers];
  }

  /** `attached: false`: only the control plane is started. */
  async start({
    nginxFiles = {},
    attached = true,
  }: {
    nginxFiles?: Readonly<Record<string, string>>;
    attached?: boolean;
  } = {}): Promise<void> {
    await this.shop.startPrograms(this.#servers, nginxFiles);
    this.#mesh = await startDockerMesh();
    if (attached) await this.attach(...this.members);
  }

  async attach(...shorts: readonly string[]): Promise<void> {
    const results = await this.client.call('workload.attach', { select: this.#names(shorts) });
    const failed = results.filter(({ mesh }) => mesh !== 'attached');
    if (failed.length > 0) throw new Error(`not attached: ${JSON.stringify(failed)}`);
  }

  async detach(deadlineMs: number, ...shorts: readonly string[]): Promise<void> {
    const results = await this.client.call('workload.detach', { select: this.#names(shorts), deadlineMs });
    const failed = results.filter(({ mesh }) => mesh !== 'detached');
    if (failed.length > 0) throw new Error(`not detached: ${JSON.stringify(failed)}`);
  }

  #names(shorts: readonly string[]): { names: string[] } {
    return { names: shorts.map((short) => this.shop.name(short)) };
  }

  /** Waits until a workload is in the mesh with nothing wrong. */
  async healthy(short: string): Promise<void> {
    await eventually(`${short} is attached, with nothing to say about it`, async () => {
      const all = await this.client.call('workload.list', {});
      const found = all.find(({ name }) => name === this.shop.name(short));
      if (found?.mesh !== 'attached' || found.reason !== null) throw new Error(`${found?.mesh}: ${found?.reason}`);
      return true;
    });
  }

  async close(): Promise<void> {
    await this.#mesh?.close({ detach: true });
    await this.shop.close();
  }
}
