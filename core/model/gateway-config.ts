/**
 * What a gateway's proxy is told besides what every sidecar is: where outside traffic comes in, whose certificate it shows,
 * and which virtual host (a service of the configuration, with routes and no endpoints) takes which host name.
 */
import { z } from 'zod';

const Port = z.number().int().min(1).max(65_535);

/** Istio's ServerTLSSettings, as far as a proxy acts on it. Certificates are named; see `GatewayCertificate`. */
export const GatewayTlsConfig = z.strictObject({
  /** `mesh`: certificates of the mesh on both sides (ISTIO_MUTUAL). `passthrough`: not ended here. */
  mode: z.enum(['simple', 'mutual', 'optional-mutual', 'mesh', 'passthrough']),
  /** In order of preference, of different key types; none with `mesh` and `passthrough`. */
  certificates: z.array(z.string()),
  minVersion: z.enum(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']).optional(),
  maxVersion: z.enum(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']).optional(),
  /** OpenSSL's names. */
  cipherSuites: z.array(z.string()).optional(),
  /** Names of which a client's certificate must have one. */
  subjectAltNames: z.array(z.string()).optional(),
  /** SHA-256 of a client's certificate (hex, lower case) or of its public key (base64), one of which it must have. */
  hashes: z.array(z.string()).optional(),
  spkis: z.array(z.string()).optional(),
  /** Of `clientCas`, instead of the CAs that its certificates bring. */
  clientCa: z.string().optional(),
  /** A client's certificate may be of anybody. */
  acceptUntrusted: z.boolean().optional(),
});
export type GatewayTlsConfig = z.infer<typeof GatewayTlsConfig>;

export const GatewayHostConfig = z.strictObject({
  /** `*`, `*.example.com` or a name, in lower case. */
  domain: z.string(),
  /** Key of the service with its routes; `null`: there is none, but for the redirect. */
  service: z.string().nullable(),
  /** Plaintext is answered 301 to https. */
  httpsRedirect: z.boolean().optional(),
});
export type GatewayHostConfig = z.infer<typeof GatewayHostConfig>;

export const GatewayServerConfig = z.strictObject({
  /** Unique at its port; stays while the server does. */
  id: z.string(),
  /** What is inside, once TLS is off: requests, or bytes. */
  protocol: z.enum(['http', 'tcp']),
  /** Absent: plaintext. One plaintext server per port. */
  tls: GatewayTlsConfig.optional(),
  /** Server names (SNI) that are meant for it, `*` for all. */
  names: z.array(z.string()),
  /** For `http`. */
  hosts: z.array(GatewayHostConfig),
  /** For `tcp`: key of the service with the routes of connections; absent: nothing is bound, connections are closed. */
  service: z.string().optional(),
});
export type GatewayServerConfig = z.infer<typeof GatewayServerConfig>;

export const GatewayCertificate = z.strictObject({
  name: z.string(),
  /** Certificates, the server's own first. */
  chainPem: z.string(),
  keyPem: z.string(),
  /** Of clients; absent: none is accepted. */
  clientCaPem: z.string().optional(),
  clientCrlPem: z.string().optional(),
});
export type GatewayCertificate = z.infer<typeof GatewayCertificate>;

export const GatewayClientCa = z.strictObject({ name: z.string(), caPem: z.string() });
export type GatewayClientCa = z.infer<typeof GatewayClientCa>;

export const GatewayConfig = z.strictObject({
  ports: z.array(
    z.strictObject({
      port: Port,
      servers: z.array(GatewayServerConfig).min(1),
      /** Port of this machine where https is, when it is not 443: for redirects of requests that name a port. */
      httpsPort: Port.optional(),
    }),
  ),
  /** Put in on the way to the proxy, nowhere else. */
  certificates: z.array(GatewayCertificate),
  /** Those that are named apart from a certificate; put in on the way as well. */
  clientCas: z.array(GatewayClientCa).optional(),
});
export type GatewayConfig = z.infer<typeof GatewayConfig>;
