/**
 * One sidecar: its parts, in the order in which they depend on each other. `main.ts` runs one per process; tests run
 * several in one.
 */
import type { LeftOutEndpoint } from '../model/telemetry-report.ts';
import type { HealthCheckConfig } from '../model/traffic-config.ts';
import type { Clock } from '../shared/clock.ts';
import type { Random } from '../shared/random.ts';
import type { UpstreamConnector } from './connection.ts';
import { Configuration } from './control/configuration.ts';
import { ControlServer } from './control/control-server.ts';
import type { ControlEffects } from './control/control-session.ts';
import { Drain } from './control/drain.ts';
import { FaultLease } from './control/fault-lease.ts';
import { MeshClock, systemClock } from './control/mesh-clock.ts';
import { StateFile } from './control/saved-state.ts';
import { createDnsServer } from './dns/create-dns-server.ts';
import type { DnsServer } from './dns/dns-server.ts';
import { createNameResolver, EndpointNames } from './dns/endpoint-names.ts';
import { ConnectionFaults } from './faults/connection-faults.ts';
import { GatewayIntake } from './gateway/gateway-intake.ts';
import { Intake } from './listener/intake.ts';
import { ListenerSet } from './listener/listener-set.ts';
import { loadOriginalDestinationLookup } from './listener/original-destination.ts';
import { loadPortSharing, type PortSharing } from './listener/shared-port.ts';
import { createLogger, type Logger, type LogLevel, toMessage } from './logger.ts';
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
import { chooseWires } from './wire/open-wire.ts';

