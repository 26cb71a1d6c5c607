/** Istio Gateway (networking/v1alpha3/gateway.proto): ports and hosts at which the mesh takes traffic from outside. */
import { z } from 'zod';
import { OptionalPortNumber, StringMap, Strings } from './api-fields.ts';
import { Kept, networkingApiVersion, ResourceMetadata } from './resource-metadata.ts';

const TlsProtocol = z.enum(['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3']);

export const ServerTls = z.strictObject({
  /** On a port of protocol HTTP: answer 301 to https. */
  httpsRedirect: z.boolean().optional(),
  /** Default PASSTHROUGH. */
  mode: z.enum(['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL']).optional(),
  serverCertificate: z.string().optional(),
  privateKey: z.string().optional(),
  caCertificates: z.string().optional(),
  caCrl: z.string().optional(),
  credentialName: z.string().optional(),
  credentialNames: Strings.optional(),
  caCertCredentialName: z.string().optional(),
  tlsCertificates: z
    .array(
      z.strictObject({
        serverCertificate: z.string().optional(),
        privateKey: z.string().optional(),
        caCertificates: z.string().optional(),
      }),
    )
    .optional(),
  subjectAltNames: Strings.optional(),
  verifyCertificateSpki: Strings.optional(),
  verifyCertificateHash: Strings.optional(),
  minProtocolVersion: TlsProtocol.optional(),
  maxProtocolVersion: TlsProtocol.optional(),
  cipherSuites: Strings.optional(),
  insecureSkipVerify: z.boolean().optional(),
});
export type ServerTls = z.infer<typeof ServerTls>;

export const GatewayServer = z.strictObject({
  port: z.strictObject({
    number: OptionalPortNumber,
    protocol: z.string(),
    name: z.string(),
    targetPort: OptionalPortNumber.optional(),
  }),
  bind: z.string().optional(),
  /** `host`, or `namespace/host` to say whose routes may be bound here. */
  hosts: Strings,
  tls: ServerTls.optional(),
  defaultEndpoint: z.string().optional(),
  name: z.string().optional(),
});
export type GatewayServer = z.infer<typeof GatewayServer>;

export const Gateway = z.strictObject({
  apiVersion: networkingApiVersion,
  kind: z.literal('Gateway'),
  metadata: ResourceMetadata,
  spec: z.strictObject({
    servers: z.array(GatewayServer).optional(),
    /** Labels of the proxies that serve it. */
    selector: StringMap.optional(),
  }),
  status: Kept,
});
export type Gateway = z.infer<typeof Gateway>;
