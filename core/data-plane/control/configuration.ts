import type { SidecarConfig } from '../../model/sidecar-config.ts';
import { type CompiledConfig, compileConfig } from '../http/compiled-config.ts';
import type { ListenerSet } from '../listener/listener-set.ts';
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

/** The configuration in force. It changes as a whole or not at all; applications are done one after the other. */
export class Configuration {
  readonly #listeners: ListenerSet;
  #compiled: CompiledConfig | null = null;
  #applying: Promise<void> = Promise.resolve();

  constructor(listeners: ListenerSet) {
    this.#listeners = listeners;
  }

  get isSet(): boolean {
    return this.#compiled !== null;
  }

  get revision(): number | null {
    return this.#compiled?.revision ?? null;
  }

  get source(): SidecarConfig | null {
    return this.#compiled?.source ?? null;
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

  async #applyNow(config: SidecarConfig): Promise<void> {
    let compiled: CompiledConfig;
    try {
      compiled = compileConfig(config, this.#compiled);
    } catch (error) {
      throw new ConfigRefused('CONFIG_INVALID', toMessage(error), { cause: error });
    }
    let listeners: Awaited<ReturnType<ListenerSet['prepare']>>;
    try {
      listeners = await this.#listeners.prepare(config.listeners);
    } catch (error) {
      throw new ConfigRefused('LISTEN_FAILED', toMessage(error), { cause: error });
    }
    this.#compiled = compiled;
    listeners.commit();
  }
}
