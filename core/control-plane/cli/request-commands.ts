/** Single requests: the last ones, and why one goes where it goes. */
import type { Command } from 'commander';
import type { ExplainedDestination, Explanation, RecentRequest } from '../../contract/explain-shapes.ts';
import { parseHeader, parseNumberUpTo, usage } from './arguments.ts';
import { defineCommand, type Environment } from './context.ts';
import { figure, type Output } from './output.ts';

function printRequests(output: Output, requests: readonly RecentRequest[]): void {
  if (requests.length === 0) {
    output.say('No requests yet.');
    return;
  }
  output.table(
    ['ID', 'TIME', 'FROM', 'TO', 'ENDPOINT', 'REQUEST', 'ROUTE', 'STATUS', 'TRIES', 'TOOK'],
    requests.map((request) => [
      request.id,
      new Date(request.atMs).toTimeString().slice(0, 8),
      request.from,
      request.to ?? '-',
      request.endpoint ?? '-',
      `${request.method} ${request.path}`,
      request.route ?? '-',
      {
        text: `${request.status || 'none'} ${request.flags}`.trim(),
        colour: request.status >= 500 || request.status === 0 ? 'red' : 'green',
      },
      String(request.attempts ?? '-'),
      figure(request.durationMs, ' ms'),
    ]),
  );
}

function requestsCommand(environment: Environment): Command {
  return defineCommand(
    environment,
    'requests',
    'the last requests, as far as sidecars told of them; failed ones first to be kept',
  )
    .option('--from <service>', 'only those of this caller')
    .option('--to <service>', 'only those to this service')
    .option('--limit <number>', 'at most so many', parseNumberUpTo(500), 20)
    .run<{ from?: string; to?: string; limit: number }>(async ({ call, output }, _args, options) => {
      const { from = null, to = null, limit } = options;
      const requests = await call('request.recent', { from, to, limit });
      output.result(requests, () => printRequests(output, requests));
    });
}

function explainCommand(environment: Environment): Command {
  return defineCommand(environment, 'explain', 'why a request goes where it goes: a given one, or one that happened')
    .argument('[method]', 'HTTP method; may be left out for GET')
    .argument('[url]', 'http://SERVICE:PORT/PATH?QUERY')
    .option('--from <workload>', 'who asks')
    .option('-H, --header <name:value...>', 'a header of the request', parseHeader)
    .option('--id <request>', 'one that happened; `meshdesk requests` lists them')
    .run<{ from?: string; header?: { name: string; value: string }[]; id?: string }>(
      async ({ call, output }, [first, second], { from, header = [], id }) => {
        const [method, url] = second === undefined ? ['GET', first] : [first, second];
        if ((id === undefined) === (url === undefined)) usage('give either a URL, or --id of a request that happened');
        if (id === undefined && from === undefined) usage('say who asks: --from WORKLOAD');
        const input =
          id === undefined ? { from: from ?? '', method: String(method), url: String(url), headers: header } : { id };
        const explanation = await call('request.explain', input);
        output.result(explanation, () => printExplanation(output, explanation));
      },
    );
}

function printExplanation(output: Output, explanation: Explanation): void {
  const { caller, config, request, recorded, timeoutMs, retries } = explanation;
  const line = (name: string, text: string) => output.say(`${name.padEnd(12)}${text}`);
  const target = `${request.path}${request.query === '' ? '' : `?${request.query}`}`;
  line('request', `${request.method} ${request.scheme}://${request.host}:${request.port}${target}`);
  for (const { name, value } of request.headers) line('', `${name}: ${value}`);
  line('from', `${caller.name} (${caller.service})`);
  line('config', describeConfig(config));
  line('listener', explanation.listener);
  line('service', explanation.service ?? `none of the mesh is called ${request.host}`);
  const marks = { matched: '✓', 'did not match': '✗', 'not reached': '·' } as const;
  for (const [index, { route, outcome, reasons }] of explanation.routes.entries()) {
    const why = reasons.length > 0 ? reasons.join('; ') : 'matches every request';
    line(index === 0 ? 'routes' : '', `${marks[outcome]} ${route}  ${outcome}: ${why}`);
  }
  if (explanation.service !== null && explanation.routes.length === 0 && explanation.outcome.kind === 'forward')
    line('routes', 'none: the host name decides');
  if (explanation.draw.length > 1)
    line(
      'draws from',
      explanation.draw.map(({ service, subset, share }) => `${subset ?? service} ${figure(share, ' %')}`).join(', '),
    );
  printOutcome(output, explanation, line);
  if (explanation.outcome.kind === 'forward') {
    if (explanation.path !== request.path) line('path', `becomes ${explanation.path}`);
    const authority = request.headers.find(({ name }) => name.toLowerCase() === 'host')?.value;
    if (explanation.authority !== authority && !explanation.authority.startsWith(request.host))
      line('authority', `becomes ${explanation.authority}`);
    line('timeout', timeoutMs === null ? 'none' : figure(timeoutMs, ' ms'));
    if (retries !== null) line('retries', describeRetries(retries));
  }
  for (const { id, state, reason } of explanation.leftOut) line('left out', `${id}: ${state}, ${reason}`);
  printCallee(explanation.callee, line);
  for (const mirror of explanation.mirrors) line('mirror', mirror);
  for (const { requests, intervalMs, per } of explanation.rateLimits)
    line('rate limit', `${requests} per ${figure(intervalMs, ' ms')} and ${per}`);
  for (const { id, kind, percent } of explanation.faults) line('fault', `${kind}, ${figure(percent, ' %')} (${id})`);
  if (recorded !== null) line('happened', describeRecorded(recorded));
}

