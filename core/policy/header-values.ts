/** Values of headers with Envoy's variables (%REQ(x)%), as routes write them. Source: Envoy header_parser, substitution_formatter.rst. */
export interface HeaderVariables {
  /** Header of the request by lower-case name; `:path`, `:method`, `:authority`, `:scheme` too. */
  request(name: string): string | undefined;
  /** Header of the answer by lower-case name. */
  response(name: string): string | undefined;
  /** `null` where a value is not known. */
  readonly protocol: string | null;
  readonly downstreamAddress: string | null;
  readonly upstreamAddress: string | null;
  readonly hostname: string | null;
  /** Of the upstream's answer; 0: there is none. */
  readonly responseCode: number;
}

const variable = /%(?:%|(REQ|RESP)\(([^)?]*)(?:\?([^)]*))?\)(?::(\d+))?%|([A-Z_]+)(?:\(([^)]*)\))?%)/g;

/**
 * The value to write. `%%` is a percent sign; what is not known is nothing, and a header whose value is nothing in the end
 * is not written (asked of Envoy 1.40). Without `%` the text itself.
 */
export function formatHeaderValue(value: string, variables: HeaderVariables): string {
  if (!value.includes('%')) return value;
  return value.replace(
    variable,
    (whole, of?: string, name?: string, other?: string, length?: string, plain?: string) => {
      if (whole === '%%') return '%';
      if (name === undefined) return namedValue(plain ?? '', variables) ?? '';
      const read = (header: string) => (of === 'RESP' ? variables.response(header) : variables.request(header));
      const found = read(name.toLowerCase()) ?? (other ? read(other.toLowerCase()) : undefined);
      return found?.slice(0, length === undefined ? undefined : Number(length)) ?? '';
    },
  );
}

function namedValue(name: string, variables: HeaderVariables): string | null {
  const { downstreamAddress, upstreamAddress, responseCode } = variables;
  const bare = (address: string | null) => address?.replace(/:\d+$/, '') ?? null;
  switch (name) {
    case 'PROTOCOL':
      return variables.protocol;
    case 'DOWNSTREAM_REMOTE_ADDRESS':
      return downstreamAddress;
    case 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT':
      return bare(downstreamAddress);
    case 'UPSTREAM_REMOTE_ADDRESS':
    case 'UPSTREAM_HOST':
      return upstreamAddress;
    case 'HOSTNAME':
      return variables.hostname;
    case 'RESPONSE_CODE':
      return String(responseCode);
    default:
      return null;
  }
}
