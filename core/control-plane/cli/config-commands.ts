import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text as readStream } from 'node:stream/consumers';
import { type ConfigText, type FindingView, type HistoryEntry, toFindingView } from '../../contract/config-shapes.ts';
import type { ImportResult, NameMapping } from '../../contract/import-shapes.ts';
import { describeFinding } from '../../model/finding.ts';
import { parseResources } from '../../model/parse-resources.ts';
import { checkTogether } from '../store/check-together.ts';
import { locateResources } from '../store/locate-resources.ts';
import { placeFindings } from '../store/place-findings.ts';
import { usage } from './arguments.ts';
import { defineCommand, type Environment, Exit, exitCodes } from './context.ts';
import type { Output } from './output.ts';

async function readTexts(environment: Environment, files: readonly string[]): Promise<ConfigText[]> {
  const texts: ConfigText[] = [];
  for (const file of files) {
    try {
      const text =
        file === '-' ? await readStream(process.stdin) : await readFile(resolve(environment.cwd, file), 'utf8');
      texts.push({ file, text });
    } catch (error) {
      usage(`${file} cannot be read: ${(error as Error).message}`);
    }
  }
  return texts;
}

function printFindings(output: Output, findings: readonly FindingView[]): void {
  const colours = { error: 'red', warning: 'yellow', info: 'dim' } as const;
  output.table(
    ['', 'WHERE AND WHAT', 'WHAT TO DO'],
    findings.map((finding) => [
      { text: finding.severity, colour: colours[finding.severity] },
      describeFinding(finding),
      finding.hint,
    ]),
  );
}

function validateCommand(environment: Environment) {
  return defineCommand(
    environment,
    'validate',
    'check YAML files (- for standard input), each and together; changes nothing, needs no mesh. Without files: the project, against what runs',
  )
    .argument('[files...]', 'files')
    .run(async ({ call, output }, [given]) => {
      const files = [given ?? []].flat();
      const findings =
        files.length === 0 ? await call('config.findings', {}) : checkTexts(await readTexts(environment, files));
      output.result(findings, () => {
        if (findings.length === 0) output.say('Nothing to object to.');
        else printFindings(output, findings);
      });
      if (findings.some(({ severity }) => severity === 'error')) throw new Exit(exitCodes.failed);
    });
}

function checkTexts(texts: readonly ConfigText[]): FindingView[] {
  const parsed = texts.map(({ file, text }) => ({ file, text, ...parseResources(text, file) }));
  const together = placeFindings(
    checkTogether(parsed.flatMap(({ resources }) => resources)),
    parsed.map(({ file, text }) => ({ path: file, text, resources: locateResources(text) })),
  );
  return [...parsed.flatMap(({ findings }) => findings), ...together].map(toFindingView);
}

function applyCommand(environment: Environment) {
  return defineCommand(environment, 'apply', 'put the resources of YAML files (- for standard input) into the project')
    .argument('<files...>', 'files')
    .run(async ({ call, output }, [files]) => {
      const texts = await readTexts(environment, [files ?? []].flat());
      const { applied, findings } = await call('config.apply', { texts });
      output.result(findings, () => {
        for (const name of applied) output.say(`applied ${name}`);
        if (findings.length > 0) printFindings(output, findings);
      });
    });
}

/** `reviews.prod=reviews.shop`; nothing, or `-`, after the `=` leaves the name as it is. */
function parseMapping(kind: NameMapping['kind'], given: readonly string[] | undefined): NameMapping[] {
  return (given ?? []).map((text) => {
    const [, from, to] = /^([^=\s]+)=(\S*)$/.exec(text) ?? [];
    if (from === undefined || to === undefined) usage(`'${text}': write NAME=NAME, like reviews.prod=reviews.shop`);
    return { kind, from, to: to === '' || to === '-' ? null : to };
  });
}

function printImport(output: Output, { resources, skipped, services, mapping, findings, written }: ImportResult): void {
  const verb = written.length > 0 ? 'imported' : 'would import';
  for (const one of resources) {
    const how = one.replaces ? ', replacing what is there' : '';
    output.say(`${verb} ${one.kind} ${one.namespace}/${one.name} into ${one.path}${how}`);
  }
  for (const { what, file, line, reason } of skipped) output.note(`skipped ${file}:${line} ${what}: ${reason}`);
  if (mapping.length > 0) {
    output.table(
      ['NAME THERE', 'NAME HERE', ''],
      mapping.map(({ kind, from, to, isKnown, candidates }) => [
        kind === 'namespace' ? `namespace ${from}` : from,
        to ?? 'the same',
        isKnown ? 'runs here' : candidates.length > 0 ? `perhaps ${candidates.join(', ')}` : 'not here',
      ]),
    );
  }
  for (const one of services) {
    const labels = Object.entries(one.labels).map(([name, value]) => `${name}=${value}`);
    const what = one.problem ?? (labels.length > 0 ? `add the labels ${labels.join(' ')}` : 'as it is');
    output.say(`${one.name}: service ${one.service}.${one.namespace}, version ${one.version ?? 'unknown'}; ${what}`);
  }
  if (findings.length > 0) printFindings(output, findings);
  if (resources.length > 0 && written.length === 0)
    output.note('Nothing was changed; --write puts it into the project.');
}

