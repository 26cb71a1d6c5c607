/**
 * The sidecar's identity: a key made here, the certificate issued for it, the roots it trusts. Private keys never leave
 * this process (but for the state file of the same sidecar, see control/saved-state.ts).
 *
 * generation  counts certificates and trust bundles; pooled upstream connections of an older one are not used for new
 *             requests. Connections that are open live on: the two overlap, so that rotation fails no request.
 */
import { createPrivateKey, generateKeyPair, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { promisify } from 'node:util';
import { createCertificateRequest } from './certificate-request.ts';
import { spiffeIdOf } from './spiffe.ts';

/** What the identity is made of, as text. */
export interface IdentityMaterial {
  readonly keyPem: string;
  readonly chainPem: readonly string[];
  readonly trustBundlePem: readonly string[];
}

interface PendingKey {
  readonly keyPem: string;
  readonly spiffeId: string;
}

/** Requests in flight at most; an older one is forgotten. */
const maxPending = 4;

export class WorkloadIdentity {
  readonly #pending = new Map<string, PendingKey>();
  #material: IdentityMaterial | null = null;
  #context: SecureContext | null = null;
  #serial: string | null = null;
  #generation = 0;
  #onChange: () => void = () => undefined;

  get generation(): number {
    return this.#generation;
  }

  /** Context for either side of a mesh connection; `null` before the first certificate. */
  get context(): SecureContext | null {
    return this.#context;
  }

  get material(): IdentityMaterial | null {
    return this.#material;
  }

  /** Serial number of the certificate in use, lower-case hex. */
  get serial(): string | null {
    return this.#serial;
  }

  /** Called after each change of certificate or trust bundle. */
  set onChange(handler: () => void) {
    this.#onChange = handler;
  }

  /** Makes a key (EC P-256) and returns the request for it. The key is kept under `id` until `install`. */
  async createRequest(id: string, spiffeId: string): Promise<string> {
    const { privateKey, publicKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
    this.#pending.set(id, { keyPem: toKeyPem(privateKey), spiffeId });
    for (const oldest of this.#pending.keys()) {
      if (this.#pending.size <= maxPending) break;
      this.#pending.delete(oldest);
    }
    return createCertificateRequest(privateKey, publicKey, spiffeId);
  }

  /** Puts the certificate issued for request `id` in force. Throws, with the reason, when it does not fit. */
  install(id: string, chainPem: readonly string[], trustBundlePem: readonly string[]): string {
    const pending = this.#pending.get(id);
    if (pending === undefined) throw new Error(`no certificate request '${id}' is open in this sidecar`);
    const serial = this.#use({ keyPem: pending.keyPem, chainPem, trustBundlePem }, pending.spiffeId);
    this.#pending.delete(id);
    return serial;
  }

  /** The key of request `id`, for a certificate that is not this workload's own. Throws when there is none. */
  claimKey(id: string): string {
    const pending = this.#pending.get(id);
    if (pending === undefined) throw new Error(`no certificate request '${id}' is open in this sidecar`);
    this.#pending.delete(id);
    return pending.keyPem;
  }

  /** Replaces the accepted roots. Without a certificate there is nothing to replace yet: `install` brings them. */
  trust(trustBundlePem: readonly string[]): void {
    if (this.#material !== null) this.#use({ ...this.#material, trustBundlePem }, null);
  }

  /** Takes over what an earlier run of this sidecar had. Throws when the certificate has expired or does not fit its key. */
  restore(material: IdentityMaterial): void {
    this.#use(material, null);
  }

  #use(material: IdentityMaterial, spiffeId: string | null): string {
    const [leafPem] = material.chainPem;
    if (leafPem === undefined) throw new Error('the certificate chain is empty');
    const leaf = new X509Certificate(leafPem);
    if (!leaf.checkPrivateKey(createPrivateKey(material.keyPem))) {
      throw new Error('the certificate was issued for another key than the one of the request');
    }
    const names = spiffeIdOf(leaf);
    if (names === null) throw new Error('the certificate has no SPIFFE ID as its only URI name');
    if (spiffeId !== null && names !== spiffeId)
      throw new Error(`the certificate is for ${names}, not for ${spiffeId}`);
    if (new Date(leaf.validTo).getTime() <= Date.now())
      throw new Error(`the certificate has expired on ${leaf.validTo}`);
    this.#context = createSecureContext({
      key: material.keyPem,
      cert: material.chainPem.join('\n'),
      ca: [...material.trustBundlePem],
      minVersion: 'TLSv1.3',
    });
    this.#material = material;
    this.#serial = leaf.serialNumber.toLowerCase();
    this.#generation += 1;
    this.#onChange();
    return this.#serial;
  }
}

function toKeyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
