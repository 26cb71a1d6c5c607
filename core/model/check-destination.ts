/** Destinations of HTTP, TLS and TCP rules. */
import { isDnsLabel, wildcardDomainProblem } from './host-syntax.ts';
import type { Destination } from './http-actions.ts';
import type { Problems } from './problems.ts';

export function checkDestination(destination: Destination, problems: Problems): void {
  const problem = destination.host === '*' ? '"*" is no destination' : wildcardDomainProblem(destination.host);
  if (problem !== null)
    problems.at('host').error(problem, 'Name one service: payments, or payments.shop.svc.cluster.local.');
  const { subset, port } = destination;
  if (subset !== undefined && subset !== '' && !isDnsLabel(subset)) {
    problems
      .at('subset')
      .error(`"${subset}" is no name of a subset`, 'Subsets are named with letters, digits and "-".');
  }
  if (port !== undefined && (port.number ?? 0) === 0) {
    problems.at('port').error('needs a number from 1 to 65535', 'Write port: {number: 8080}.');
  }
}

/** Weights of several destinations that are all 0 send nothing anywhere. */
export function checkWeights(
  route: readonly { readonly weight?: number | undefined; readonly destination: Destination }[] | undefined,
  problems: Problems,
): void {
  const seen = new Set<string>();
  for (const [index, entry] of (route ?? []).entries()) {
    const at = problems.at(index, 'destination');
    checkDestination(entry.destination, at);
    const { host, subset = '', port } = entry.destination;
    const key = `${host} ${subset} ${port?.number ?? ''}`;
    if (seen.has(key))
      at.warn('is the destination of this route already', 'Add the two weights up, or name the other subset.');
    seen.add(key);
  }
  if (route !== undefined && route.length > 1 && route.every(({ weight }) => (weight ?? 0) === 0)) {
    problems.error(
      'the weights of all destinations are 0, so no request could go anywhere',
      'Give each destination a weight; 90 and 10 send every tenth request to the second.',
      'NO_WEIGHT',
    );
  }
}
