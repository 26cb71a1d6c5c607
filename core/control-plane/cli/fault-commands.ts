import { Command } from 'commander';
import type { FaultView } from '../../contract/shapes.ts';
import { describeTiming } from '../../model/describe-fault.ts';
import { parseCount, parsePercent, parsePort, parseTime, usage } from './arguments.ts';
import { defineCommand, type Environment } from './context.ts';
import { type FaultOptions, toFaultSpec } from './fault-spec.ts';
import { figure, type Output } from './output.ts';

function printFaults(output: Output, faults: readonly FaultView[]): void {
  if (faults.length === 0) {
    output.say('No faults.');
    return;
  }
  output.table(
    ['ID', 'EDGE', 'FAULT', 'PERCENT', 'WHEN', 'ON', 'HITS', 'LEFT', 'APPLIED'],
    faults.map((fault) => [
      fault.id,
      `${fault.from ?? 'everybody'} -> ${fault.to}${fault.route === null ? '' : ` (${fault.route})`}`,
      `${fault.kind} ${fault.strength}`.trim(),
      figure(fault.percent, ' %'),
      describeTiming(fault.spec),
      { text: fault.enabled ? 'on' : 'off', colour: fault.enabled ? 'yellow' : 'dim' },
      `${fault.hits} of ${fault.seen}`,
      figure(fault.expiresInMs === null ? null : Math.ceil(fault.expiresInMs / 1_000), ' s'),
      `${fault.applied.acked} of ${fault.applied.of}`,
    ]),
  );
}

const collect = (text: string, before: string[] = []) => [...before, text];

function faultSet(environment: Environment): Command {
  return defineCommand(environment, 'set', 'put a fault on an edge, and switch it on')
    .requiredOption('--to <service>', 'service that is called, as name or name.namespace')
    .option('--from <service>', 'calling service (default: every caller)')
    .option('--id <name>', 'what it is called; one of this name is replaced')
    .option('--port <port>', 'only this port of the service', parsePort)
    .option('--route <name>', 'only requests that this route matches')
    .option('--path <prefix>', 'only requests whose path begins so')
    .option('--header <name=value>', 'only requests with this header; repeatable', collect)
    .option('--delay <time>', '400ms, 100ms..300ms (uniform), 200ms~50ms (normal) or p50=10ms,p99=1s')
    .option('--abort <status>', 'answer with this HTTP status, or gRPC status (UNAVAILABLE)')
    .option('--abort-body <text>', 'body of that answer')
    .option('--abort-header <name=value>', 'header of that answer; repeatable', collect)
    .option('--bandwidth <kib>', 'body of the answer at so many KiB per second', parseCount)
    .option('--request-header <name=value>', 'set a header of the request, or remove one (-name); repeatable', collect)
    .option('--response-header <name=value>', 'the same for the answer; repeatable', collect)
    .option('--body <text>', 'another body for the answer')
    .option('--replace <find=with>', 'text in the body of the answer; repeatable', collect)
    .option('--truncate <bytes>', 'cut the answer off after so many bytes of its body', parseCount)
    .option(
      '--tcp <toxic>',
      'latency:latency=100ms,jitter=20ms; bandwidth, slowClose, timeout, resetPeer, slicer, limitData, refuse',
    )
    .option('--dns <kind>', 'nxdomain, servfail or delay:fixedDelay=1s')
    .option('--workload <kind>', 'pause, kill or restart')
    .option('--identity <kind>', 'expiredCertificate, wrongSan or unknownCa')
    .option('--percent <number>', 'share of requests or connections', parsePercent, 100)
    .option('--first <count>', 'only the first so many', parseCount)
    .option('--every <count>', 'only every so many-th', parseCount)
    .option('--retries-only', 'only tries after the first')
    .option('--window <from..until>', 'only between these times after it was switched on')
    .option('--on <time>', 'on for so long, in turns')
    .option('--off <time>', 'off for so long, in turns')
    .option('--start-after <time>', 'when the turns begin')
    .option('--seed <number>', 'same seed, same draws', parseCount)
    .option('--duration <time>', 'take it away after this time', parseTime)
    .run<FaultOptions>(async ({ call, output }, _args, options) => {
      const { id } = options;
      const spec = toFaultSpec(options);
      const fault = await call('fault.set', { ...(id === undefined ? {} : { id }), spec, enabled: true });
      output.result([fault], () => printFaults(output, [fault]));
    });
}

function faultToggle(environment: Environment, enabled: boolean): Command {
  const name = enabled ? 'on' : 'off';
  return defineCommand(environment, name, `switch a fault ${name} that is defined`)
    .argument('<id>', 'the fault')
    .run(async ({ call, output }, [id]) => {
      const fault = await call('fault.toggle', { id: String(id), enabled });
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

export const faultCommand = (environment: Environment) =>
  new Command('fault')
    .description('faults on edges')
    .addCommand(faultSet(environment))
    .addCommand(faultToggle(environment, true))
    .addCommand(faultToggle(environment, false))
    .addCommand(faultList(environment))
    .addCommand(faultClear(environment));
