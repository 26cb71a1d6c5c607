import { Command } from 'commander';
import type { SplitView } from '../../contract/shapes.ts';
import { parsePin, parseTime, parseWeight } from './arguments.ts';
import { defineCommand, type Environment } from './context.ts';
import { faultCommand } from './fault-commands.ts';
import { figure, type Output } from './output.ts';

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
  faultCommand,
  group('split', 'traffic splits between versions', [splitSet, splitShow, splitClear]),
];
