/**
 * One sidecar: its parts, what it remembers of an earlier run, and the control stream that tells it what to do. `main.ts`
 * runs one per process; tests run several in one.
 */
import type { Clock } from '../shared/clock.ts';
import type { Random } from '../shared/random.ts';
import type { Configuration } from './control/configuration.ts';
import { ControlServer } from './control/control-server.ts';
import type { Drain } from './control/drain.ts';
import { FaultLease } from './control/fault-lease.ts';
import { MeshClock, systemClock } from './control/mesh-clock.ts';
import { StateFile } from './control/saved-state.ts';
import { toEffects } from './control-effects.ts';
import { createLogger, type Logger, type LogLevel, toMessage } from './logger.ts';
import { assembleParts } from './sidecar-parts.ts';
import type { WorkloadIdentity } from './tls/workload-identity.ts';
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
  const { clock: localClock = systemClock, random = Math.random, sharePorts = false } = options;
  let forwardLog: (level: LogLevel, message: string) => void = () => undefined;
  const logger = createLogger(options.logLevel, options.writeLog, (level, message) => forwardLog(level, message));
  const clock = new MeshClock(localClock);
  const lease = new FaultLease(localClock);
  const parts = assembleParts({ clock, random, faultsAllowed: () => lease.isValid, sharePorts, logger });
  const { identity, configuration, requests, tcp, health, drain } = parts;

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
    requests.mux.renew();
    void save();
  };

  const control = new ControlServer(toEffects(options.program, { ...parts, clock, lease, save }), logger);
  forwardLog = (level, message) => control.log(level, message);
  await control.listen(options.socketPath);
  logger.info(`control stream on ${options.socketPath}`);

  return {
    close: async (graceMs = 0) => {
      await control.close();
      if (graceMs > 0 && requests.active + tcp.active > 0) await endPolitely(drain, graceMs);
      parts.close();
    },
  };
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
