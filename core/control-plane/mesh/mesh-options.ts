import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Random } from '../../shared/random.ts';
import type { Credentials } from '../credentials/credentials.ts';
import type { KeyProtector } from '../identity/ca-files.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ResourceStore } from './resource-store.ts';

export interface MeshOptions {
  /** Folder of the project's state (0700): `ca/` and `attached.json` are kept in it. */
  readonly stateDir: string;
  /** Version of the product. */
  readonly version: string;
  readonly project: { readonly dir: string; readonly name: string };
  readonly runtimes: readonly Runtime[];
  readonly resources: ResourceStore;
  /** Certificates of gateways; absent: they show certificates of the mesh. */
  readonly credentials?: Credentials;
  readonly log: Logger;
  /** Default `cluster.local`. */
  readonly trustDomain?: string;
  /** Where mesh-wide policies live; default `istio-system`. */
  readonly rootNamespace?: string;
  /** Seals the CA's key on disk; absent: the file's mode (0600) protects it. */
  readonly keyProtector?: KeyProtector | null;
  /** State of the sample shop, for `status()`. */
  readonly sampleState?: () => 'stopped' | 'starting' | 'running';
  /** Tests only. */
  readonly clock?: Clock;
  readonly random?: Random;
  /** Faults live this long without a heartbeat; default 6,000. */
  readonly leaseMs?: number;
}
