import type { GatewayTlsConfig } from '../../model/gateway-config.ts';
import type { GatewayListener } from '../../model/k8s-gateway.ts';

/** A port with hosts of a Gateway (Istio), or a listener (Gateway API), in one form. */
export interface ProxyServer {
  /** `namespace/name` of the Gateway. */
  readonly gateway: string;
  readonly api: 'istio' | 'gateway-api';
  /** Of the server, unique in the mesh. */
  readonly id: string;
  readonly port: number;
  readonly protocol: 'http' | 'tcp';
  readonly tls: GatewayTlsConfig | null;
  /** It has a `tls` block, if only for a redirect. */
  readonly hasTlsBlock: boolean;
  readonly httpsRedirect: boolean;
  /** Lower-case hosts, and the namespace whose routes may be bound to them; `*`: of all. */
  readonly hosts: readonly { readonly namespace: string; readonly host: string }[];
  /** Of the Gateway API. */
  readonly listener: GatewayListener | null;
  /** Of the namespaces that the project has as resources, by name. */
  readonly namespaceLabels: ReadonlyMap<string, Readonly<Record<string, string>>>;
}
