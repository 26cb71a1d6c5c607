/**
 * The mesh's certificate authority: one root per project, made once, which signs workload certificates. A root is
 * replaced in three persisted steps, so that no connection fails and a crash between two of them is safe:
 *
 *   introduce  the next root is in every trust bundle, the old one still signs
 *   activate   the next root signs, the old one is still trusted (`retiring`)
 *   finish     the old root is trusted no more
 *
 * Words: active root = the one that signs; trust bundle = roots that sidecars accept. Must not: know sidecars.
 */
import type { Clock } from '../../shared/clock.ts';
import { type CaState, type KeyProtector, type RootKeyPair, readCaState, writeCaState } from './ca-files.ts';
import { createRoot, type IssuedCertificate, issueWorkloadCertificate, type Validity } from './issue-certificate.ts';
import { issueServingCertificate, type ServingCertificate } from './issue-serving-certificate.ts';

export type RootRotation = 'none' | 'introduced' | 'activated';

export class CertificateAuthority {
  readonly #stateDir: string;
  readonly #protector: KeyProtector | null;
  readonly #clock: Clock;
  #state: CaState;

  private constructor(stateDir: string, protector: KeyProtector | null, clock: Clock, state: CaState) {
    this.#stateDir = stateDir;
    this.#protector = protector;
    this.#clock = clock;
    this.#state = state;
  }

  /** Reads the project's CA or makes it. Rejects with IDENTITY_FAILED or PROJECT_UNWRITABLE. */
  static async open(options: {
    readonly stateDir: string;
    readonly trustDomain: string;
    readonly protector: KeyProtector | null;
    readonly clock: Clock;
  }): Promise<CertificateAuthority> {
    const { stateDir, trustDomain, protector, clock } = options;
    const found = await readCaState(stateDir, protector);
    const state =
      found !== null && found.trustDomain === trustDomain
        ? found
        : { trustDomain, active: await createRoot(trustDomain, clock.nowMs()), next: null, retiring: [] };
    // Also when found: a protector that was given or taken away since changes how the key stands on disk.
    await writeCaState(stateDir, state, protector);
    return new CertificateAuthority(stateDir, protector, clock, state);
  }

  get trustDomain(): string {
    return this.#state.trustDomain;
  }

  get rootPem(): string {
    return this.#state.active.certificatePem;
  }

  /** Roots that sidecars must accept, the active one first. */
  get trustBundlePem(): string[] {
    const { active, next, retiring } = this.#state;
    return [active.certificatePem, ...(next === null ? [] : [next.certificatePem]), ...retiring];
  }

  get rotation(): RootRotation {
    if (this.#state.next !== null) return 'introduced';
    return this.#state.retiring.length > 0 ? 'activated' : 'none';
  }

  /** `validity`: instead of the usual, for faults. */
  issue(request: {
    csrPem: string;
    spiffeId: string;
    commonName: string;
    validity?: Validity;
  }): Promise<IssuedCertificate> {
    return issueWorkloadCertificate(this.#state.active, { ...request, nowMs: this.#clock.nowMs() });
  }

  /** For a gateway, with its key: outside clients know it by its names, not by an identity of the mesh. */
  issueServing(hosts: readonly string[]): Promise<ServingCertificate> {
    return issueServingCertificate(this.#state.active, { hosts, nowMs: this.#clock.nowMs() });
  }

  /** Makes the next root unless one is being introduced already. */
  async introduceRoot(): Promise<void> {
    if (this.#state.next !== null) return;
    const next: RootKeyPair = await createRoot(this.#state.trustDomain, this.#clock.nowMs());
    await this.#replace({ ...this.#state, next });
  }

  async activateRoot(): Promise<void> {
    const { active, next, retiring } = this.#state;
    if (next === null) return;
    await this.#replace({ ...this.#state, active: next, next: null, retiring: [active.certificatePem, ...retiring] });
  }

  async finishRootRotation(): Promise<void> {
    if (this.#state.retiring.length > 0) await this.#replace({ ...this.#state, retiring: [] });
  }

  async #replace(state: CaState): Promise<void> {
    await writeCaState(this.#stateDir, state, this.#protector);
    this.#state = state;
  }
}
