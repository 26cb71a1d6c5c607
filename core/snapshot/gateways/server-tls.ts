/** TLS that servers of Gateways end: Istio's ServerTLSSettings and the Gateway API's listeners, in one form. */
import type { ServerTls } from '../../model/gateway.ts';
import type { GatewayTlsConfig } from '../../model/gateway-config.ts';
import type { GatewayListener, K8sGateway, ReferenceGrant } from '../../model/k8s-gateway.ts';
import { namespaceOf } from '../../model/resource.ts';
import { configMapPrefix } from '../policies/upstream-tls.ts';
import { isSecretGranted } from '../routes/gateway-grants.ts';

/** Names of credentials begin with it when they are files that the Gateway names. */
export const filesPrefix = 'files:';

const modes = {
  PASSTHROUGH: 'passthrough',
  SIMPLE: 'simple',
  MUTUAL: 'mutual',
  OPTIONAL_MUTUAL: 'optional-mutual',
  ISTIO_MUTUAL: 'mesh',
  AUTO_PASSTHROUGH: 'passthrough',
} as const;
const versions = {
  TLSV1_0: 'TLSv1',
  TLSV1_1: 'TLSv1.1',
  TLSV1_2: 'TLSv1.2',
  TLSV1_3: 'TLSv1.3',
} as const;

function versionOf(asked: ServerTls['minProtocolVersion']): (typeof versions)[keyof typeof versions] | undefined {
  return asked === undefined || asked === 'TLS_AUTO' ? undefined : versions[asked];
}

export function compileServerTls(tls: ServerTls, namespace: string): GatewayTlsConfig {
  const mode = modes[tls.mode ?? 'PASSTHROUGH'];
  const minVersion = versionOf(tls.minProtocolVersion);
  const maxVersion = versionOf(tls.maxProtocolVersion);
  const { cipherSuites = [], subjectAltNames = [], verifyCertificateHash = [], verifyCertificateSpki = [] } = tls;
  const ca = tls.caCertCredentialName;
  return {
    mode,
    certificates: mode === 'mesh' || mode === 'passthrough' ? [] : credentialsOf(tls, namespace),
    ...(ca ? { clientCa: rootsName(ca, namespace) } : {}),
    ...(tls.insecureSkipVerify === true ? { acceptUntrusted: true } : {}),
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(cipherSuites.length === 0 ? {} : { cipherSuites }),
    ...(subjectAltNames.length === 0 ? {} : { subjectAltNames }),
    ...(verifyCertificateHash.length === 0
      ? {}
      : { hashes: verifyCertificateHash.map((hash) => hash.replaceAll(':', '').toLowerCase()) }),
    ...(verifyCertificateSpki.length === 0 ? {} : { spkis: verifyCertificateSpki }),
  };
}

/** `configmap:namespace/name`, or `namespace/name` of a Secret. */
function rootsName(name: string, namespace: string): string {
  const bare = name.replace(/^(?:kubernetes|configmap):\/\//, '');
  const full = bare.includes('/') ? bare : `${namespace}/${bare}`;
  return name.startsWith('configmap://') ? `${configMapPrefix}${full}` : full;
}

/** `namespace/name` of secrets, or the files, of which `files:` tells certificate, key, CA and revoked certificates. */
function credentialsOf(tls: ServerTls, namespace: string): string[] {
  const named = tls.credentialNames ?? (tls.credentialName ? [tls.credentialName] : []);
  if (named.length > 0) {
    const bare = named.map((name) => name.replace(/^kubernetes:\/\//, ''));
    return bare.map((name) => (name.includes('/') ? name : `${namespace}/${name}`));
  }
  const pairs = tls.tlsCertificates ?? [tls];
  return pairs.map(
    ({ serverCertificate = '', privateKey = '', caCertificates = tls.caCertificates ?? '' }) =>
      `${filesPrefix}${[serverCertificate, privateKey, caCertificates, ...(tls.caCrl ? [tls.caCrl] : [])].join('|')}`,
  );
}

/** `null`: a listener without TLS. */
export function compileListenerTls(
  { port, protocol, tls }: GatewayListener,
  gateway: K8sGateway,
  grants: readonly ReferenceGrant[],
): GatewayTlsConfig | null {
  if (protocol !== 'HTTPS' && protocol !== 'TLS') return null;
  const namespace = namespaceOf(gateway);
  const asked = frontendOf(gateway, port);
  const mode = listenerMode(tls, asked);
  if (mode === 'mesh' || mode === 'passthrough') return { mode, certificates: [] };
  const certificates = (tls?.certificateRefs ?? [])
    .filter((ref) => isSecretGranted(ref, namespace, grants))
    .map((ref) => `${ref.namespace ?? namespace}/${ref.name}`);
  return { mode, certificates, ...(asked === null ? {} : clientsOf(asked, namespace, grants)) };
}

type Frontend = NonNullable<NonNullable<NonNullable<K8sGateway['spec']['tls']>['frontend']>['default']['validation']>;

/** What a Gateway asks of clients at a port; `null`: nothing. */
function frontendOf({ spec }: K8sGateway, port: number): Frontend | null {
  const { frontend } = spec.tls ?? {};
  const own = frontend?.perPort?.find((one) => one.port === port)?.tls ?? frontend?.default;
  return own?.validation ?? null;
}

/** Istio's option says what the API has no word for. */
function listenerMode(tls: GatewayListener['tls'], asked: Frontend | null): GatewayTlsConfig['mode'] {
  if (tls?.mode === 'Passthrough') return 'passthrough';
  const option = tls?.options?.['gateway.istio.io/tls-terminate-mode'];
  if (option === 'MUTUAL') return 'mutual';
  if (option === 'OPTIONAL_MUTUAL') return 'optional-mutual';
  if (option === 'ISTIO_MUTUAL') return 'mesh';
  if (asked === null) return 'simple';
  return asked.mode === 'AllowInsecureFallback' ? 'optional-mutual' : 'mutual';
}

/** One CA, as in Istio. One that is not allowed, or more, are nobody's: no client can come in. */
function clientsOf(
  { caCertificateRefs, mode }: Frontend,
  namespace: string,
  grants: readonly ReferenceGrant[],
): Pick<GatewayTlsConfig, 'clientCa' | 'acceptUntrusted'> {
  const names = caCertificateRefs.map((ref) => {
    const isMap = ref.kind === 'ConfigMap';
    const isAllowed = isSecretGranted(ref, namespace, grants, isMap ? 'ConfigMap' : 'Secret');
    return `${isMap ? configMapPrefix : ''}${ref.namespace ?? namespace}/${ref.name}${isAllowed ? '' : ' (not granted)'}`;
  });
  return {
    clientCa: names.join(', '),
    ...(mode === 'AllowInsecureFallback' ? { acceptUntrusted: true } : {}),
  };
}
