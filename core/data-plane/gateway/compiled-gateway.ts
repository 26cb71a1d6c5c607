/**
 * A gateway in the data plane: connections from outside the mesh, taken at declared ports.
 *
 *   server    what a Gateway says about a port (and, with TLS, about some server names): TLS or not, requests or bytes
 *   host      a virtual host: the routes for requests that name it; the best fitting domain has it, as in Envoy
 *   entrance  the server a connection was taken by; from there on it is served as any other
 *
 * Everything after that, routes, endpoints, retries, mutual TLS towards sidecars, is what sidecars do.
 */
import type { GatewayCertificate, GatewayConfig, GatewayServerConfig } from '../../model/gateway-config.ts';
import { compileDomains } from '../../policy/match-domain.ts';

export interface GatewayHost {
  readonly service: string | null;
  readonly httpsRedirect: boolean;
}

export interface CompiledServer {
  readonly config: GatewayServerConfig;
  /** With their keys, in order; empty where none are needed, or none are there. */
  readonly certificates: readonly GatewayCertificate[];
  /** CAs of clients (PEM), all that there are for it. */
  readonly clientCas: readonly string[];
  /** By lower-case host name; `null`: no virtual host is for it. */
  hostOf(name: string): GatewayHost | null;
}

export interface CompiledPort {
  readonly port: number;
  readonly httpsPort: number | null;
  /** The one without TLS. */
  readonly plain: CompiledServer | null;
  readonly hasTls: boolean;
  server(id: string): CompiledServer | null;
  /** The one that TLS with this server name is for; `null`: none, the connection is closed. */
  serverOfName(name: string | null): CompiledServer | null;
  /** One with certificates of the mesh, whatever name was asked for: the best fitting first. */
  meshServer(name: string | null): CompiledServer | null;
}

export interface CompiledGateway {
  port(port: number): CompiledPort | null;
}

/** Worked out once per revision. */
export function compileGateway(config: GatewayConfig): CompiledGateway {
  const certificates = new Map(config.certificates.map((certificate) => [certificate.name, certificate]));
  const clientCas = new Map((config.clientCas ?? []).map(({ name, caPem }) => [name, caPem]));
  const ports = new Map(config.ports.map((port) => [port.port, compilePort(port, certificates, clientCas)]));
  return { port: (port) => ports.get(port) ?? null };
}

function compilePort(
  { port, httpsPort, servers }: GatewayConfig['ports'][number],
  known: ReadonlyMap<string, GatewayCertificate>,
  knownCas: ReadonlyMap<string, string>,
): CompiledPort {
  const compiled = servers.map((config): CompiledServer => {
    const hosts = compileDomains(
      config.hosts.map(({ domain, service, httpsRedirect = false }) => [domain, { service, httpsRedirect }] as const),
    );
    const certificates = (config.tls?.certificates ?? []).flatMap((name) => known.get(name) ?? []);
    const ca = config.tls?.clientCa;
    const ofCertificates = () => certificates.flatMap(({ clientCaPem }) => clientCaPem ?? []);
    const clientCas = ca === undefined ? ofCertificates() : [knownCas.get(ca) ?? []].flat();
    return { config, certificates, clientCas, hostOf: hosts };
  });
  const secured = compiled.filter(({ config }) => config.tls !== undefined);
  const named = (list: readonly CompiledServer[]) =>
    compileDomains(list.flatMap((server) => server.config.names.map((name) => [name, server] as const)));
  const byName = named(secured);
  const mesh = secured.filter(({ config }) => config.tls?.mode === 'mesh');
  const meshByName = named(mesh);
  return {
    port,
    httpsPort: httpsPort ?? null,
    plain: compiled.find(({ config }) => config.tls === undefined) ?? null,
    hasTls: secured.length > 0,
    server: (id) => compiled.find(({ config }) => config.id === id) ?? null,
    serverOfName: (name) => byName(name ?? ''),
    meshServer: (name) => meshByName(name ?? '') ?? mesh[0] ?? null,
  };
}
