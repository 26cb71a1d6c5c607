/**
 * The only code between the page and Electron. It hands over calls and events and knows no method of the contract; the
 * page gets no `ipcRenderer`, no channel name and no Node.
 */
import { contextBridge, ipcRenderer } from 'electron';
import { type BridgeEvent, type BridgeRequest, eventChannel, type MeshdeskBridge, requestChannel } from '../bridge.ts';

interface Listener {
  onEvent(event: { name: string; payload: unknown }): void;
  onState(connected: boolean): void;
}

const listeners = new Set<Listener>();
let connected = false;

const request = (message: BridgeRequest): Promise<never> =>
  ipcRenderer.invoke(requestChannel, message) as Promise<never>;

ipcRenderer.on(eventChannel, (_event, message: BridgeEvent) => {
  if (message.kind === 'state') connected = message.connected;
  for (const listener of listeners) {
    if (message.kind === 'state') listener.onState(message.connected);
    else listener.onEvent({ name: message.name, payload: message.payload });
  }
});

const bridge: MeshdeskBridge = {
  call: (method, input) => request({ kind: 'call', method, input }),
  listen(onEvent, onState) {
    const listener = { onEvent, onState };
    listeners.add(listener);
    if (listeners.size === 1) void request({ kind: 'listen' });
    else onState(connected);
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) void request({ kind: 'unlisten' });
    };
  },
  platform: { kind: 'electron', chooseFolder: () => request({ kind: 'choose-folder' }) },
};

contextBridge.exposeInMainWorld('meshdesk', bridge);
