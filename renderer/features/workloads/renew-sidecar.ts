import type { ContractClient } from '../../../core/contract/client.ts';
import type { WorkloadView } from '../../../core/contract/shapes.ts';
import { attempt } from '../../state/mesh-context.tsx';
import { showToast } from '../../state/toasts.ts';

/** Replaces a workload's sidecar by a new one while its traffic goes on; says what came of it. */
export async function renewSidecar(client: ContractClient, { id, name }: Pick<WorkloadView, 'id' | 'name'>) {
  const results = await attempt(`Renew the sidecar of ${name}`, () =>
    client.call('workload.renew', { select: { names: [id] } }),
  );
  for (const { reason, mesh } of results ?? []) {
    if (mesh === 'attached')
      showToast('ok', `The sidecar of ${name} is new`, reason ?? 'Its traffic went on meanwhile.');
    else showToast('error', `The sidecar of ${name} was not renewed`, reason ?? `It is ${mesh}.`);
  }
}
