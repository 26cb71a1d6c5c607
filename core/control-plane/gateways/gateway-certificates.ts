import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GatewayCertificate, GatewayServerConfig } from '../../model/gateway-config.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import { filesPrefix } from '../../snapshot/gateways/server-tls.ts';
import type { Credentials } from '../credentials/credentials.ts';
import type { CertificateAuthority } from '../identity/certificate-authority.ts';
import type { ServingCertificate } from '../identity/issue-serving-certificate.ts';

export interface GatewayCertificatesOptions {
  readonly authority: CertificateAuthority;
  /** `null`: the project has none. */
  readonly credentials: Credentials | null;
  readonly stateDir: string;
  readonly clock: Clock;
  /** There is a certificate now that was asked for before. */
  readonly onIssued: () => void;
  readonly log: Logger;
}

/** What browsers call this machine, whatever the Gateway's hosts are. */
const localNames = ['localhost', '*.localhost', '127.0.0.1', '::1'];
/** Of their life, after which they are made anew. */
const renewAt = 0.5;

/** Puts certificates and keys into the configurations of gateways, on their way out: the project's, else the mesh's own. */
export class GatewayCertificates {
  readonly #options: GatewayCertificatesOptions;
  readonly #issued = new Map<string, ServingCertificate & { readonly rootPem: string; readonly renewAtMs: number }>();
  readonly #underWay = new Set<string>();

  constructor(options: GatewayCertificatesOptions) {
    this.#options = options;
  }

  /** Of other workloads: as it is. What has to be made first is missing, and `onIssued` tells when it is there. */
  complete(config: SidecarConfig): SidecarConfig {
    const { gateway } = config;
    if (gateway === undefined) return config;
    const servers = gateway.ports.flatMap((port) => port.servers);
    const names = [...new Set(servers.flatMap(({ tls }) => tls?.certificates ?? []))];
    const certificates = names.flatMap((name) => this.#find(name, servers) ?? []);
    const cas = [...new Set(servers.flatMap(({ tls }) => tls?.clientCa ?? []))];
    const clientCas = cas.flatMap((name) => {
      const caPem = this.#options.credentials?.findRoots(name) ?? null;
      return caPem === null ? [] : [{ name, caPem }];
    });
    return {
      ...config,
      gateway: { ...gateway, certificates, ...(clientCas.length === 0 ? {} : { clientCas }) },
    };
  }

  #find(name: string, servers: readonly GatewayServerConfig[]): GatewayCertificate | null {
    const { credentials } = this.#options;
    if (name.startsWith(filesPrefix)) void credentials?.include(name);
    const own = credentials?.find(name) ?? null;
    if (own !== null) return { name, ...own };
    const hosts = servers.filter(({ tls }) => tls?.certificates.includes(name)).flatMap((server) => server.names);
    const issued = this.#issuedFor(hosts);
    return issued === null ? null : { name, chainPem: issued.chainPem, keyPem: issued.keyPem };
  }

  #issuedFor(given: readonly string[]): ServingCertificate | null {
    const { authority, clock } = this.#options;
    const named = given.filter((host) => host !== '*' && !/^\*[^.]/.test(host) && host.includes('.'));
    const hosts = [...new Set([...named, ...localNames])].sort();
    const key = hosts.join(' ');
    const known = this.#issued.get(key);
    const isGood = known !== undefined && known.rootPem === authority.rootPem && known.renewAtMs > clock.nowMs();
    if (!isGood) void this.#issue(key, hosts);
    return known ?? null;
  }

  async #issue(key: string, hosts: readonly string[]): Promise<void> {
    if (this.#underWay.has(key)) return;
    this.#underWay.add(key);
    const { authority, clock, log, onIssued, stateDir } = this.#options;
    try {
      const { rootPem } = authority;
      const made = await authority.issueServing(hosts);
      const renewAtMs = clock.nowMs() + (made.notAfterMs - clock.nowMs()) * renewAt;
      this.#issued.set(key, { ...made, rootPem, renewAtMs });
      await writeFile(join(stateDir, rootFile), rootPem);
      onIssued();
    } catch (error) {
      log.error('a certificate for a gateway could not be made', error);
    } finally {
      this.#underWay.delete(key);
    }
  }
}

/** In the state folder: the root that clients have to trust when a gateway shows a certificate of the mesh. */
export const rootFile = 'mesh-root.crt';
