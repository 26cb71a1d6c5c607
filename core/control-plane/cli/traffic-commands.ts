import { Command } from 'commander';
import type { FaultAction, FaultView, SplitView } from '../../contract/shapes.ts';
import { parsePercent, parsePin, parseStatus, parseTime, parseWeight, usage } from './arguments.ts';
import { defineCommand, type Environment } from './context.ts';
import { figure, type Output } from './output.ts';

function printFaults(output: Output, faults: readonly FaultView[]): void {
  if (faults.length === 0) {
    output.say('No faults.');
    return;
  }
  output.table(
    ['ID', 'EDGE', 'FAULT', 'PERCENT', 'ON', 'HITS', 'LEFT', 'APPLIED'],
    faults.map((fault) => [
      fault.id,
      `${fault.from ?? 'everybody'} -> ${fault.to}${fault.route === null ? '' : ` (${fault.route})`}`,
      `${fault.kind} ${fault.strength}`.trim(),
      figure(fault.percent, ' %'),
      { text: fault.enabled ? 'on' : 'off', colour: fault.enabled ? 'yellow' : 'dim' },
      `${fault.hits} of ${fault.seen}`,
      figure(fault.expiresInMs === null ? null : Math.ceil(fault.expiresInMs / 1_000), ' s'),
      `${fault.applied.acked} of ${fault.applied.of}`,
    ]),
  );
}

interface FaultOptions {
  from?: string;
  to: string;
  route?: string;
  delay?: number;
  abort?: number;
  percent: number;
  duration?: number;
}

function toAction({ delay, abort }: FaultOptions): FaultAction {
  if (delay !== undefined && abort === undefined) return { kind: 'delay', delayMs: delay };
  if (abort !== undefined && delay === undefined) return { kind: 'abort', httpStatus: abort };
  return usage('give exactly one of --delay and --abort');
}

function faultSet(environment: Environment): Command {
  return defineCommand(environment, 'set', 'put a fault on an edge')
    .requiredOption('--to <service>', 'service that is called, as name or name.namespace')
    .option('--from <service>', 'calling service (default: every caller)')
    .option('--route <name>', 'only requests that this route matches')
    .option('--delay <time>', 'answer later', parseTime)
    .option('--abort <status>', 'answer with this HTTP status instead', parseStatus)
    .option('--percent <number>', 'share of requests', parsePercent, 100)
    .option('--duration <time>', 'take it away after this time', parseTime)
    .run<FaultOptions>(async ({ call, output }, _args, options) => {
      const action = toAction(options);
      const { from = null, to, route = null, percent, duration = null } = options;
      const fault = await call('fault.set', { from, to, route, action, percent, durationMs: duration, enabled: true });
      output.result([fault], () => printFaults(output, [fault]));
    });
}

function faultList(environment: Environment): Command {
  return defineCommand(environment, 'list', 'all faults').run(async ({ call, output }) => {
    const faults = await call('fault.list', {});
    output.result(faults, () => printFaults(output, faults));
  });
}

function faultClear(environment: Environment): Command {
  return defineCommand(environment, 'clear', 'take a fault away, or all of them; prints what is left')
    .argument('[id]', 'the fault')
    .option('--all', 'every fault')
    .run<{ all?: boolean }>(async ({ call, output }, [id], options) => {
      if ((id === undefined) === (options.all !== true)) usage('give the id of a fault, or --all');
      const faults = await call('fault.clear', typeof id === 'string' ? { id } : { all: true });
      output.result(faults, () => printFaults(output, faults));
    });
}

function printSplit(output: Output, split: SplitView): void {
  output.say(
    `${split.service}.${split.namespace}: ${split.configured ? `applied by ${split.applied.acked} of ${split.applied.of} sidecars` : 'no split is set'}`,
  );
  if (split.unavailable !== null) output.say(split.unavailable);
  for (const route of split.routes) {
    output.say(
      `  ${route.name}  ${route.match}  ${route.destinations.map(({ subset, percent }) => `${subset ?? 'all'} ${figure(percent, ' %')}`).join(', ')}`,
    );
  }
  output.table(
    ['VERSION', 'OBSERVED', 'REQUESTS', 'SUCCESS', 'P95'],
    split.observed.map((seen) => [
      seen.version,
      figure(seen.percent, ' %'),
      figure(seen.requests),
      figure(seen.successPercent, ' %'),
      figure(seen.p95Ms, ' ms'),
    ]),
  );
}

function splitSet(environment: Environment): Command {
  return defineCommand(environment, 'set', 'share the traffic of a service between its versions')
    .argument('<service>', 'name or name.namespace')
    .argument('<weight...>', 'VERSION=PERCENT for each version, 100 in all')
    .option('--header <pin...>', 'NAME=VALUE:VERSION sends requests with this header to one version')
    .run<{ header?: string[] }>(async ({ call, output }, [service, weights = []], options) => {
      const split = await call('split.set', {
        service: String(service),
        weights: [weights].flat().map(parseWeight),
        pins: (options.header ?? []).map(parsePin),
      });
      output.result(split, () => printSplit(output, split));
    });
}

function splitShow(environment: Environment): Command {
  return defineCommand(environment, 'show', 'the split that is set and the one that is observed')
    .argument('<service>', 'name or name.namespace')
    .option('--window <time>', 'over which time', parseTime, 30_000)
    .run<{ window: number }>(async ({ call, output }, [service], options) => {
      const split = await call('split.show', {
        service: String(service),
        windowSeconds: Math.round(options.window / 1_000),
      });
      output.result(split, () => printSplit(output, split));
    });
}

function splitClear(environment: Environment): Command {
  return defineCommand(environment, 'clear', 'take the split away: the callers’ own address decides again')
    .argument('<service>', 'name or name.namespace')
    .run(async ({ call, output }, [service]) => {
      const split = await call('split.clear', { service: String(service) });
      output.result(split, () => printSplit(output, split));
    });
}

function group(name: string, description: string, members: readonly ((environment: Environment) => Command)[]) {
  return (environment: Environment) => {
    const command = new Command(name).description(description);
    for (const member of members) command.addCommand(member(environment));
    return command;
  };
}

export const trafficCommands = [
  group('fault', 'faults on edges', [faultSet, faultList, faultClear]),
  group('split', 'traffic splits between versions', [splitSet, splitShow, splitClear]),
];
