import { join } from 'node:path';
import type { Logger } from '../../shared/logger.ts';
import { IdFile } from '../id-file.ts';

/**
 * Workloads that the user wants attached (`<stateDir>/attached.json`): they are attached again after a restart, theirs
 * or the control plane's, until the user detaches them or they are removed.
 */
export class WantedSet extends IdFile {
  constructor(stateDir: string, log: Logger) {
    super({ file: join(stateDir, 'attached.json'), without: 'nothing is attached again', log });
  }
}
