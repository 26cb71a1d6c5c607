/** The parts of a sidecar that carry traffic, in the order in which they depend on each other. */
import type { LeftOutEndpoint } from '../model/telemetry-report.ts';
import type { HealthCheckConfig } from '../model/traffic-config.ts';
import type { Clock } from '../shared/clock.ts';
import type { Random } from '../shared/random.ts';
import type { UpstreamConnector } from './connection.ts';
import { Configuration } from './control/configuration.ts';
import { Drain } from './control/drain.ts';
import { createDnsServer } from './dns/create-dns-server.ts';
import type { DnsServer } from './dns/dns-server.ts';
import { createNameResolver, EndpointNames } from './dns/endpoint-names.ts';
import { ConnectionFaults } from './faults/connection-faults.ts';
import { GatewayIntake } from './gateway/gateway-intake.ts';
import { Intake } from './listener/intake.ts';
import { ListenerSet } from './listener/listener-set.ts';
import { loadOriginalDestinationLookup } from './listener/original-destination.ts';
import { loadPortSharing, type PortSharing } from './listener/shared-port.ts';
import { type Logger, toMessage } from './logger.ts';
import { limitsFor, openFilesLimit } from './overload/open-files.ts';
import { Overload } from './overload/overload.ts';
import { OverloadWatch } from './overload/overload-watch.ts';
import { createRequestHandlers, type RequestHandlers } from './request-handlers.ts';
import { TcpHandler } from './tcp/tcp-handler.ts';
import { ProcessFigures } from './telemetry/process-figures.ts';
import { Telemetry } from './telemetry/telemetry.ts';
import { UnseenConnections } from './telemetry/unseen-connections.ts';
import { MeshTerminator } from './tls/mesh-terminator.ts';
import { createUpstreamConnector } from './tls/upstream-connector.ts';
import { WorkloadIdentity } from './tls/workload-identity.ts';
import { UdpCounter } from './udp/udp-counter.ts';
import { askEndpoint } from './upstream/ask-endpoint.ts';
import { HealthChecks } from './upstream/health-checks.ts';
import { heldBytes } from './wire/held-bytes.ts';

export interface PartOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly faultsAllowed: () => boolean;
  /** Listeners take ports over from an older sidecar that shares them. */
  readonly sharePorts: boolean;
  readonly logger: Logger;
}

export interface SidecarParts {
  readonly identity: WorkloadIdentity;
  readonly configuration: Configuration;
  readonly telemetry: Telemetry;
  readonly unseen: UnseenConnections;
  readonly udp: UdpCounter;
  readonly requests: RequestHandlers;
  readonly tcp: TcpHandler;
  readonly health: HealthChecks;
  readonly faults: ConnectionFaults;
  readonly listeners: ListenerSet;
  readonly dns: DnsServer;
  readonly drain: Drain;
  readonly logger: Logger;
  /** Ends everything at once. */
  close(): void;
}

export function assembleParts(options: PartOptions): SidecarParts {
  const { clock, logger } = options;
  const identity = new WorkloadIdentity();
  const connector = createUpstreamConnector(identity);
  const listening = () => configuration.source?.listeners ?? null;
  const figures = new ProcessFigures();
  const unseen = new UnseenConnections(listening);
  const udp = new UdpCounter(listening);
  const overload = new Overload(limitsFor(openFilesLimit()), heldBytes);
  const sources = { figures, unseen, udp, overload, leftOut: () => traffic.health.leftOut() };
  const processFigures = () => takeFigures(sources, listeners.connections);
  const telemetry = new Telemetry({ clock, processFigures });
  const shared = { ...options, identity, connector, telemetry, configuration: () => configuration };
  const traffic = createTraffic({ ...shared, overload });
  const { requests, tcp, faults, health } = traffic;
  const admission = new OverloadWatch(overload);
  const { listeners, dns } = createEntrances({ ...shared, ...traffic, admission });
  const names = new EndpointNames({ resolve: createNameResolver(), onChange: () => void renewEndpoints() });
  const configuration = new Configuration([listeners, dns], names);
  const renewEndpoints = async () => {
    await configuration.refresh();
    requests.configured();
  };
  const drain = new Drain(requests, tcp, listeners);
  const close = () => {
    drain.close();
    listeners.close();
    dns.close();
    names.close();
    health.close();
    requests.closeAll();
    tcp.closeAll();
    faults.close();
    figures.close();
    admission.close();
  };
  return { identity, configuration, telemetry, unseen, udp, ...traffic, listeners, dns, drain, logger, close };
}

