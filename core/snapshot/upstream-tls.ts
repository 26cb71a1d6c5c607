/** TLS that destination rules make callers begin (Istio ClientTLSSettings), with the files that it names. */
import type { ClusterPolicy, UpstreamTlsConfig } from '../model/traffic-config.ts';
import type { ClientTls } from '../model/traffic-policy.ts';

/** Text of the files that rules name, by the path as it is written there; what is not in it is not there. */
export type TlsFiles = ReadonlyMap<string, string>;

/** Paths of what `credentialName` stands for: files of the project's folder. */
export function credentialPaths(name: string): { certificate: string; key: string; roots: string; revoked: string } {
  const base = `secrets/${name}`;
  return { certificate: `${base}.crt`, key: `${base}.key`, roots: `${base}-ca.crt`, revoked: `${base}.crl` };
}

/** Every path that these settings name. `credentialName`: those that it may stand for. */
export function tlsPaths(tls: ClientTls | undefined): readonly string[] {
  if (tls?.mode !== 'SIMPLE' && tls?.mode !== 'MUTUAL') return [];
  if (tls.credentialName) return Object.values(credentialPaths(tls.credentialName));
  const { clientCertificate, privateKey, caCertificates, caCrl } = tls;
  return [clientCertificate, privateKey, caCertificates, caCrl].filter((path): path is string => !!path);
}

/**
 * Without roots of its own a rule trusts the system's. Names: those it lists; with a server name of its own and no list the
 * chain alone decides, otherwise the host (asked of istiod 1.22: `auto_san_validation` goes with `auto_sni`). What a rule
 * names and nobody has makes connections fail: plaintext, or trusting everybody, is not what was asked for.
 */
export function compileUpstreamTls(
  tls: ClientTls | undefined,
  files: TlsFiles,
): Pick<ClusterPolicy, 'tls' | 'plaintext'> {
  if (tls === undefined || tls.mode === 'ISTIO_MUTUAL') return {};
  const { mode = 'DISABLE', sni = '', subjectAltNames = [], insecureSkipVerify = false } = tls;
  if (mode !== 'SIMPLE' && mode !== 'MUTUAL') return { plaintext: true };
  const found = tls.credentialName ? fromCredential(tls.credentialName, mode, files) : fromFiles(tls, mode, files);
  const names = subjectAltNames.length > 0 ? [...subjectAltNames] : sni === '' ? 'host' : 'any';
  return {
    tls: {
      ...(sni === '' ? {} : { sni }),
      names,
      ...(insecureSkipVerify ? { insecure: true } : {}),
      ...found,
    },
  };
}

type Material = Pick<UpstreamTlsConfig, 'caPem' | 'certificatePem' | 'keyPem' | 'crlPem' | 'problem'>;

function fromFiles(tls: ClientTls, mode: 'SIMPLE' | 'MUTUAL', files: TlsFiles): Material {
  const problems: string[] = [];
  const read = (field: 'clientCertificate' | 'privateKey' | 'caCertificates' | 'caCrl'): string | undefined => {
    const path = tls[field];
    if (!path) return undefined;
    const text = files.get(path);
    if (text === undefined) problems.push(`${field} ${path} is not in the project's folder`);
    return text;
  };
  const isMutual = mode === 'MUTUAL';
  return toMaterial(
    read('caCertificates'),
    isMutual ? read('clientCertificate') : undefined,
    isMutual ? read('privateKey') : undefined,
    read('caCrl'),
    problems,
  );
}

function fromCredential(name: string, mode: 'SIMPLE' | 'MUTUAL', files: TlsFiles): Material {
  const paths = credentialPaths(name);
  const problems: string[] = [];
  const certificate = files.get(paths.certificate);
  const key = files.get(paths.key);
  if (mode === 'MUTUAL' && (certificate === undefined || key === undefined)) {
    problems.push(`credentialName ${name}: ${paths.certificate} and ${paths.key} are not in the project's folder`);
  }
  const roots = files.get(paths.roots);
  const crl = files.get(paths.revoked);
  return mode === 'MUTUAL'
    ? toMaterial(roots, certificate, key, crl, problems)
    : toMaterial(roots, undefined, undefined, crl, problems);
}

function toMaterial(
  caPem: string | undefined,
  certificatePem: string | undefined,
  keyPem: string | undefined,
  crlPem: string | undefined,
  problems: readonly string[],
): Material {
  return {
    ...(caPem === undefined ? {} : { caPem }),
    ...(certificatePem === undefined ? {} : { certificatePem }),
    ...(keyPem === undefined ? {} : { keyPem }),
    ...(crlPem === undefined ? {} : { crlPem }),
    ...(problems.length === 0 ? {} : { problem: problems.join('; ') }),
  };
}
