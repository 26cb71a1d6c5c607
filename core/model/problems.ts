import { type FieldPath, formatPath } from './field-path.ts';
import type { Finding } from './finding.ts';

/** A finding before it is known where in a file it stands. */
export type ResourceProblem = Pick<Finding, 'code' | 'severity' | 'message' | 'hint'> & { readonly path: FieldPath };

/**
 * Collects what is wrong with one resource while it is walked through: `at` goes down to a field, all of one tree fill
 * the same list.
 */
export class Problems {
  readonly list: ResourceProblem[];
  readonly path: FieldPath;

  constructor(path: FieldPath = [], list: ResourceProblem[] = []) {
    this.path = path;
    this.list = list;
  }

  at(...steps: (string | number)[]): Problems {
    return new Problems([...this.path, ...steps], this.list);
  }

  /** The resource cannot be used. */
  error(message: string, hint: string, code: Finding['code'] = 'INVALID'): void {
    this.list.push({ code, severity: 'error', path: this.path, message: `${this.#where()}${message}`, hint });
  }

  /** The resource is used, but probably not as it was meant. */
  warn(message: string, hint: string, code: Finding['code'] = 'QUESTIONABLE'): void {
    this.list.push({ code, severity: 'warning', path: this.path, message: `${this.#where()}${message}`, hint });
  }

  #where(): string {
    const at = formatPath(this.path);
    return at === '' ? '' : `${at}: `;
  }
}