interface Shared extends PartOptions {
  readonly identity: WorkloadIdentity;
  readonly connector: UpstreamConnector;
  readonly telemetry: Telemetry;
  readonly configuration: () => Configuration;
}

/** What carries requests and connections to where they go. */
function createTraffic(shared: Shared & { readonly overload: Overload }) {
  const { connector, telemetry, clock, random, faultsAllowed, logger, configuration, overload } = shared;
  const config = () => configuration().compiled;
  const nowMs = () => clock.nowMs();
  const faults = new ConnectionFaults({ configuration, nowMs, faultsAllowed, telemetry });
  const { toxics } = faults;
  const parts = { config, connector, telemetry, clock, random, faultsAllowed, toxics, admission: overload };
  const requests = createRequestHandlers(parts, logger);
  const edge = telemetry.edge.bind(telemetry);
  const tcp = new TcpHandler({ config, connector, edge, toxics, random, logger });
  const check = () => configuration().source?.healthCheck ?? null;
  const health = watchHealth({ check, connector, http: requests.clusters, tcp: tcp.clusters, random, clock, logger });
  return { faults, requests, tcp, health };
}

interface EntranceOptions extends Shared {
  readonly requests: RequestHandlers;
  readonly tcp: TcpHandler;
  readonly faults: ConnectionFaults;
  readonly admission: OverloadWatch;
}

/** What takes connections and questions in. */
function createEntrances(options: EntranceOptions): { listeners: ListenerSet; dns: DnsServer } {
  const { identity, connector, telemetry, clock, faultsAllowed, logger, configuration, requests, tcp, faults } =
    options;
  const config = () => configuration().compiled;
  const trustDomain = () => config().source.trustDomain;
  const terminator = new MeshTerminator(identity, trustDomain, { faulty: () => faults.faulty.draw() });
  const { http, http2, mux } = requests;
  const edge = telemetry.edge.bind(telemetry);
  const intakeParts = { config, http, http2, mux, tcp, terminator, edge, logger };
  const intake = new Intake(intakeParts);
  const gateway = new GatewayIntake(intakeParts);
  const dns = createDnsServer({ config, connector, telemetry, clock, faultsAllowed, logger });
  const listeners = new ListenerSet({
    accept: (socket, context) => {
      if (context.gateway === undefined) intake[context.direction](socket, context);
      else gateway.accept(socket, context, context.gateway);
    },
    acceptDns: (socket, resolver) => dns.acceptStream(socket, resolver),
    loadLookup: loadOriginalDestinationLookup,
    admission: options.admission,
    mayJoin: (kind) => kind === 'transparent' || options.sharePorts,
    loadSharing: () => tryPortSharing(logger),
    logger,
  });
  return { listeners, dns };
}

function watchHealth(parts: {
  readonly check: () => HealthCheckConfig | null;
  readonly connector: UpstreamConnector;
  readonly http: RequestHandlers['clusters'];
  readonly tcp: TcpHandler['clusters'];
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
}): HealthChecks {
  const { check, connector, http, tcp, random, clock, logger } = parts;
  return new HealthChecks({
    settings: check,
    http,
    tcp,
    ask: (endpoint, asked, signal) => askEndpoint(connector, endpoint, asked, signal),
    random,
    monotonicMs: () => clock.monotonicMs(),
    onChange: (message) => logger.warn(message),
  });
}

interface FigureSources {
  readonly figures: ProcessFigures;
  readonly unseen: UnseenConnections;
  readonly udp: UdpCounter;
  readonly overload: Overload;
  readonly leftOut: () => LeftOutEndpoint[];
}

function takeFigures({ figures, unseen, udp, overload, leftOut }: FigureSources, connections: number) {
  const counted = udp.take();
  const left = leftOut();
  const gone = left.length === 0 ? {} : { leftOut: left };
  const seen = { connections, unseenConnections: unseen.latest, overload: overload.take(), ...gone };
  return figures.take(counted === null ? seen : { ...seen, udp: counted });
}

/** `null` where the system or the FFI library cannot: then a newer program starts when this one has ended. */
function tryPortSharing(logger: Logger): PortSharing | null {
  if (process.platform !== 'linux') return null;
  try {
    return loadPortSharing();
  } catch (error) {
    logger.warn(`listeners cannot be shared with a newer sidecar: ${toMessage(error)}`);
    return null;
  }
}
