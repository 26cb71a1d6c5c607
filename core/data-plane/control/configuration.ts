import type { ListenerConfig, SidecarConfig } from '../../model/sidecar-config.ts';
import { type CompiledConfig, compileConfig } from '../http/compiled-config.ts';
import { toMessage } from '../logger.ts';

/** Why a configuration was refused; the one before stays in force. */
export class ConfigRefused extends Error {
  override readonly name = 'ConfigRefused';
  readonly code: 'CONFIG_INVALID' | 'LISTEN_FAILED';
  constructor(code: ConfigRefused['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Who opens ports: all of a configuration, or after `rollback` none of its new ones. Rejects when one cannot be opened. */
export interface PortOwner {
  prepare(config: ListenerConfig): Promise<{ commit(): void; rollback(): void }>;
}

/** Puts addresses in the place of endpoints' names, as far as they are known. */
export interface EndpointResolution {
  apply(services: SidecarConfig['services']): SidecarConfig['services'];
}

/** The configuration in force. It changes as a whole or not at all; applications are done one after the other. */
export class Configuration {
  readonly #ports: readonly PortOwner[];
  readonly #names: EndpointResolution;
  #source: SidecarConfig | null = null;
  #compiled: CompiledConfig | null = null;
  #applying: Promise<void> = Promise.resolve();

  constructor(ports: readonly PortOwner[], names: EndpointResolution) {
    this.#ports = ports;
    this.#names = names;
  }

  get isSet(): boolean {
    return this.#compiled !== null;
  }

  get revision(): number | null {
    return this.#compiled?.revision ?? null;
  }

  /** As it was pushed; the compiled one has addresses where this one has names of endpoints. */
  get source(): SidecarConfig | null {
    return this.#source;
  }

  /** For those who serve traffic: there is none before the first configuration, because nothing listens. */
  get compiled(): CompiledConfig {
    if (this.#compiled === null) throw new Error('no configuration has been applied yet');
    return this.#compiled;
  }

  /** Rejects with `ConfigRefused` and changes nothing when it cannot be compiled or a port cannot be opened. */
  apply(config: SidecarConfig): Promise<void> {
    const applied = this.#applying.then(() => this.#applyNow(config));
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  /** The same configuration with the addresses that endpoints' names have now. */
  refresh(): Promise<void> {
    const refreshed = this.#applying.then(() => {
      if (this.#source !== null) this.#compiled = this.#compile(this.#source);
    });
    this.#applying = refreshed.catch(() => undefined);
    return refreshed;
  }

  #compile(config: SidecarConfig): CompiledConfig {
    const services = this.#names.apply(config.services);
    return compileConfig(services === config.services ? config : { ...config, services }, this.#compiled);
  }

  async #applyNow(config: SidecarConfig): Promise<void> {
    let compiled: CompiledConfig;
    try {
      compiled = this.#compile(config);
    } catch (error) {
      throw new ConfigRefused('CONFIG_INVALID', toMessage(error), { cause: error });
    }
    const prepared: Awaited<ReturnType<PortOwner['prepare']>>[] = [];
    try {
      for (const owner of this.#ports) prepared.push(await owner.prepare(config.listeners));
    } catch (error) {
      for (const { rollback } of prepared) rollback();
      throw new ConfigRefused('LISTEN_FAILED', toMessage(error), { cause: error });
    }
    this.#source = config;
    this.#compiled = compiled;
    for (const { commit } of prepared) commit();
  }
}
