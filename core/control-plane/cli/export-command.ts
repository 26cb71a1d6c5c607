import { resolve } from 'node:path';
import type { ExportResult } from '../../contract/shapes.ts';
import { usage } from './arguments.ts';
import { defineCommand, type Environment, Exit, exitCodes } from './context.ts';
import type { Output } from './output.ts';

function printExport(output: Output, results: readonly ExportResult[]): void {
  for (const { target, outDir, files, findings } of results) {
    output.say(`${target}: ${files.length} files in ${outDir}`);
    for (const { path } of files) output.say(`  ${path}`);
    const marks = { mapped: 'green', approximated: 'yellow', dropped: 'red' } as const;
    output.table(
      ['RESULT', 'WHAT', 'REASON'],
      findings.map(({ kind, what, reason }) => [{ text: kind, colour: marks[kind] }, what, reason]),
    );
  }
}

/** Files without their content, findings with the target they are about. */
function toJson(results: readonly ExportResult[]) {
  return {
    outDir: results[0]?.outDir ?? null,
    files: results.flatMap(({ target, files }) => files.map(({ path }) => ({ target, path }))),
    findings: results.flatMap(({ target, findings }) => findings.map((finding) => ({ target, ...finding }))),
  };
}

function exportCommand(environment: Environment) {
  return defineCommand(environment, 'export', 'write the mesh as the configuration of a production mesh')
    .requiredOption('--target <targets>', 'istio (several: separated by commas)')
    .requiredOption('--out <dir>', 'folder that is empty or an earlier export')
    .option('--local-names', 'leave names as they are here, also those that an import took for names of production')
    .option('--strict', 'fail when a target cannot say something')
    .run<{ target: string; out: string; strict?: boolean; localNames?: boolean }>(
      async ({ call, output }, _args, options) => {
        const targets = options.target.split(',').map((target) => target.trim());
        if (targets.some((target) => target === '')) usage('--target: names separated by commas, like istio');
        const names = options.localNames === true ? 'local' : 'production';
        const lossy = (results: readonly ExportResult[]) =>
          results.some(({ findings }) => findings.some(({ kind }) => kind === 'dropped'));
        const preview = options.strict === true ? await call('export.preview', { targets, names }) : [];
        const refused = options.strict === true && lossy(preview);
        const results = refused
          ? preview
          : await call('export.write', { targets, names, outDir: resolve(environment.cwd, options.out) });
        output.result(toJson(results), () => printExport(output, results));
        if (!refused) return;
        output.note('Nothing was written: --strict, and something would be dropped.');
        throw new Exit(exitCodes.failed);
      },
    );
}

export const exportCommands = [exportCommand];
