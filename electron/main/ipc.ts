/**
 * The one door from the page to the main process. Every request is checked twice: it comes from the top frame of our
 * own origin, and it has the shape of a `BridgeRequest`. The contract is checked behind it, by the dispatcher.
 */
import { type IpcMainInvokeEvent, ipcMain, type WebContents } from 'electron';
import { z } from 'zod';
import type { Transport } from '../../core/contract/contract.ts';
import { type BridgeEvent, eventChannel, requestChannel } from '../bridge.ts';
import { isTrustedSender } from './trust.ts';

const Request = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('call'), method: z.string().max(100), input: z.unknown() }),
  z.strictObject({ kind: z.literal('listen') }),
  z.strictObject({ kind: z.literal('unlisten') }),
  z.strictObject({ kind: z.literal('choose-folder') }),
]);

export interface IpcOptions {
  /** The control plane; a call waits until it runs. */
  readonly starting: Promise<{ readonly transport: Transport }>;
  readonly chooseFolder: (asker: WebContents) => Promise<string | null>;
}

/** @returns ends every subscription and takes no more requests */
export function serveIpc({ starting, chooseFolder }: IpcOptions): () => void {
  const subscriptions = new Map<WebContents, () => void>();

  const unlisten = (contents: WebContents) => {
    subscriptions.get(contents)?.();
    subscriptions.delete(contents);
  };

  const listen = async (contents: WebContents) => {
    const { transport } = await starting;
    if (contents.isDestroyed()) return;
    unlisten(contents);
    const send = (message: BridgeEvent) => {
      if (!contents.isDestroyed()) contents.send(eventChannel, message);
    };
    const stop = transport.listen(
      ({ name, payload }) => send({ kind: 'event', name, payload }),
      (connected) => send({ kind: 'state', connected }),
    );
    const end = () => unlisten(contents);
    contents.once('destroyed', end);
    contents.once('render-process-gone', end);
    subscriptions.set(contents, () => {
      stop();
      contents.removeListener('destroyed', end);
      contents.removeListener('render-process-gone', end);
    });
  };

  ipcMain.handle(requestChannel, async (event: IpcMainInvokeEvent, message: unknown) => {
    if (!isTrustedSender(event.senderFrame)) throw new Error('This page may not use Meshdesk.');
    const request = Request.parse(message);
    switch (request.kind) {
      case 'call':
        return (await starting).transport.call(request.method, request.input);
      case 'listen':
        return listen(event.sender);
      case 'unlisten':
        return unlisten(event.sender);
      case 'choose-folder':
        return chooseFolder(event.sender);
    }
  });

  return () => {
    ipcMain.removeHandler(requestChannel);
    for (const contents of [...subscriptions.keys()]) unlisten(contents);
  };
}
