/**
 * Errors that a user can meet. One table: code -> what to do about it; docs/errors.md is written from it.
 * Everything that is not a `MeshError` is a bug and crosses the wire as `INTERNAL`.
 */
export const errorCatalogue = {
  BAD_REQUEST: 'The call does not fit the contract; the issues say which field and why.',
  NOT_FOUND: 'Check the name; `meshdesk workloads` lists what there is.',
  AMBIGUOUS_NAME: 'Several workloads have this name; use one of the ids that the message lists.',
  CONFLICT: 'Somebody else works on the same thing, or has changed it: look at what there is now, then try again.',
  ENGINE_UNAVAILABLE:
    'Start Docker (or set DOCKER_HOST to the right socket); Meshdesk connects by itself once it answers.',
  ENGINE_FAILED: 'The container engine refused; its own words are in the message. `meshdesk doctor` checks the engine.',
  IMAGE_BUILD_FAILED: 'Set MESHDESK_BASE_IMAGE to an image with Node and iptables that your engine has or can pull.',
  HOST_NETWORK: 'A container on the host network shares the host: give it a network of its own to attach it.',
  NO_NETWORK: 'The container has no network (network_mode: none), so there is no traffic to see.',
  SHARED_NETWORK: 'Attach the container that owns the network namespace; its sidecar serves both.',
  WINDOWS_CONTAINER: 'Windows containers have no Linux network namespace to join.',
  NOT_RUNNING: 'Start the workload first; it is attached as soon as it runs.',
  ATTACH_FAILED: 'Nothing was changed at the workload. The message names the step; try again or run `meshdesk doctor`.',
  DETACH_FAILED: '`meshdesk cleanup` removes everything that is left of the mesh.',
  RENEW_FAILED:
    'The message names the step and says which sidecar serves the workload now; try again, or detach and attach it.',
  REDIRECT_FAILED: 'The engine host must allow iptables (nat) in containers; `meshdesk doctor` says what is missing.',
  SIDECAR_UNREACHABLE: 'The sidecar did not answer; it is restarted by itself. See its log in Workloads.',
  CONFIG_REJECTED: 'A sidecar refused its configuration and keeps the last good one; the message says why.',
  IDENTITY_FAILED: 'The certificate could not be issued; the message says why. `cert rotate` tries again.',
  NOT_EXPLAINED:
    'Rules are applied by the sidecar of the caller: attach the caller, then explain a request that it made.',
  UNKNOWN_SUBSET: 'Use a version that the service has; `meshdesk split show SERVICE` lists them.',
  INVALID_RESOURCE: 'Fix the file at the line that the issues name; the last good configuration stays in force.',
  UNSUPPORTED_PROTOCOL: 'HTTP faults and header routes need HTTP; this edge speaks TCP.',
  PROJECT_LOCKED: 'Another Meshdesk runs for this project; use it, or end it first.',
  PROJECT_UNWRITABLE:
    'Make room on that disk, or choose a project folder that you may write to (--project DIR). What was there before is untouched.',
  EXPORT_FAILED: 'Choose a folder that you may write to, and that is empty or an earlier export.',
  UNAUTHORIZED: 'Open the address that `meshdesk serve` printed; its token is valid once.',
  SAMPLE_FAILED: 'The sample shop could not start; the message says which service and why.',
  INTERNAL: 'This is a bug in Meshdesk; the log has the details.',
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

/** One problem of an input: where (`spec.http[0].route`) and what. */
export interface Issue {
  readonly path: string;
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

export class MeshError extends Error {
  override readonly name = 'MeshError';
  readonly code: ErrorCode;
  readonly issues: readonly Issue[];

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; issues?: readonly Issue[] } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.issues = options.issues ?? [];
  }

  /** What the user can do about it. */
  get hint(): string {
    return errorCatalogue[this.code];
  }
}
