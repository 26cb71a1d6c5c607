/**
 * The ports this sidecar listens on. A new configuration opens what is new, closes what is gone and leaves everything
 * else alone; if one port cannot be opened, nothing changes. Connections outlive the listener they came through.
 */
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import type { ListenerConfig } from '../../model/sidecar-config.ts';
import type { Address, DownstreamContext } from '../connection.ts';
import { type Logger, toMessage } from '../logger.ts';
import { normalizeIp, type OriginalDestinationLookup } from './original-destination.ts';
import { descriptorOfServer, type PortSharing, toListenOptions } from './shared-port.ts';

/** What a listener is for; a later configuration may give the same address another purpose. */
type Purpose =
  | { readonly kind: 'transparent'; readonly direction: 'outbound' | 'inbound' }
  | { readonly kind: 'service'; readonly key: string; readonly port: number }
  | { readonly kind: 'application'; readonly target: Address & { readonly servicePort: number } }
  | { readonly kind: 'dns' }
  | { readonly kind: 'proxy' }
  | { readonly kind: 'gateway'; readonly port: number };

interface Wanted {
  readonly address: Address;
  readonly purpose: Purpose;
}

/** Whether there is room for one more connection; each that was let in is given back exactly once. */
export interface ConnectionAdmission {
  /** False: it is reset. */
  opened(listener: string): boolean;
  closed(listener: string): void;
}

export interface ListenerSetOptions {
  readonly accept: (socket: Socket, context: DownstreamContext) => void;
  /** A redirected connection to a resolver. */
  readonly acceptDns: (socket: Socket, resolver: Address) => void;
  /** Loads the lookup; called when the first transparent configuration arrives. */
  readonly loadLookup: () => OriginalDestinationLookup;
  readonly admission: ConnectionAdmission;
  /** Loads what lets two sidecars listen on the same ports, when it is first needed; `null`: the system cannot. */
  readonly loadSharing: () => PortSharing | null;
  /** Whether the first configuration may open ports that another sidecar shares, to take over from it. */
  readonly mayJoin: (kind: ListenerConfig['kind']) => boolean;
  readonly logger: Logger;
}

/** Connections the kernel keeps for us while the event loop is busy. */
const backlog = 1_024;
const keepAliveDelayMs = 60_000;
const closeOutboundAfterMs = 300;
/** A handshake that began before the newcomer listened is over by then, even if a packet had to be sent again. */
const closeRetiredAfterMs = 1_500;

export class ListenerSet {
  readonly #options: ListenerSetOptions;
  readonly #servers = new Map<string, Server>();
  readonly #sockets = new Set<Socket>();
  /** Accepted by listeners whose configuration is not in force yet: applications call as soon as a port is open. */
  readonly #early = new Map<string, Socket[]>();
  #purposes: ReadonlyMap<string, Purpose> = new Map();
  #lookup: OriginalDestinationLookup | null = null;
  #sharing: PortSharing | null | undefined;
  #config: ListenerConfig | null = null;
  #outboundClosed = false;
  #isRetired = false;
  #closing: NodeJS.Timeout | null = null;

  constructor(options: ListenerSetOptions) {
    this.#options = options;
  }

