import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Json } from '../generate/draw.ts';

/** What the arbiters say against a manifest; '' when they take it. */
export interface Verdict {
  readonly istio: string;
  readonly kubernetes: string;
}

/** Manifests of one call of `istioctl validate`, which names each that it refuses. */
const perCall = 200;
const parallelRequests = 8;

/** Asks `istioctl validate` about manifests, whose names must differ. */
export async function askIstioctl(istioctl: string, manifests: readonly Json[]): Promise<ReadonlyMap<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'manifests-'));
  const refused = new Map<string, string>();
  try {
    for (let from = 0; from < manifests.length; from += perCall) {
      const file = join(folder, 'manifests.yaml');
      const texts = manifests.slice(from, from + perCall).map((manifest) => JSON.stringify(manifest));
      await writeFile(file, texts.join('\n---\n'));
      const said = await new Promise<string>((resolve) => {
        execFile(istioctl, ['validate', '-f', file], { maxBuffer: 1 << 26 }, (_error, out, err) =>
          resolve(`${out}${err}`),
        );
      });
      // Warnings come first, in the same form.
      const errors = /^Error: \d+ errors? occurred:$/m.exec(said);
      const problems = errors === null ? '' : said.slice(errors.index);
      for (const [, name = '', problem = ''] of problems.matchAll(/^\s*\* \w+\/\w*\/([\w-]+): (.*)$/gm)) {
        refused.set(name, problem.slice(0, 200));
      }
      if (!said.includes('errors occurred') && !said.includes('error occurred') && !said.includes('is valid')) {
        throw new Error(`istioctl says nothing of use: ${said.slice(0, 500)}`);
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return refused;
}

/** Asks a Kubernetes API server with the CRDs of Istio and the Gateway API, changing nothing. */
export async function askKubernetes(
  kubeconfig: string,
  manifests: readonly Json[],
): Promise<ReadonlyMap<string, string>> {
  const config = parse(await readFile(kubeconfig, 'utf8')) as {
    readonly clusters: readonly [{ readonly cluster: { readonly server: string } }];
    readonly users: readonly [{ readonly user: { readonly token: string } }];
  };
  const { server } = config.clusters[0].cluster;
  const { token } = config.users[0].user;
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false, maxSockets: parallelRequests });
  const refused = new Map<string, string>();
  const waiting = [...manifests];
  const work = async () => {
    for (let manifest = waiting.shift(); manifest !== undefined; manifest = waiting.shift()) {
      const problem = await create(server, token, agent, manifest);
      if (problem !== '') refused.set((manifest.metadata as { name: string }).name, problem);
    }
  };
  await Promise.all(Array.from({ length: parallelRequests }, work));
  agent.destroy();
  return refused;
}

function create(server: string, token: string, agent: Agent, manifest: Json): Promise<string> {
  const { apiVersion, kind } = manifest as { readonly apiVersion: string; readonly kind: string };
  const plural = `${kind
    .toLowerCase()
    .replace(/([^aeiou])y$/, '$1ie')
    .replace(/s$/, 'se')}s`;
  const scope = kind === 'GatewayClass' ? '' : 'namespaces/default/';
  const path = `/apis/${apiVersion}/${scope}${plural}?dryRun=All&fieldValidation=Strict`;
  const body = JSON.stringify(manifest);
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const going = request(`${server}${path}`, { method: 'POST', agent, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        if (response.statusCode === 404) {
          reject(new Error(`the API server knows no ${apiVersion} ${kind}`));
          return;
        }
        const said = JSON.parse(Buffer.concat(parts).toString()) as { readonly message?: string };
        const isTaken = response.statusCode === 201;
        resolve(isTaken ? '' : (said.message ?? 'refused').slice(0, 200));
      });
    });
    going.on('error', reject);
    going.end(body);
  });
}
