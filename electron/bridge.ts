/**
 * What passes between the page and the main process: one channel for requests, one for events. The preload script and
 * the main process both build on this file; nothing else in the product knows the channels' names.
 */
import type { CallResponse } from '../core/contract/contract.ts';

export const requestChannel = 'meshdesk:request';
export const eventChannel = 'meshdesk:event';

export type BridgeRequest =
  | { readonly kind: 'call'; readonly method: string; readonly input: unknown }
  | { readonly kind: 'listen' }
  | { readonly kind: 'unlisten' }
  | { readonly kind: 'choose-folder' };

export type BridgeEvent =
  | { readonly kind: 'event'; readonly name: string; readonly payload: unknown }
  | { readonly kind: 'state'; readonly connected: boolean };

/** `window.meshdesk`: all that the page gets from Electron. */
export interface MeshdeskBridge {
  call(method: string, input: unknown): Promise<CallResponse>;
  /** Calls back for every event until the returned function is called. */
  listen(
    onEvent: (event: { name: string; payload: unknown }) => void,
    onState: (connected: boolean) => void,
  ): () => void;
  readonly platform: {
    readonly kind: 'electron';
    /** Asks for a folder to write to; `null` when the user cancels. */
    chooseFolder(): Promise<string | null>;
  };
}
