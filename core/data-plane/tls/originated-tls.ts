/** TLS towards servers outside the mesh (Istio ClientTLSSettings SIMPLE and MUTUAL), as options of a connection. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  type PeerCertificate,
  rootCertificates,
  type SecureContext,
} from 'node:tls';
import type { UpstreamTlsConfig } from '../../model/traffic-config.ts';
import { type OriginatedTls, UpstreamError } from '../connection.ts';
import { toMessage } from '../logger.ts';

/** Where systems keep the roots that they trust; the first that is there counts (as Istio's agent looks for them). */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** A context is costly; one per rule and files. */
const contexts = new WeakMap<OriginatedTls['files'], WeakMap<UpstreamTlsConfig, SecureContext>>();
let systemRoots: string | readonly string[] | null = null;

/** Throws an `UpstreamError` when the rule's files are of no use. */
export function toOriginatedOptions(originated: OriginatedTls): ConnectionOptions {
  const { config, host, alpn } = originated;
  const { sni = host, insecure = false } = config;
  return {
    secureContext: contextOf(originated),
    // An address is no server name (RFC 6066, 3).
    ...(isIP(sni) === 0 && sni !== '' ? { servername: sni } : {}),
    ...(alpn === null ? {} : { ALPNProtocols: [alpn] }),
    rejectUnauthorized: !insecure,
    checkServerIdentity: (_name, certificate) => checkNames(certificate, config, host),
  };
}

function contextOf({ config, files }: OriginatedTls): SecureContext {
  let known = contexts.get(files);
  if (known === undefined) {
    known = new WeakMap();
    contexts.set(files, known);
  }
  let context = known.get(config);
  if (context === undefined) {
    context = createContext(config, files);
    known.set(config, context);
  }
  return context;
}

/** What a rule names and nobody has makes connections fail: plaintext, or trusting others, is not what was asked for. */
function createContext(config: UpstreamTlsConfig, files: OriginatedTls['files']): SecureContext {
  const read = (name: string | undefined, isOptional: boolean) => {
    const text = name === undefined ? undefined : files.get(name);
    if (name !== undefined && text === undefined && !isOptional)
      throw useless(`${name} is not in the project's folder`);
    return text;
  };
  const { caFile, certificateFile, keyFile, crlFile, optionalFiles: isOptional = false } = config;
  const ca = read(caFile, isOptional);
  const crl = read(crlFile, isOptional);
  const [cert, key] = [read(certificateFile, false), read(keyFile, false)];
  try {
    return createSecureContext({
      ca: ca ?? rootsOfSystem(),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(crl === undefined ? {} : { crl }),
      minVersion: 'TLSv1.2',
    });
  } catch (error) {
    throw useless(toMessage(error), error);
  }
}

function useless(reason: string, cause?: unknown): UpstreamError {
  const message = `the files of the destination rule's tls are of no use: ${reason}`;
  return new UpstreamError({ kind: 'tls', message }, cause === undefined ? undefined : { cause });
}

/** Of the machine that the sidecar runs on; where it has none, those that come with Node. */
function rootsOfSystem(): string | string[] {
  systemRoots ??= readBundle() ?? rootCertificates;
  return typeof systemRoots === 'string' ? systemRoots : [...systemRoots];
}

function readBundle(): string | null {
  for (const path of systemBundles) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // Another system keeps them elsewhere.
    }
  }
  return null;
}

/** Istio compares `subjectAltNames` whole: DNS names, addresses and URIs. */
function checkNames(
  certificate: PeerCertificate,
  { names, andHost = false }: UpstreamTlsConfig,
  host: string,
): Error | undefined {
  if (names === 'any') return undefined;
  const problem = names === 'host' || andHost ? checkServerIdentity(host, certificate) : undefined;
  if (names === 'host' || problem !== undefined) return problem;
  const own = (certificate.subjectaltname ?? '').split(', ').map((name) => name.slice(name.indexOf(':') + 1));
  if (names.some((name) => own.includes(name))) return undefined;
  return new UpstreamError({
    kind: 'tls',
    message: `the certificate is for ${own.join(', ') || 'nobody'}, expected ${names.join(' or ')}`,
  });
}