  /** Accepted connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Opens the new listeners of a configuration. `commit` makes it so; `rollback` closes them again. Rejects when one cannot be opened. */
  async prepare(config: ListenerConfig): Promise<{ commit(): void; rollback(): void }> {
    if (this.#isRetired) throw new Error('another sidecar has taken over the listeners');
    if (config.kind === 'transparent') this.#lookup ??= this.#options.loadLookup();
    const wanted = toWanted(this.#outboundClosed && !this.isClosing ? withoutOutbound(config) : config);
    const joins = (this.#config === null || config.kind === 'transparent') && this.#options.mayJoin(config.kind);
    const sharing = joins ? this.#loadSharing() : null;
    const opened = new Map<string, Server>();
    const rollback = () => {
      for (const server of opened.values()) server.close();
      for (const id of wanted.keys()) for (const socket of this.#takeEarly(id)) socket.destroy();
    };
    try {
      for (const [id, { address }] of wanted) {
        if (this.#servers.has(id) || opened.has(id)) continue;
        this.#early.set(id, []);
        opened.set(id, await this.#open(id, address, sharing));
      }
    } catch (error) {
      rollback();
      throw error;
    }
    const commit = () => {
      this.#config = config;
      this.#purposes = new Map([...wanted].map(([id, { purpose }]) => [id, purpose]));
      for (const [id, server] of opened) this.#servers.set(id, server);
      for (const [id, server] of this.#servers) {
        if (wanted.has(id)) continue;
        this.#servers.delete(id);
        server.close();
      }
      for (const id of opened.keys()) for (const socket of this.#takeEarly(id)) this.#serve(id, socket);
    };
    return { commit, rollback };
  }

  /**
   * Explicit listeners only: refuses the application's new connections, so that it takes its own way again; no push
   * opens the listeners until `reopenOutbound`. Redirect rules are taken away by the control plane instead.
   */
  closeOutbound(): void {
    if (this.#outboundClosed) return;
    this.#outboundClosed = true;
    const isOutbound = ({ kind }: Purpose) => kind === 'service' || kind === 'proxy';
    if (![...this.#purposes.values()].some(isOutbound)) return;
    // Closing resets what the kernel has queued, so clients get a moment to be told (`Connection: close`) and to leave.
    this.#closing = setTimeout(() => {
      this.#closing = null;
      for (const [id, purpose] of this.#purposes) {
        if (!isOutbound(purpose)) continue;
        this.#servers.get(id)?.close();
        this.#servers.delete(id);
      }
    }, closeOutboundAfterMs);
  }

  /**
   * A newer sidecar of this workload may listen on the same ports from now on. False: it cannot, and this one has to end
   * first. Until then ports are this sidecar's alone, so that nobody takes its traffic by mistake.
   */
  share(): boolean {
    const sharing = this.#loadSharing();
    if (sharing === null) return false;
    const descriptors = [...this.#servers.values()].map(descriptorOfServer);
    return descriptors.every((fd) => fd !== null && sharing.allow(fd) === 0);
  }

  /**
   * Another sidecar of this workload listens on the same ports now, and new connections go there: closes every listener
   * as soon as nothing can be on its way to it any more. Connections live on.
   */
  retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#stopClosing();
    this.#closing = setTimeout(() => {
      this.#closing = null;
      for (const server of this.#servers.values()) server.close();
      this.#servers.clear();
    }, closeRetiredAfterMs);
  }

  /** True until `closeOutbound` has done its work: a drain is not over before. */
  get isClosing(): boolean {
    return this.#closing !== null;
  }

  /** Takes `closeOutbound` back. Rejects when a port was taken by somebody else meanwhile. */
  async reopenOutbound(): Promise<void> {
    if (!this.#outboundClosed) return;
    this.#outboundClosed = false;
    this.#stopClosing();
    if (this.#config !== null) (await this.prepare(this.#config)).commit();
  }

  #stopClosing(): void {
    if (this.#closing !== null) clearTimeout(this.#closing);
    this.#closing = null;
  }

  close(): void {
    this.#stopClosing();
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #open(id: string, address: Address, sharing: PortSharing | null): Promise<Server> {
    const server = createServer(
      {
        allowHalfOpen: true,
        pauseOnConnect: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAliveDelayMs,
      },
      (socket) => this.#onConnection(id, socket),
    );
    try {
      await listen(server, toOptions(address, sharing));
    } catch (error) {
      const hasNoIpv6 = isCode(error, 'EAFNOSUPPORT') || isCode(error, 'EADDRNOTAVAIL');
      if (address.host !== '::' || !hasNoIpv6) {
        throw new Error(`cannot listen on ${address.host}:${address.port}: ${toMessage(error)}`, { cause: error });
      }
      await listen(server, toOptions({ ...address, host: '0.0.0.0' }, sharing));
    }
    if (sharing !== null) this.#steer(id, server, sharing);
    server.on('error', (error) => this.#options.logger.error(`listener ${id}: ${error.message}`));
    return server;
  }

  #loadSharing(): PortSharing | null {
    if (this.#sharing === undefined) this.#sharing = this.#options.loadSharing();
    return this.#sharing;
  }

  /** From now on new connections come here, and to a newer sidecar as soon as there is one. */
  #steer(id: string, server: Server, sharing: PortSharing): void {
    const fd = descriptorOfServer(server);
    if (fd === null) return;
    const code = sharing.steer(fd);
    if (code !== 0) this.#options.logger.warn(`listener ${id}: taking over may lose connections (error ${code})`);
  }

  #onConnection(id: string, socket: Socket): void {
    const { admission } = this.#options;
    if (!admission.opened(id)) {
      socket.resetAndDestroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      admission.closed(id);
    });
    socket.on('error', () => socket.destroy());
    const early = this.#early.get(id);
    if (early === undefined) this.#serve(id, socket);
    else early.push(socket);
  }

  #takeEarly(id: string): readonly Socket[] {
    const sockets = this.#early.get(id) ?? [];
    this.#early.delete(id);
    return sockets;
  }

  #serve(id: string, socket: Socket): void {
    if (socket.destroyed) return;
    const purpose = this.#purposes.get(id);
    if (purpose?.kind === 'dns') {
      this.#serveDns(socket);
      return;
    }
    const context = purpose === undefined ? null : this.#toContext(purpose, socket);
    if (context === null) socket.resetAndDestroy();
    else this.#options.accept(socket, context);
  }

  /** Only what was redirected: this is no resolver for whoever can reach the port. */
  #serveDns(socket: Socket): void {
    const resolver = this.#lookup?.(socket) ?? null;
    if (resolver === null || isOurselves(resolver, socket)) socket.resetAndDestroy();
    else this.#options.acceptDns(socket, resolver);
  }

  #toContext(purpose: Exclude<Purpose, { kind: 'dns' }>, socket: Socket): DownstreamContext | null {
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) return null;
    const remote = { host: normalizeIp(remoteAddress), port: remotePort };
    switch (purpose.kind) {
      case 'transparent': {
        const originalDestination = this.#lookup?.(socket) ?? null;
        if (originalDestination === null || isOurselves(originalDestination, socket)) return null;
        return toContext(purpose.direction, remote, { originalDestination });
      }
      case 'service':
        return toContext('outbound', remote, { service: { key: purpose.key, port: purpose.port } });
      case 'application':
        return toContext('inbound', remote, { target: purpose.target });
      case 'proxy':
        return toContext('outbound', remote, { forwardProxy: true });
      case 'gateway': {
        const gateway = { port: purpose.port, server: '', secure: false, clientCertificate: null };
        return { ...toContext('outbound', remote, {}), gateway };
      }
    }
  }
}

/** All fields in one order whatever the listener is for, so that what reads them sees objects of one shape. */
function toContext(
  direction: DownstreamContext['direction'],
  remote: Address,
  known: Partial<DownstreamContext>,
): DownstreamContext {
  return {
    direction,
    remote,
    originalDestination: known.originalDestination ?? null,
    service: known.service ?? null,
    target: known.target ?? null,
    forwardProxy: known.forwardProxy ?? false,
    peerSpiffeId: null,
  };
}

/** Loop guard: somebody connected to the listener itself. Forwarding that would come back here for ever. */
function isOurselves(destination: Address, socket: Socket): boolean {
  return destination.port === socket.localPort && destination.host === normalizeIp(socket.localAddress ?? '');
}

function withoutOutbound(config: ListenerConfig): ListenerConfig {
  return config.kind === 'explicit' ? { ...config, outbound: [], httpProxy: null } : config;
}

function toWanted(config: ListenerConfig): ReadonlyMap<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  const add = (address: Address, purpose: Purpose) => {
    const id = `${address.host}:${address.port}`;
    if (wanted.has(id)) throw new Error(`the configuration has two listeners on ${id}`);
    wanted.set(id, { address, purpose });
  };
  if (config.kind === 'transparent') {
    add({ host: '::', port: config.outboundPort }, { kind: 'transparent', direction: 'outbound' });
    add({ host: '::', port: config.inboundPort }, { kind: 'transparent', direction: 'inbound' });
    if (config.dnsPort !== undefined) add({ host: '::', port: config.dnsPort }, { kind: 'dns' });
    return wanted;
  }
  if (config.kind === 'gateway') {
    for (const { listen, port } of config.ports) add(listen, { kind: 'gateway', port });
    return wanted;
  }
  for (const { listen, service, port } of config.outbound) add(listen, { kind: 'service', key: service, port });
  for (const { listen, target, port } of config.inbound) {
    add(listen, { kind: 'application', target: { ...target, servicePort: port } });
  }
  if (config.httpProxy !== null) add(config.httpProxy, { kind: 'proxy' });
  return wanted;
}

function listen(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...options, backlog }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

function toOptions({ host, port }: Address, sharing: PortSharing | null): ListenOptions {
  return sharing === null ? { host, port } : toListenOptions(host, port, sharing);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