function importCommand(environment: Environment) {
  const collect = (value: string, before: string[] | undefined) => [...(before ?? []), value];
  return defineCommand(
    environment,
    'import',
    'take in YAML of a cluster, of Helm, of a compose file (- for standard input); a preview without --write',
  )
    .argument('<files...>', 'files')
    .option('--map <there=here>', 'what a service of production is called here (again for more)', collect)
    .option('--map-namespace <there=here>', 'the namespace that resources go into (again for more)', collect)
    .option('--write', 'put the resources into the project')
    .run<{ map?: string[]; mapNamespace?: string[]; write?: boolean }>(async ({ call, output }, [files], options) => {
      const mapping = [...parseMapping('host', options.map), ...parseMapping('namespace', options.mapNamespace)];
      const texts = await readTexts(environment, [files ?? []].flat());
      const result = await call('config.import', { texts, mapping, write: options.write === true });
      output.result(result, () => printImport(output, result));
      if (result.findings.some(({ severity }) => severity === 'error')) throw new Exit(exitCodes.failed);
    });
}

function getCommand(environment: Environment) {
  return defineCommand(environment, 'get', 'resources of the project')
    .argument('[kind]', 'kind, like VirtualService')
    .argument('[name]', 'name')
    .run(async ({ call, output }, [kind, name]) => {
      const asked = { kind: kind === undefined ? null : String(kind), name: name === undefined ? null : String(name) };
      const resources = await call('config.get', asked);
      output.result(resources, () => {
        if (resources.length === 0) output.say('No such resources.');
        else if (asked.name !== null) output.say(resources.map(({ yaml }) => yaml.trimEnd()).join('\n---\n'));
        else
          output.table(
            ['KIND', 'NAMESPACE', 'NAME'],
            resources.map((one) => [one.kind, one.namespace, one.name]),
          );
      });
    });
}

function deleteCommand(environment: Environment) {
  return defineCommand(environment, 'delete', 'take a resource out of the project')
    .argument('<kind>', 'kind, like VirtualService')
    .argument('<name>', 'name')
    .option('--namespace <name>', 'namespace, when several have it')
    .run<{ namespace?: string }>(async ({ call, output }, [kind, name], { namespace = null }) => {
      const gone = await call('config.delete', { kind: String(kind), namespace, name: String(name) });
      output.result(gone, () =>
        output.say(`deleted ${gone.kind} ${gone.namespace}/${gone.name}; \`undo\` brings it back`),
      );
    });
}

const describeEntry = ({ label, files }: HistoryEntry) => `${label} (${files.map(({ path }) => path).join(', ')})`;

function historyCommand(environment: Environment) {
  return defineCommand(environment, 'history', 'changes of the project since the control plane started').run(
    async ({ call, output }) => {
      const history = await call('config.history', {});
      output.result(history, () => {
        if (history.done.length + history.undone.length === 0) output.say('No changes.');
        const row = (entry: HistoryEntry, state: string) => [
          new Date(entry.atMs).toISOString().slice(11, 19),
          state,
          describeEntry(entry),
        ];
        const rows = [
          ...history.undone.toReversed().map((entry) => row(entry, 'undone')),
          ...history.done.map((entry) => row(entry, 'done')),
        ];
        output.table(['TIME', 'STATE', 'CHANGE'], rows);
      });
    },
  );
}

function stepCommand(method: 'config.undo' | 'config.redo', name: string, description: string) {
  return (environment: Environment) =>
    defineCommand(environment, name, description).run(async ({ call, output }) => {
      const entry = await call(method, {});
      output.result(entry, () =>
        output.say(`${name === 'undo' ? 'took back' : 'brought back'} ${describeEntry(entry)}`),
      );
    });
}

export const configCommands = [
  applyCommand,
  importCommand,
  validateCommand,
  getCommand,
  deleteCommand,
  historyCommand,
  stepCommand('config.undo', 'undo', 'take the last change of the project back'),
  stepCommand('config.redo', 'redo', 'bring back what was undone last'),
];
