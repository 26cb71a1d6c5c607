import { ExplainDialog } from '../features/explain/explain-dialog.tsx';
import { FaultDialog } from '../features/faults/fault-dialog.tsx';
import { SplitDialog } from '../features/traffic/split-dialog.tsx';
import { DetachDialog } from '../features/workloads/detach-dialog.tsx';
import { GatewayDialog } from '../features/workloads/gateway-dialog.tsx';
import { ListenersDialog } from '../features/workloads/listeners-dialog.tsx';
import { closeDialog, useNavigation } from '../state/navigation.ts';

/** Dialogs that several views open. */
export function OpenDialogs() {
  const dialog = useNavigation((state) => state.dialog);
  switch (dialog?.kind) {
    case 'fault':
      return <FaultDialog draft={dialog.draft} onClose={closeDialog} />;
    case 'split':
      return <SplitDialog service={dialog.service} onClose={closeDialog} />;
    case 'explain':
      return <ExplainDialog id={dialog.id} service={dialog.service} onClose={closeDialog} />;
    case 'detach':
      return <DetachDialog names={dialog.names} onClose={closeDialog} />;
    case 'gateway':
      return <GatewayDialog workload={dialog.workload} onClose={closeDialog} />;
    case 'listeners':
      return <ListenersDialog workload={dialog.workload} onClose={closeDialog} />;
    default:
      return null;
  }
}
