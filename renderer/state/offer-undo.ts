/**
 * Taking back what was just done, from the message that says it was done. Changes of the project's files go back by the
 * history, and only while nothing else came after them; faults are put back as they were, also whether they were on.
 */
import type { ContractClient } from '../../core/contract/client.ts';
import type { FaultView } from '../../core/contract/shapes.ts';
import { attempt } from './mesh-context.tsx';
import { navigate } from './navigation.ts';
import { showToast } from './toasts.ts';

/** Says that a change of the project's files was made, and offers to undo it. */
export async function offerUndo(client: ContractClient, title: string, text: string | null = null): Promise<void> {
  const entry = await newestChange(client);
  const action = entry === null ? null : { label: 'Undo', run: () => void undoChange(client, entry) };
  showToast('ok', title, text, action);
}

/** Says that faults were removed, and offers to put them back. */
export function offerFaults(client: ContractClient, title: string, removed: readonly FaultView[]): void {
  const restore = async () => {
    for (const { id, spec, enabled } of removed)
      await attempt('The fault was not put back', () => client.call('fault.set', { id, spec, enabled }));
  };
  showToast('ok', title, null, removed.length === 0 ? null : { label: 'Undo', run: () => void restore() });
}

async function newestChange(client: ContractClient): Promise<number | null> {
  const history = await attempt('The history could not be read', () => client.call('config.history', {}));
  return history?.done[0]?.id ?? null;
}

async function undoChange(client: ContractClient, entry: number): Promise<void> {
  if ((await newestChange(client)) !== entry) {
    navigate('config', 'history');
    showToast('info', 'Something else was changed since', 'The history takes changes back one after the other.');
    return;
  }
  const undone = await attempt('Undo', () => client.call('config.undo', {}));
  if (undone) showToast('ok', `Taken back: ${undone.label}`);
}
