/**
 * Which host names, addresses and labels Istio's own validation accepts (istio/pkg/config/validation/agent, labels). Names
 * of containers may have "_", so host names may here; an export makes them Kubernetes names.
 */
const dnsLabel = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const hostLabel = /^[a-zA-Z0-9](?:[-_a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const wildcardLabel = /^(?:\*|(?:\*|\*-)?[a-zA-Z0-9](?:[-_a-zA-Z0-9]*[a-zA-Z0-9])?)$/;

/** RFC 1123, at most 63 characters, either case. */
export function isDnsLabel(value: string): boolean {
  return value.length <= 63 && dnsLabel.test(value);
}

/** The same with "_", which names of containers and of Compose projects (namespaces here) may have. */
export function isHostLabel(value: string): boolean {
  return value.length <= 63 && hostLabel.test(value);
}

/** Why it is no domain name; `null` when it is one. A trailing dot is allowed; the last label is not a number. */
export function fqdnProblem(domain: string): string | null {
  if (domain.length === 0) return 'must not be empty';
  if (domain.length > 255) return 'is longer than 255 characters';
  return labelsProblem(domain);
}

function labelsProblem(domain: string): string | null {
  const parts = domain.split('.');
  const last = parts.at(-1) ?? '';
  if (/^[+-]?\d+$/.test(last)) return `"${domain}" ends in a number, which no domain name does`;
  const bad = parts.find((label, index) => !(index === parts.length - 1 && label === '') && !isHostLabel(label));
  return bad === undefined ? null : `"${domain}" is not a domain name ("${bad}" is not a label of one)`;
}

/** Like `fqdnProblem`, with a wildcard in the first label allowed: `*`, `*.shop`, `*-v1.shop`. */
export function wildcardDomainProblem(domain: string): string | null {
  if (domain.length === 0) return 'must not be empty';
  if (domain.length > 255) return 'is longer than 255 characters';
  const dot = domain.indexOf('.');
  const first = dot === -1 ? domain : domain.slice(0, dot);
  if (first.length > 63 || !wildcardLabel.test(first)) {
    return `"${domain}" is not a host name ("${first}" is not a label of one)`;
  }
  return dot === -1 ? null : labelsProblem(domain.slice(dot + 1));
}

/** IPv4 in dotted form or IPv6; no zone. */
export function isIpAddress(value: string): boolean {
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(value);
  if (octets !== null) {
    return octets.slice(1).every((octet) => Number(octet) <= 255 && (octet === '0' || !octet.startsWith('0')));
  }
  return isIpv6(value);
}

function isIpv6(value: string): boolean {
  if (!value.includes(':')) return false;
  const halves = value.split('::');
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    if (half === '') continue;
    const parts = half.split(':');
    for (const [number, part] of parts.entries()) {
      const isLast = index === halves.length - 1 && number === parts.length - 1;
      if (isLast && part.includes('.') && isIpAddress(part)) groups += 2;
      else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups += 1;
      else return false;
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8;
}

/** An address or a block of them (`10.0.0.0/8`). */
export function isIpOrCidr(value: string): boolean {
  const slash = value.indexOf('/');
  if (slash === -1) return isIpAddress(value);
  const address = value.slice(0, slash);
  const bits = value.slice(slash + 1);
  if (!isIpAddress(address) || !/^(0|[1-9]\d{0,2})$/.test(bits)) return false;
  return Number(bits) <= (address.includes(':') ? 128 : 32);
}

const labelValue = /^(?:(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const labelKey =
  /^((?:[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?)*)\/)?((?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/;

/** Why these are no Kubernetes labels; `null` when they are. */
export function labelsMapProblem(labels: Readonly<Record<string, string>>): string | null {
  for (const [key, value] of Object.entries(labels)) {
    const match = labelKey.exec(key);
    if (match === null || (match[1]?.length ?? 0) > 254 || (match[2]?.length ?? 0) > 63) {
      return `"${key}" is not the name of a label`;
    }
    if (!labelValue.test(value)) return `"${value}" is not the value of a label`;
  }
  return null;
}

/** Protocol of a port in Istio's words, in capitals as they are usually written; `null` for none that Istio knows. */
export function toIstioProtocol(text: string): IstioProtocol | null {
  const known = istioProtocols.find((protocol) => protocol.toLowerCase() === text.toLowerCase());
  return known ?? null;
}

const istioProtocols = [
  'TCP',
  'UDP',
  'GRPC',
  'GRPC-Web',
  'HTTP',
  'HTTP_PROXY',
  'HTTP2',
  'HTTPS',
  'TLS',
  'Mongo',
  'Redis',
  'MySQL',
] as const;
export type IstioProtocol = (typeof istioProtocols)[number];

export function isHttpProtocol(protocol: IstioProtocol | null): boolean {
  return protocol !== null && ['HTTP', 'HTTP2', 'HTTP_PROXY', 'GRPC', 'GRPC-Web'].includes(protocol);
}

export function isTlsProtocol(protocol: IstioProtocol | null): boolean {
  return protocol === 'HTTPS' || protocol === 'TLS';
}

/** True when the pattern (a host, perhaps with a wildcard) covers every name that `host` covers. */
export function hostCovers(pattern: string, host: string): boolean {
  if (pattern === '*') return true;
  if (pattern.startsWith('*')) {
    const suffix = pattern.slice(1).toLowerCase();
    const name = (host.startsWith('*') ? host.slice(1) : host).toLowerCase();
    return name.endsWith(suffix) && (host.startsWith('*') || name.length >= suffix.length);
  }
  return !host.startsWith('*') && pattern.toLowerCase() === host.toLowerCase();
}
