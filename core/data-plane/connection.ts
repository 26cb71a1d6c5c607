/**
 * The words the parts of the data plane share.
 *
 *   listener/  accepts, finds the original destination, detects the protocol, terminates mesh TLS, then hands the
 *              connection to http/ or tcp/
 *   http/      one exchange at a time: parse, route, filters (faults), pick an endpoint, forward, record
 *   mux/       many requests over one connection between sidecars (docs/mux.md)
 *   tcp/       splice with half-close and byte counts
 *   tls/       certificate in use, server and client contexts, upstream connections
 *   telemetry/ counters and histograms per edge, the report that leaves once a second
 *   control/   the control stream's server side: messages in, effects out
 *
 * downstream = towards the client, upstream = towards the server, whichever direction the connection has.
 */
import type { Socket } from 'node:net';
import type { Endpoint } from '../model/sidecar-config.ts';
import type { EdgeKey, RequestSample } from '../model/telemetry-report.ts';
import type { TcpKeepAliveConfig, TunnelConfig, UpstreamTlsConfig } from '../model/traffic-config.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The server of a gateway that a connection was taken by. */
export interface GatewayEntrance {
  /** Of the Gateway, not of this machine. */
  readonly port: number;
  /** '' until it is known. */
  readonly server: string;
  /** TLS ended here. */
  readonly secure: boolean;
  /** Value of `x-forwarded-client-cert`; `null` without a client certificate. */
  readonly clientCertificate: string | null;
}

/** What is known about an accepted connection before its first request. */
export interface DownstreamContext {
  readonly direction: 'outbound' | 'inbound';
  /** Where the client wanted to go; `null` on explicit listeners, where `target` or the request says it. */
  readonly originalDestination: Address | null;
  readonly remote: Address;
  /** Explicit outbound listener: the service and port it stands for. */
  readonly service: { readonly key: string; readonly port: number } | null;
  /** Explicit inbound listener: where the application is, and its port as others know it. */
  readonly target: (Address & { readonly servicePort: number }) | null;
  /** The explicit proxy listener: `/proxy/{service}/{path}` and absolute-form requests say where to go. */
  readonly forwardProxy: boolean;
  /** Set when the connection was mesh mTLS. */
  readonly peerSpiffeId: string | null;
  /** Where it came in at a gateway; absent: this is none. `service` is set for connections that are no HTTP. */
  readonly gateway?: GatewayEntrance;
  /** Server name of the application's own TLS that passes through (SNI, lower-case); absent: none was seen. */
  readonly serverName?: string;
}

/** Takes over a connection; `head` are the bytes that detection has read already. */
export interface ConnectionHandler {
  serve(socket: Socket, head: Buffer, context: DownstreamContext): void;
  /** Open connections. */
  readonly active: number;
  /** HTTP: end each connection politely between requests (`Connection: close`, idle ones after a grace period). */
  drain(): void;
  undrain(): void;
  /** Destroys whatever is left. */
  closeAll(): void;
}

export interface MeshTls {
  /** The protocol to speak. */
  readonly alpn: string;
  /** Protocols that the caller can speak, best first, when more than one; the socket's `alpnProtocol` is the peer's choice. */
  readonly offers?: readonly string[];
  readonly spiffeId: string;
  readonly serverName: string;
}

/** TLS that a sidecar begins of its own accord, towards a server that is none of the mesh's sidecars. */
export interface OriginatedTls {
  readonly config: UpstreamTlsConfig;
  /** Server name, and name that the certificate must have, unless the configuration says otherwise. */
  readonly host: string;
  readonly alpn: string | null;
  /** Text of the files that it names. */
  readonly files: ReadonlyMap<string, string>;
}

/** How a connection is made, where that differs from the defaults. */
export interface DialPolicy {
  /** For TCP and the TLS handshake together. */
  readonly timeoutMs?: number;
  readonly keepAlive?: TcpKeepAliveConfig;
  readonly originate?: OriginatedTls;
  /** Sent first, before any TLS: says where the connection comes from. */
  readonly proxyProtocol?: 'v1' | 'v2';
  /** TCP only. */
  readonly tunnel?: TunnelConfig;
}

/** Where to connect, and how. */
export interface UpstreamTarget {
  readonly host: string;
  readonly port: number;
  /** Mesh mTLS with this ALPN, accepting only this SPIFFE ID; `null`: none. */
  readonly tls: MeshTls | null;
  /** Absent: as usual. */
  readonly dial?: DialPolicy;
  /** With `dial.proxyProtocol`: the connection that this one is made for. */
  readonly onBehalfOf?: { readonly source: Address; readonly destination: Address | null };
  /** Source address to use (inbound to the application: 127.0.0.6 / ::6 as in Istio is not needed with uid exemption). */
  readonly localAddress?: string;
}

export type UpstreamFailure = {
  readonly kind: 'refused' | 'timeout' | 'unreachable' | 'tls' | 'reset';
  readonly message: string;
};

/** Opens connections to endpoints. Rejects with an `UpstreamError`. */
export interface UpstreamConnector {
  connect(target: UpstreamTarget, signal?: AbortSignal): Promise<Socket>;
  /** Changes whenever pooled connections made before must not be used for new requests (certificate, trust). */
  readonly generation: number;
}

export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly failure: UpstreamFailure;
  constructor(failure: UpstreamFailure, options?: ErrorOptions) {
    super(failure.message, options);
    this.failure = failure;
  }
}

/** Counters of one edge; obtained once per connection or request, then only numbers are added. */
export interface EdgeRecorder {
  connectionOpened(): void;
  connectionClosed(): void;
  bytes(sent: number, received: number): void;
  /** `status` 0: no answer reached the client. `flags`: comma-separated, '' for none. */
  request(status: number, flags: string, durationUs: number): void;
}

export interface TelemetrySink {
  edge(key: EdgeKey): EdgeRecorder;
  faultSeen(id: string, hit: boolean): void;
  /** Whether `sample` would keep a request with this outcome; asked before anything is made for it. */
  wantsSample(status: number, flags: string): boolean;
  /** Keeps only a few per report. */
  sample(sample: Omit<RequestSample, 'atMs'>): void;
}

/** Whether there is room for one more request; each that was let in is given back exactly once. */
export interface RequestAdmission {
  /** False: answer it 503 with flag `OM`. */
  requestBegan(): boolean;
  requestEnded(): void;
}

/** An endpoint with the port to connect to. */
export interface ChosenEndpoint {
  readonly endpoint: Endpoint;
  readonly port: number;
}
