/**
 * The control stream: JSON messages over a WebSocket that runs over whatever byte stream reaches the sidecar (an exec's
 * stdio, a Unix socket). The sidecar is the WebSocket server, on a Unix socket of its own; the control plane dials in.
 * Both sides validate every message. A new connection supersedes the older one.
 *
 *   control plane                          sidecar
 *     hello {leaseMs, nowMs}        ->
 *                                   <-     hello {version, pid, revision, certificate serial or null}
 *     certificate.request {id}      ->                                  (make a key, send a CSR)
 *                                   <-     certificate.csr {id, csrPem}
 *     certificate.issued {id, ...}  ->
 *                                   <-     certificate.installed {id, serial}
 *     certificate.faulty {id, ...}  ->     in place of `issued`: what a fault shows to callers
 *     push {config}                 ->
 *                                   <-     ack {revision} | nack {revision, code, message}
 *     push.change {base, config...} ->     the services that differ from revision `base`, which must be in force
 *                                   <-     ack, or nack BASE_MISMATCH: then the whole configuration follows
 *     heartbeat {nowMs}             ->     every leaseMs / 3; renews the lease of faults
 *                                   <-     telemetry {...}  every second
 *     drain {deadlineMs, tcp}       ->     <- drain.progress {http, tcp} ... <- drained {http, tcp}
 *     share                         ->     <- shared {possible}           (a newer sidecar may take the ports over)
 *     retire {deadlineMs}           ->     <- as for drain
 */
import { z } from 'zod';
import { SidecarConfig } from './sidecar-config.ts';
import { TelemetryReport } from './telemetry-report.ts';

export const controlStreamVersion = 1;
/** A fault lives this long without a heartbeat of the control plane. */
export const defaultLeaseMs = 6_000;
/** Code of the NACK to a change whose base is not in force. */
export const baseMismatch = 'BASE_MISMATCH';
/** Largest message either side accepts. */
export const maxControlMessageBytes = 16 * 1024 * 1024;

const type = <T extends string>(value: T) => z.literal(value);

export const ToSidecar = z.discriminatedUnion('type', [
  z.strictObject({
    type: type('hello'),
    version: z.literal(controlStreamVersion),
    leaseMs: z.number().int().positive(),
    nowMs: z.number(),
  }),
  z.strictObject({ type: type('heartbeat'), nowMs: z.number() }),
  z.strictObject({ type: type('push'), config: SidecarConfig }),
  /** See `ConfigChange`. */
  z.strictObject({
    type: type('push.change'),
    base: z.number().int(),
    config: SidecarConfig,
    removed: z.array(z.string()),
  }),
  z.strictObject({ type: type('certificate.request'), id: z.string(), spiffeId: z.string() }),
  z.strictObject({
    type: type('certificate.issued'),
    id: z.string(),
    /** Workload certificate first, then intermediates. */
    chainPem: z.array(z.string()).min(1),
    /** Roots to accept; two while the root rotates. */
    trustBundlePem: z.array(z.string()).min(1),
  }),
  /** For a request as before: a certificate that callers see while `fault` (an injection's id) is in force. */
  z.strictObject({
    type: type('certificate.faulty'),
    id: z.string(),
    fault: z.string(),
    chainPem: z.array(z.string()).min(1),
  }),
  z.strictObject({ type: type('trust'), trustBundlePem: z.array(z.string()).min(1) }),
  z.strictObject({
    type: type('drain'),
    /** HTTP connections end between requests; whatever is left after this is closed. */
    deadlineMs: z.number().int().min(0),
    /** `keep`: long-lived TCP connections live until they end or the deadline; `close`: they are closed now. */
    tcp: z.enum(['keep', 'close']),
  }),
  /** A newer sidecar of the same workload is about to listen on the same ports: lets it, where the system can. */
  z.strictObject({ type: type('share') }),
  /**
   * A newer sidecar of the same workload listens on the same ports: this one stops listening without losing a connection
   * that is on its way, then drains; TCP lives until it ends or the deadline.
   */
  z.strictObject({ type: type('retire'), deadlineMs: z.number().int().min(0) }),
  /** Takes a drain back: attach came again before the sidecar had ended. */
  z.strictObject({ type: type('undrain') }),
]);
export type ToSidecar = z.infer<typeof ToSidecar>;

const Counts = { http: z.number().int().min(0), tcp: z.number().int().min(0) };

export const FromSidecar = z.discriminatedUnion('type', [
  z.strictObject({
    type: type('hello'),
    version: z.literal(controlStreamVersion),
    /** Version of the sidecar program and of its Node. */
    program: z.string(),
    node: z.string(),
    pid: z.number().int(),
    /** Revision in force; `null` before the first push. */
    revision: z.number().int().nullable(),
    /** Serial of the certificate in use, hex; `null` without one. */
    certificateSerial: z.string().nullable(),
  }),
  z.strictObject({ type: type('ack'), revision: z.number().int() }),
  z.strictObject({ type: type('nack'), revision: z.number().int().nullable(), code: z.string(), message: z.string() }),
  z.strictObject({ type: type('certificate.csr'), id: z.string(), csrPem: z.string() }),
  z.strictObject({ type: type('certificate.installed'), id: z.string(), serial: z.string() }),
  z.strictObject({ type: type('certificate.failed'), id: z.string(), message: z.string() }),
  z.strictObject({ type: type('telemetry'), report: TelemetryReport }),
  z.strictObject({ type: type('drain.progress'), ...Counts }),
  z.strictObject({ type: type('drained'), ...Counts }),
  z.strictObject({ type: type('shared'), possible: z.boolean() }),
  z.strictObject({ type: type('log'), level: z.enum(['info', 'warn', 'error']), message: z.string() }),
]);
export type FromSidecar = z.infer<typeof FromSidecar>;
