/** Two containers and a load: `client` calls `server`, both may be attached. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ServedControlPlane, serveControlPlane } from '../support/cli-control-plane.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';
import type { OpenLoopOptions } from '../support/open-loop.ts';

export interface LoadFigures {
  readonly requests: number;
  readonly failures: number;
  readonly firstFailure: string | null;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly achievedPerSecond: number;
}

/** Answers 1,024 bytes to everything. */
const server = `
const http = require('node:http');
const body = Buffer.alloc(1024, 120);
http.createServer({ keepAliveTimeout: 60000 }, (request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
  response.end(body);
}).listen(8080);
`;

export class BenchShop {
  readonly shop = new DockerShop();
  #served: ServedControlPlane | null = null;
  #projectDir = '';

  get controlPlane(): ServedControlPlane {
    if (this.#served === null) throw new Error('the control plane is not started');
    return this.#served;
  }

  async start(): Promise<void> {
    await this.shop.prepare();
    await this.shop.add({ name: 'server', command: ['node', '-e', server], aliases: ['server'], port: 8080 });
    await this.shop.add({ name: 'client', command: ['sleep', '3600'] });
    this.#projectDir = await mkdtemp(join(tmpdir(), 'bench-'));
    this.#served = await serveControlPlane(this.#projectDir);
    await eventually('the server answers', async () =>
      (await this.shop.call('client', 'http://server:8080/')).startsWith('200'),
    );
  }

  async attach(...shorts: string[]): Promise<number[]> {
    const done = await this.controlPlane.call('workload.attach', {
      select: { names: shorts.map((short) => this.shop.name(short)) },
    });
    return done.map(({ durationMs }) => durationMs);
  }

  async detach(...shorts: string[]): Promise<number[]> {
    const select = { names: shorts.map((short) => this.shop.name(short)) };
    const done = await this.controlPlane.call('workload.detach', { select, deadlineMs: 0 });
    return done.map(({ durationMs }) => durationMs);
  }

  /** Runs a load from inside `client`. */
  async load(
    options: Pick<OpenLoopOptions, 'ratePerSecond' | 'connections' | 'durationMs' | 'warmUpMs'>,
  ): Promise<LoadFigures> {
    const worker = readFileSync(join(dirname(fileURLToPath(import.meta.url)), 'load-worker.mjs'), 'utf8');
    const target = {
      host: 'server',
      port: 8080,
      hostHeader: 'server:8080',
      path: '/',
      expectedStatus: 200,
      expectedBytes: 1024,
    };
    const printed = await this.shop.exec('client', [
      'node',
      '--input-type=module',
      '-e',
      `process.env.LOAD=${JSON.stringify(JSON.stringify({ ...target, ...options }))};\n${worker}`,
    ]);
    return JSON.parse(printed.trim().split('\n').at(-1) ?? '{}') as LoadFigures;
  }

  async close(): Promise<void> {
    await this.#served?.call('workload.detach', { select: { all: true }, deadlineMs: 0 }).catch(() => undefined);
    await this.#served?.stop();
    if (this.#projectDir !== '') await rm(this.#projectDir, { recursive: true, force: true });
    await this.shop.close();
  }
}
