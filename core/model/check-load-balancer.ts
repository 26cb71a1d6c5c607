/** What a schema cannot say about load balancing. Source: istio/pkg/config/validation, validateLoadBalancer. */
import type { ConsistentHash, LoadBalancer, LocalityLbSetting } from './load-balancer.ts';
import type { Problems } from './problems.ts';

/** Maglev tables are prime and below this. */
const maglevLimit = 5_000_011;
const topologyLabels = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone', 'topology.istio.io/subzone'];

export function checkLoadBalancer(settings: LoadBalancer | undefined, hasOutliers: boolean, problems: Problems): void {
  if (settings === undefined) return;
  const { consistentHash, localityLbSetting, zoneAwareLbSetting, warmup } = settings;
  if (settings.simple !== undefined && consistentHash !== undefined) {
    problems.error('has simple and consistentHash', 'Give one of them.');
  }
  if (consistentHash !== undefined) checkConsistentHash(consistentHash, problems.at('consistentHash'));
  if (localityLbSetting !== undefined && zoneAwareLbSetting !== undefined) {
    problems.error('has localityLbSetting and zoneAwareLbSetting', 'Give one of them.');
  }
  if (localityLbSetting !== undefined) checkLocality(localityLbSetting, hasOutliers, problems.at('localityLbSetting'));
  const zonal = zoneAwareLbSetting?.failoverPriority?.find((label) => topologyLabels.includes(label));
  if (zonal !== undefined) {
    problems
      .at('zoneAwareLbSetting', 'failoverPriority')
      .error(`"${zonal}" is handled by itself`, 'Name other labels.');
  }
  if (warmup?.aggression === 0) problems.at('warmup', 'aggression').error('must be more than 0', '1 is linear.');
  if (
    warmup !== undefined &&
    settings.simple !== undefined &&
    !['ROUND_ROBIN', 'LEAST_REQUEST', 'LEAST_CONN', 'UNSPECIFIED'].includes(settings.simple)
  ) {
    problems.at('warmup').warn(`has no effect with ${settings.simple}`, 'Use ROUND_ROBIN or LEAST_REQUEST.');
  }
}

function checkConsistentHash(hash: ConsistentHash, problems: Problems): void {
  const keys = (['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'] as const).filter(
    (key) => hash[key] !== undefined,
  );
  if (keys.length > 1) problems.error(`has ${keys.join(' and ')}`, 'Hash on one of them.');
  if (hash.ringHash !== undefined && hash.maglev !== undefined)
    problems.error('has ringHash and maglev', 'Give one of them.');
  if (hash.minimumRingSize) {
    problems.at('minimumRingSize').warn('is deprecated', 'Use ringHash: {minimumRingSize: 1024}.', 'DEPRECATED');
    if (hash.ringHash !== undefined || hash.maglev !== undefined)
      problems.at('minimumRingSize').error('cannot stand next to ringHash or maglev', 'Remove it.');
  }
  const { httpCookie: cookie, maglev } = hash;
  if (cookie?.name === '') problems.at('httpCookie', 'name').error('must not be empty', 'Name the cookie.');
  const names = (cookie?.attributes ?? []).map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    const at = problems.at('httpCookie', 'attributes', index);
    if (name === '') at.error('needs a name', 'Name the attribute, such as SameSite.');
    else if (names.indexOf(name) !== index) at.error(`"${name}" is there twice`, 'Give each attribute once.');
  }
  if (maglev === undefined) return;
  const size = maglev.tableSize ?? 0;
  if (size === 0) problems.at('maglev').error('needs tableSize', 'Use 65537.');
  else if (size >= maglevLimit)
    problems.at('maglev', 'tableSize').error(`must be less than ${maglevLimit}`, 'Use 65537.');
  else if (!isPrime(size)) problems.at('maglev', 'tableSize').error('must be a prime number', 'Use 65537.');
}

/** 1 counts as prime, as in Istio. */
function isPrime(value: number): boolean {
  if (value < 4) return true;
  if (value % 2 === 0) return false;
  for (let factor = 3; factor * factor <= value; factor += 2) if (value % factor === 0) return false;
  return true;
}

function checkLocality(setting: LocalityLbSetting, hasOutliers: boolean, problems: Problems): void {
  const { distribute = [], failover = [], failoverPriority = [] } = setting;
  if (distribute.length > 0 && failover.length > 0) {
    problems.error('has distribute and failover', 'Give one of them.');
    return;
  }
  const label = failover.length > 0 ? failoverPriority.find((name) => topologyLabels.includes(name)) : undefined;
  if (label !== undefined)
    problems.at('failoverPriority').error(`"${label}" cannot stand next to failover`, 'Give one of them.');
  for (const [index, { to = {} }] of distribute.entries()) {
    const at = problems.at('distribute', index, 'to');
    const weights = Object.values(to);
    if (weights.some((weight) => weight === 0 || weight > 100))
      at.error('has a weight that is not between 1 and 100', 'Weights are percentages.');
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total !== 100) at.error(`has weights that sum up to ${total}`, 'Make them sum up to 100.');
    checkLocalities(Object.keys(to), at);
  }
  checkLocalities(
    distribute.map(({ from = '' }) => from),
    problems.at('distribute'),
  );
  for (const [index, { from = '', to = '' }] of failover.entries()) {
    const at = problems.at('failover', index);
    if (from === to) at.error('leads to the region it comes from', 'Name two regions.');
    if (from.includes('/') || to.includes('/')) at.error('names more than a region', 'Failover is between regions.');
    if (from.includes('*') || to.includes('*')) at.error('has a wildcard', 'Name the regions.');
  }
  if (failover.length + failoverPriority.length > 0 && !hasOutliers) {
    problems.warn(
      'does nothing without outlierDetection',
      'Add outlierDetection: {}, so that failing endpoints are noticed.',
    );
  }
}

/** `region`, `region/zone` or `region/zone/sub-zone`; a wildcard at the end only; none within another. */
function checkLocalities(localities: readonly string[], problems: Problems): void {
  for (const [index, locality] of localities.entries()) {
    const parts = locality.split('/');
    const wildcards = locality.split('*').length - 1;
    if (wildcards > 1 || (wildcards === 1 && !locality.endsWith('*')))
      problems.error(`"${locality}" has a wildcard before its end`, 'Write region/zone/*.');
    if (parts.length > 3 || parts.some((part) => part === ''))
      problems.error(`"${locality}" is not region/zone/sub-zone`, 'Leave out parts from the end.');
    const bare = locality.replace(/\/?\*$/, '');
    const earlier = localities.slice(0, index).find((other) => {
      const own = other.replace(/\/?\*$/, '');
      return own === bare || own === '' || bare === '' || bare.startsWith(`${own}/`) || own.startsWith(`${bare}/`);
    });
    if (earlier !== undefined) problems.error(`"${locality}" overlaps with "${earlier}"`, 'Name each place once.');
  }
}
