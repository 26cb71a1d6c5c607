/**
 * How the UI reaches the control plane. Inside Electron the preload script offers `window.meshdesk`; in a browser the
 * same contract goes over POST /api/call and a WebSocket at /api/events. Nothing here knows a method or an event.
 */
import type { CallResponse, Transport } from '../../core/contract/contract.ts';
import { createHttpTransport } from './http-transport.ts';

/** What the shell around the page can do. In a browser nothing but what a page can. */
export interface Platform {
  readonly kind: 'electron' | 'browser';
  /** Asks for a folder; `null` when the user cancels. Absent in a browser. */
  chooseFolder?(): Promise<string | null>;
}

/** The bridge that the preload script exposes. */
export interface MeshdeskBridge {
  call(method: string, input: unknown): Promise<CallResponse>;
  listen(
    onEvent: (event: { name: string; payload: unknown }) => void,
    onState: (connected: boolean) => void,
  ): () => void;
  readonly platform: Platform;
}

declare global {
  interface Window {
    readonly meshdesk?: MeshdeskBridge;
  }
}

export function chooseTransport(window: Window): { transport: Transport; platform: Platform } {
  if (window.meshdesk) return { transport: window.meshdesk, platform: window.meshdesk.platform };
  return { transport: createHttpTransport(window.location), platform: { kind: 'browser' } };
}
