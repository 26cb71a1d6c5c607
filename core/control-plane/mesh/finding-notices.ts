import type { DoctorCheck } from '../../contract/shapes.ts';
import type { Finding } from '../../model/finding.ts';
import type { MeshListener } from './mesh-api.ts';

type Notice = Parameters<MeshListener['onNotice']>[0];

const keyOf = ({ code, message }: Finding): string => `${code} ${message}`;

/** Tells what does not fit together in the configuration: each finding once, and again after it had gone. */
export class FindingNotices {
  readonly #onNotice: (notice: Notice) => void;
  #told = new Set<string>();

  constructor(onNotice: (notice: Notice) => void) {
    this.#onNotice = onNotice;
  }

  /** Findings of the snapshot in force. `info` is for the export's report only. */
  update(findings: readonly Finding[]): void {
    const worthTelling = findings.filter(({ severity }) => severity !== 'info');
    for (const finding of worthTelling) {
      if (this.#told.has(keyOf(finding))) continue;
      const level = finding.severity === 'error' ? 'error' : 'warn';
      this.#onNotice({ level, code: finding.code, message: `${finding.message} ${finding.hint}` });
    }
    this.#told = new Set(worthTelling.map(keyOf));
  }
}

/** The same findings as checks of `doctor`. */
export function toConfigurationChecks(findings: readonly Finding[]): DoctorCheck[] {
  const name = 'configuration';
  const problems = findings.filter(({ severity }) => severity !== 'info');
  if (problems.length === 0) return [{ name, status: 'ok', message: 'the rules fit together', fix: null }];
  return problems.map(({ severity, message, hint }) => ({
    name,
    status: severity === 'error' ? 'fail' : 'warn',
    message,
    fix: hint,
  }));
}