export interface SidecarOptions {
  /** Path of the control stream's Unix socket, or a Windows named pipe. */
  readonly socketPath: string;
  /** Where the last good configuration and certificate are kept; `null`: nowhere. */
  readonly statePath: string | null;
  readonly logLevel: LogLevel;
  readonly writeLog: (line: string) => void;
  /** Name and version of the program, for the control plane. */
  readonly program: string;
  /**
   * Takes the ports of its first configuration over from an older sidecar that shares them (host processes). Redirected
   * traffic: always, where the system can. By mistake it would take somebody else's traffic without an error.
   */
  readonly sharePorts?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface RunningSidecar {
  /** Ends connections between requests for at most `graceMs`, then everything. */
  close(graceMs?: number): Promise<void>;
}

export async function startSidecar(options: SidecarOptions): Promise<RunningSidecar> {
  const { clock: localClock = systemClock, random = Math.random } = options;
  let forwardLog: (level: LogLevel, message: string) => void = () => undefined;
  const logger = createLogger(options.logLevel, options.writeLog, (level, message) => forwardLog(level, message));
  const clock = new MeshClock(localClock);
  const lease = new FaultLease(localClock);
  const identity = new WorkloadIdentity();
  const connector = createUpstreamConnector(identity);

  const figures = new ProcessFigures();
  const unseen = new UnseenConnections(() => configuration.source?.listeners ?? null);
  const udp = new UdpCounter(() => configuration.source?.listeners ?? null);
  const overload = new Overload(limitsFor(openFilesLimit()), heldBytes);
  const sources = { figures, unseen, udp, overload, leftOut: () => health.leftOut() };
  const processFigures = () => takeFigures(sources, listeners.connections);
  const telemetry = new Telemetry({ clock, processFigures });

  const config = () => configuration.compiled;
  const edge = telemetry.edge.bind(telemetry);
  const faultsAllowed = () => lease.isValid;
  const nowMs = () => clock.nowMs();
  const faults = new ConnectionFaults({ configuration: () => configuration, nowMs, faultsAllowed, telemetry });
  const { toxics } = faults;
  const parts = { config, connector, telemetry, clock, random, faultsAllowed, toxics, admission: overload };
  const requests = createRequestHandlers(parts, logger);
  const tcp = new TcpHandler({ config, connector, edge, toxics, random, logger });
  const check = () => configuration.source?.healthCheck ?? null;
  const health = watchHealth({ check, connector, http: requests.clusters, tcp: tcp.clusters, random, clock, logger });
  const trustDomain = () => configuration.compiled.source.trustDomain;
  const terminator = new MeshTerminator(identity, trustDomain, { faulty: () => faults.faulty.draw() });
  const { http, mux } = requests;
  const intakeParts = { config, http, http2: requests.http2, mux, tcp, terminator, edge, logger };
  const intake = new Intake(intakeParts);
  const gateway = new GatewayIntake(intakeParts);
  const admission = new OverloadWatch(overload);
  const dns = createDnsServer({ config, connector, telemetry, clock, faultsAllowed, logger });
  const listeners = new ListenerSet({
    accept: (socket, context) => {
      if (context.gateway === undefined) intake[context.direction](socket, context);
      else gateway.accept(socket, context, context.gateway);
    },
    acceptDns: (socket, resolver) => dns.acceptStream(socket, resolver),
    loadLookup: loadOriginalDestinationLookup,
    admission,
    mayJoin: (kind) => kind === 'transparent' || options.sharePorts === true,
    loadSharing: () => tryPortSharing(logger),
    logger,
  });
  const names = new EndpointNames({ resolve: createNameResolver(), onChange: () => void renewEndpoints() });
  const configuration = new Configuration([listeners, dns], names);
  const renewEndpoints = async () => {
    await configuration.refresh();
    requests.configured();
  };
  const drain = new Drain(requests, tcp, listeners);

  const state = options.statePath === null ? null : new StateFile(options.statePath);
  const save = async () => {
    try {
      await state?.write({ config: configuration.source, identity: toSaved(identity) });
    } catch (error) {
      logger.warn(`the state could not be saved, a restart will wait for the control plane: ${toMessage(error)}`);
    }
  };
  if ((await chooseWires()) === 'socket')
    logger.info('connections are read and written through sockets, not raw handles');
  if (state !== null) await resume(state, configuration, identity, logger);
  health.configured();
  identity.onChange = () => {
    mux.renew();
    void save();
  };

  const traffic = { configuration, requests, health, listeners, dns, drain, faults };
  const effects = { clock, lease, identity, ...traffic, telemetry, unseen, udp, logger, save };
  const control = new ControlServer(toEffects(options.program, effects), logger);
  forwardLog = (level, message) => control.log(level, message);
  await control.listen(options.socketPath);
  logger.info(`control stream on ${options.socketPath}`);

  return {
    close: async (graceMs = 0) => {
      await control.close();
      if (graceMs > 0 && requests.active + tcp.active > 0) await endPolitely(drain, graceMs);
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
    },
  };
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

interface Parts {
  readonly clock: MeshClock;
  readonly lease: FaultLease;
  readonly identity: WorkloadIdentity;
  readonly configuration: Configuration;
  readonly health: HealthChecks;
  readonly requests: Pick<RequestHandlers, 'configured' | 'mux'>;
  readonly listeners: ListenerSet;
  readonly dns: DnsServer;
  readonly drain: Drain;
  readonly faults: ConnectionFaults;
  readonly telemetry: Telemetry;
  readonly unseen: UnseenConnections;
  readonly udp: UdpCounter;
  readonly logger: Logger;
  readonly save: () => Promise<void>;
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

/** What each message of the control plane does, part by part. */
function toEffects(program: string, parts: Parts): ControlEffects {
  const {
    clock,
    lease,
    identity,
    configuration,
    requests,
    health,
    listeners,
    dns,
    drain,
    faults,
    telemetry,
    unseen,
    udp,
    logger,
    save,
  } = parts;
  return {
    program,
    revision: () => configuration.revision,
    config: () => configuration.source,
    certificateSerial: () => identity.serial,
    beginLease: (leaseMs, nowMs) => {
      clock.adjust(nowMs);
      lease.begin(leaseMs);
    },
    heartbeat: (nowMs) => {
      clock.adjust(nowMs);
      lease.renew();
    },
    push: async (next) => {
      await configuration.apply(next);
      requests.configured();
      health.configured();
      lease.arm();
      faults.configured();
      await save();
    },
    createCertificateRequest: (id, spiffeId) => identity.createRequest(id, spiffeId),
    installCertificate: (id, chainPem, bundlePem) => identity.install(id, chainPem, bundlePem),
    installFaultyCertificate: (id, fault, chainPem) => {
      const serial = faults.faulty.install(fault, { keyPem: identity.claimKey(id), chainPem });
      // Callers that are connected would never see it.
      requests.mux.renew();
      return serial;
    },
    trust: (bundlePem) => identity.trust(bundlePem),
    drain: (request) => {
      listeners.closeOutbound();
      drain.begin(request);
    },
    share: () => listeners.share(),
    retire: (request) => {
      listeners.retire();
      dns.retire();
      drain.begin(request);
    },
    undrain: () => {
      drain.undo();
      listeners.reopenOutbound().catch((error: unknown) => logger.error(toMessage(error), error));
    },
    takeReport: () => {
      unseen.refresh();
      udp.refresh();
      return telemetry.takeReport();
    },
  };
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

/** Goes on where an earlier run of this sidecar ended; without anything usable it waits for the control plane. */
async function resume(state: StateFile, configuration: Configuration, identity: WorkloadIdentity, logger: Logger) {
  try {
    const saved = await state.read();
    if (saved === null) return;
    if (saved.identity !== null) identity.restore(saved.identity);
    if (saved.config !== null) await configuration.apply(saved.config);
    logger.info(`resumed with revision ${configuration.revision}`);
  } catch (error) {
    logger.warn(`the saved state is of no use, waiting for the control plane: ${toMessage(error)}`);
    await state.discard();
  }
}

function toSaved(identity: WorkloadIdentity) {
  const { material } = identity;
  if (material === null) return null;
  return { keyPem: material.keyPem, chainPem: [...material.chainPem], trustBundlePem: [...material.trustBundlePem] };
}

function endPolitely(drain: Drain, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    drain.begin({ deadlineMs: graceMs, tcp: 'keep', onProgress: () => undefined, onDone: () => resolve() });
  });
}