function printCallee(callee: Explanation['callee'], line: (name: string, text: string) => void): void {
  if (callee === null) return;
  const { workload, port, protocol, mtls, rateLimits } = callee;
  line('arrives at', `${workload}:${port} (${protocol}), ${mtls === null ? 'without a sidecar' : `mTLS ${mtls}`}`);
  for (const { requests, intervalMs, per } of rateLimits)
    line('', `at most ${requests} per ${figure(intervalMs, ' ms')} and ${per}`);
}

function describeConfig({ revision, state, ackedRevision }: Explanation['config']): string {
  if (state === 'in-force') return `revision ${revision}, acknowledged`;
  if (state === 'pushed') return `revision ${revision}, not acknowledged yet (${ackedRevision ?? 'none'} is)`;
  return `revision ${revision}, as it would be: the caller is not attached`;
}

function describeRetries({
  attempts,
  retryOn,
  perTryTimeoutMs,
  backoffBaseMs,
}: NonNullable<Explanation['retries']>): string {
  if (attempts === 0) return 'none';
  const perTry = perTryTimeoutMs === null ? '' : `, ${figure(perTryTimeoutMs, ' ms')} each`;
  return `up to ${attempts} on ${retryOn}${perTry}, back-off from ${figure(backoffBaseMs, ' ms')}`;
}

function describeRecorded({ status, flags, route, endpoint, attempts, durationMs }: RecentRequest): string {
  const answer = `${status || 'no answer'}${flags === '' ? '' : ` ${flags}`}`;
  return `${answer} by ${endpoint ?? 'the sidecar'}, route ${route ?? '-'}, sent ${attempts === 1 ? 'once' : `${attempts ?? '?'} times`}, ${figure(durationMs, ' ms')}`;
}

function printOutcome(output: Output, { outcome }: Explanation, line: (name: string, text: string) => void): void {
  switch (outcome.kind) {
    case 'answer':
      line('answer', `${outcome.status}${outcome.flag === '' ? '' : ` ${outcome.flag}`}: ${outcome.why}`);
      if (outcome.location !== null) line('', `location: ${outcome.location}`);
      break;
    case 'closed':
      line('closed', outcome.why);
      break;
    case 'outside':
      line(
        'goes to',
        outcome.allowed
          ? 'the address that was dialled, outside the mesh'
          : 'nowhere: hosts outside the mesh are refused',
      );
      break;
    default:
      if (outcome.kind === 'connection')
        line('connection', `TLS of the application: passed on unopened, route ${outcome.route ?? 'none'}`);
      printDestination(output, outcome.destination, line);
  }
}

function printDestination(
  output: Output,
  destination: ExplainedDestination,
  line: (name: string, text: string) => void,
): void {
  const { service, subset, port, share, endpoints, chosen, chosenBy } = destination;
  line(
    'goes to',
    `${service}:${port}${subset === null ? '' : ` subset ${subset}`}, ${figure(share, ' %')} of this route`,
  );
  for (const [index, endpoint] of endpoints.entries()) {
    const mtls = endpoint.spiffeId === null ? 'plaintext' : `mTLS with ${endpoint.spiffeId}`;
    const priority = endpoint.priority === 0 ? '' : `, priority ${endpoint.priority}`;
    const text = `${endpoint.id === chosen ? '→' : ' '} ${endpoint.name} ${endpoint.address}:${endpoint.port}, ${mtls}${priority}`;
    line(index === 0 ? 'endpoints' : '', endpoint.id === chosen ? output.paint('green', text) : text);
  }
  line('chosen', chosenBy);
}

export const requestCommands = [requestsCommand, explainCommand];
