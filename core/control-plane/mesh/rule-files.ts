import { readFileSync, statSync } from 'node:fs';
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { Logger } from '../../shared/logger.ts';
import { configMapPrefix, filesNeeded } from '../../snapshot/policies/upstream-tls.ts';
import { pathInProject } from '../credentials/project-file.ts';

export interface RuleFilesOptions {
  /** The project's folder; nothing outside of it is read. */
  readonly dir: string;
  readonly log: Logger;
  /** What a path stands for that is no file: of a Secret or a ConfigMap; `null`: nothing. */
  readonly stored: (name: string) => string | null;
  /** A file that a configuration names is another than before. */
  readonly onChange: () => void;
}

const maxBytes = 1024 * 1024;
const lookEveryMs = 2_000;

interface Known {
  readonly signature: string;
  readonly text: string | null;
}

/**
 * The files that destination rules name (certificates, keys, roots). A path is one of the project's folder; an absolute one
 * (`/etc/certs/ca.pem`, as it is in a production sidecar) is looked for below it. They are put into a configuration when it
 * leaves for the sidecar that needs them; no snapshot, event or export has them.
 */
export class RuleFiles {
  readonly #options: RuleFilesOptions;
  readonly #known = new Map<string, Known>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: RuleFilesOptions) {
    this.#options = options;
  }

  /** The same configuration when it names no file. */
  complete(config: SidecarConfig): SidecarConfig {
    const files = filesNeeded(config).flatMap((name) => {
      const text = this.#textOf(name);
      return text === null ? [] : [{ name, text }];
    });
    return files.length === 0 ? config : { ...config, files };
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #textOf(name: string): string | null {
    if (name.startsWith(configMapPrefix)) return this.#options.stored(name);
    let known = this.#known.get(name);
    if (known === undefined) {
      known = this.#read(name);
      this.#known.set(name, known);
      this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref();
    }
    return known.text ?? this.#options.stored(name);
  }

  #look(): void {
    let changed = false;
    for (const [name, { signature }] of this.#known) {
      if (signatureOf(pathInProject(this.#options.dir, name)) === signature) continue;
      this.#known.set(name, this.#read(name));
      changed = true;
    }
    if (changed) this.#options.onChange();
  }

  #read(name: string): Known {
    const path = pathInProject(this.#options.dir, name);
    const signature = signatureOf(path);
    if (path === null || signature === '') return { signature, text: null };
    try {
      return { signature, text: readFileSync(path, 'utf8') };
    } catch (error) {
      this.#options.log.warn(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      return { signature, text: null };
    }
  }
}

/** Changes when the file does; '' when there is none that is of use. */
function signatureOf(path: string | null): string {
  if (path === null) return '';
  const info = statSync(path, { throwIfNoEntry: false });
  return info?.isFile() === true && info.size <= maxBytes ? `${info.mtimeMs}/${info.size}/${info.ino}` : '';
}
