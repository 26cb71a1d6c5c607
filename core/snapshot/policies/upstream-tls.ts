/**
 * TLS that destination rules make callers begin (Istio ClientTLSSettings). Files are named here and nothing else: what is in
 * them goes straight from the project's folder to the sidecars that need it.
 */
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { ClusterPolicy, UpstreamTlsConfig } from '../../model/traffic-config.ts';
import type { ClientTls } from '../../model/traffic-policy.ts';

/** Folder of the project for what `credentialName` stands for: `<name>.crt`, `.key`, `.ca.crt` and `.crl`. */
export const credentialFolder = 'secrets';
/** Before `namespace/name`: the `ca.crt` of a ConfigMap of the project. */
export const configMapPrefix = 'configmap:';

/**
 * Without roots of its own a rule trusts the system's. Names: those it lists; with a server name of its own and no list the
 * chain alone decides, otherwise the host (asked of istiod: `auto_san_validation` goes with `auto_sni`).
 */
export function compileUpstreamTls(tls: ClientTls | undefined): Pick<ClusterPolicy, 'tls' | 'plaintext'> {
  if (tls === undefined || tls.mode === 'ISTIO_MUTUAL') return {};
  const { mode = 'DISABLE', sni = '', subjectAltNames = [], insecureSkipVerify = false } = tls;
  if (mode !== 'SIMPLE' && mode !== 'MUTUAL') return { plaintext: true };
  const names = subjectAltNames.length > 0 ? [...subjectAltNames] : sni === '' ? 'host' : 'any';
  return {
    tls: {
      ...(sni === '' ? {} : { sni }),
      names,
      ...(insecureSkipVerify ? { insecure: true } : {}),
      ...(tls.credentialName ? filesOfCredential(tls.credentialName, mode) : filesOfRule(tls, mode)),
    },
  };
}

/**
 * The names of a ServiceEntry are asked for where the rule lists none. Where it has no server name either, the certificate must
 * be for the host as well: `auto_san_validation` is decided before the names are put in (Istio, cluster_tls.go).
 */
export function withEntryNames(policy: ClusterPolicy, subjectAltNames: readonly string[]): ClusterPolicy {
  const { tls } = policy;
  if (tls === undefined || Array.isArray(tls.names) || subjectAltNames.length === 0) return policy;
  const own = { ...tls, names: [...subjectAltNames] };
  return { ...policy, tls: tls.names === 'host' ? { ...own, andHost: true } : own };
}

type Files = Pick<UpstreamTlsConfig, 'caFile' | 'certificateFile' | 'keyFile' | 'crlFile' | 'optionalFiles'>;

function filesOfRule({ clientCertificate, privateKey, caCertificates, caCrl }: ClientTls, mode: string): Files {
  return {
    ...(caCertificates ? { caFile: caCertificates } : {}),
    ...(mode === 'MUTUAL' && clientCertificate ? { certificateFile: clientCertificate } : {}),
    ...(mode === 'MUTUAL' && privateKey ? { keyFile: privateKey } : {}),
    ...(caCrl ? { crlFile: caCrl } : {}),
  };
}

function filesOfCredential(name: string, mode: string): Files {
  const base = `${credentialFolder}/${name}`;
  return {
    caFile: `${base}.ca.crt`,
    crlFile: `${base}.crl`,
    optionalFiles: true,
    ...(mode === 'MUTUAL' ? { certificateFile: `${base}.crt`, keyFile: `${base}.key` } : {}),
  };
}

/** Names of the files that a configuration needs, sorted. */
export function filesNeeded({ services }: Pick<SidecarConfig, 'services'>): readonly string[] {
  let names = needed.get(services);
  if (names === undefined) {
    const found = services.flatMap(({ policies = [] }) => policies.flatMap(({ policy: { tls } }) => filesOf(tls)));
    names = [...new Set(found)].sort();
    needed.set(services, names);
  }
  return names;
}

/** Sidecars of a group share their services. */
const needed = new WeakMap<SidecarConfig['services'], readonly string[]>();

function filesOf(tls: UpstreamTlsConfig | undefined): readonly string[] {
  if (tls === undefined) return [];
  return [tls.caFile, tls.certificateFile, tls.keyFile, tls.crlFile].filter((name) => name !== undefined);
}
