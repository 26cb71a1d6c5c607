/**
 * The sidecar image: built through the engine's API when it is not there, reused by content hash when it is. From the
 * base image if the engine has it or can pull it; else, on Linux with a local engine, from this machine's own programs.
 */
import type Docker from 'dockerode';
import { MeshError } from '../../../../contract/errors.ts';
import type { Progress } from '../../../../contract/shapes.ts';
import { engineMessage, isAbsent, toEngineError } from '../engine-error.ts';
import { label } from '../labels.ts';
import { createBaseContext, createHostContext, type ImageContext } from './image-context.ts';

export const repository = 'meshdesk/sidecar';
export const defaultBaseImage = 'node:24-bookworm-slim';

export interface SidecarImageOptions {
  readonly distDir: string;
  readonly onProgress: (progress: Progress) => void;
  readonly onNotice: (message: string) => void;
  readonly env?: NodeJS.ProcessEnv;
}

type Source = 'auto' | 'base' | 'host';
interface BuildLine {
  readonly stream?: string;
  readonly status?: string;
  readonly error?: string;
}

export class SidecarImage {
  readonly #options: SidecarImageOptions;
  readonly #env: NodeJS.ProcessEnv;
  #ready: Promise<string> | null = null;

  constructor(options: SidecarImageOptions) {
    this.#options = options;
    this.#env = options.env ?? process.env;
  }

  /** Tag of an image that is there now. One build at a time; a failed one is tried again at the next call. */
  ensure(docker: Docker, localEngine: boolean): Promise<string> {
    this.#ready ??= this.#prepare(docker, localEngine).catch((error: unknown) => {
      this.#ready = null;
      throw error;
    });
    return this.#ready.then((tag) => this.#stillThere(docker, localEngine, tag));
  }

  async #stillThere(docker: Docker, localEngine: boolean, tag: string): Promise<string> {
    if (await hasImage(docker, tag)) return tag;
    this.#ready = null;
    return await this.#prepare(docker, localEngine);
  }

  async #prepare(docker: Docker, localEngine: boolean): Promise<string> {
    const base = this.#env['MESHDESK_BASE_IMAGE'] || defaultBaseImage;
    const source = this.#source();
    const hostPossible = process.platform === 'linux' && localEngine;
    if (source === 'host' || !(await this.#hasBase(docker, base, source === 'auto' && hostPossible))) {
      return await this.#build(docker, createHostContext(this.#options.distDir));
    }
    try {
      return await this.#build(docker, createBaseContext(this.#options.distDir, base));
    } catch (error) {
      if (source === 'base' || !hostPossible) throw error;
      this.#options.onNotice(
        `The sidecar image could not be built from ${base} (${engineMessage(error)}); it is put together from this machine's own Node and iptables instead.`,
      );
      return await this.#build(docker, createHostContext(this.#options.distDir));
    }
  }

  #source(): Source {
    const said = this.#env['MESHDESK_SIDECAR_IMAGE'] || 'auto';
    if (said === 'auto' || said === 'base' || said === 'host') return said;
    throw new MeshError('IMAGE_BUILD_FAILED', `MESHDESK_SIDECAR_IMAGE is '${said}'; it must be auto, base or host.`);
  }

  /** False: the base image cannot be had, and the host can stand in for it. */
  async #hasBase(docker: Docker, base: string, hostPossible: boolean): Promise<boolean> {
    if (await hasImage(docker, base)) return true;
    this.#progress(`pulling ${base}`, 'running', null);
    try {
      await follow(docker, await docker.pull(base), () => undefined);
      this.#progress(`pulling ${base}`, 'done', null);
      return true;
    } catch (error) {
      const why = engineMessage(error);
      this.#progress(`pulling ${base}`, 'failed', why);
      if (!hostPossible) {
        throw new MeshError(
          'IMAGE_BUILD_FAILED',
          `The base image ${base} is not on the engine and could not be pulled: ${why}`,
          { cause: error },
        );
      }
      this.#options.onNotice(
        `The base image ${base} could not be pulled (${why}); the sidecar image is put together from this machine's own Node and iptables instead.`,
      );
      return false;
    }
  }

  async #build(docker: Docker, context: ImageContext): Promise<string> {
    const tag = `${repository}:${context.hash}`;
    if (await hasImage(docker, tag)) return tag;
    const step = 'building the sidecar image';
    this.#progress(step, 'running', null);
    try {
      const output = await docker.buildImage(context.open(), {
        t: tag,
        rm: true,
        forcerm: true,
        buildargs: context.buildArgs,
        labels: { [label.image]: 'sidecar' },
      });
      await follow(docker, output, (line, percent) => this.#progress(step, 'running', line, percent));
    } catch (error) {
      this.#progress(step, 'failed', engineMessage(error));
      const failure = toEngineError('The sidecar image could not be built', error);
      if (failure.code === 'ENGINE_UNAVAILABLE') throw failure;
      throw new MeshError('IMAGE_BUILD_FAILED', failure.message, { cause: error });
    }
    this.#progress(step, 'done', tag, 100);
    return tag;
  }

  #progress(step: string, state: Progress['state'], message: string | null, percent: number | null = null): void {
    this.#options.onProgress({ operation: 'image', workload: null, step, state, message, percent });
  }
}

export async function hasImage(docker: Docker, tag: string): Promise<boolean> {
  try {
    await docker.getImage(tag).inspect();
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw toEngineError(`Image ${tag} could not be looked up`, error);
  }
}

/** Reads a build's or pull's progress to its end; rejects with the engine's own error. */
function follow(
  docker: Docker,
  output: NodeJS.ReadableStream,
  onLine: (line: string, percent: number | null) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(
      output,
      (error: Error | null, lines: BuildLine[]) => {
        const failed = lines?.find((line) => line.error !== undefined)?.error;
        if (error !== null) reject(error);
        else if (failed === undefined) resolve();
        else reject(new Error(failed));
      },
      (line: BuildLine) => {
        const text = (line.stream ?? line.status ?? '').trim();
        const [, at, of] = /^Step (\d+)\/(\d+)/.exec(text) ?? [];
        if (text !== '') onLine(text, at === undefined ? null : Math.round(((Number(at) - 1) / Number(of)) * 100));
      },
    );
  });
}
