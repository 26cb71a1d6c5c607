/**
 * The end of the desktop. Containers can stay meshed without it (their sidecars keep the last configuration), so
 * closing asks once what shall be; host processes cannot: their sidecars are children of this process.
 */
import { app, type BrowserWindow, dialog } from 'electron';
import type { ContractClient } from '../../core/contract/client.ts';
import type { ControlPlane } from '../../core/control-plane/control-plane.ts';
import type { Logger } from '../../core/shared/logger.ts';
import type { CloseBehaviour } from './launch-options.ts';

export type CloseChoice = 'leave' | 'detach' | 'cancel';

const buttons = ['Leave the mesh running', 'Detach everything', 'Cancel'];
const choices: readonly CloseChoice[] = ['leave', 'detach', 'cancel'];

/** Containers that would stay meshed. A control plane that does not answer has none that it could detach. */
async function countAttachedContainers(client: ContractClient, log: Logger): Promise<number> {
  try {
    const workloads = await client.call('workload.list', {});
    return workloads.filter(({ mesh, runtime }) => mesh !== 'detached' && runtime === 'docker').length;
  } catch (error) {
    log.error('the attached workloads cannot be listed', error);
    return 0;
  }
}

async function askHowToClose(window: BrowserWindow, attached: number): Promise<CloseChoice> {
  const { response } = await dialog.showMessageBox(window, {
    type: 'question',
    title: 'Close Meshdesk',
    message: attached === 1 ? 'One container is in the mesh.' : `${attached} containers are in the mesh.`,
    detail:
      'Left running, their sidecars keep the last configuration, and Meshdesk takes them up again at its next start. ' +
      'Faults end by themselves within seconds.',
    buttons,
    defaultId: 0,
    cancelId: 2,
    noLink: true,
  });
  return choices[response] ?? 'cancel';
}

export interface ClosingOptions {
  readonly window: BrowserWindow;
  readonly client: ContractClient;
  readonly controlPlane: ControlPlane;
  readonly behaviour: CloseBehaviour;
  readonly log: Logger;
}

/** Makes closing the window, quitting, and signals end the control plane first. The window stays until it has ended. */
export function handleClosing({ window, client, controlPlane, behaviour, log }: ClosingOptions): void {
  let state: 'open' | 'asking' | 'ending' = 'open';

  const end = async (detach: boolean) => {
    state = 'ending';
    window.setProgressBar(2);
    try {
      await controlPlane.close({ detach });
    } catch (error) {
      log.error('the control plane did not end cleanly', error);
    }
    app.exit(0);
  };

  const ask = async () => {
    state = 'asking';
    const attached = await countAttachedContainers(client, log);
    const choice = behaviour !== 'ask' ? behaviour : attached === 0 ? 'detach' : await askHowToClose(window, attached);
    if (choice === 'cancel') state = 'open';
    else await end(choice === 'detach');
  };

  window.on('close', (event) => {
    event.preventDefault();
    if (state === 'open') void ask();
  });
  // Whoever sends a signal cannot be asked; the second one ends at once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (state === 'ending') app.exit(130);
      else void end(behaviour === 'detach');
    });
  }
}
