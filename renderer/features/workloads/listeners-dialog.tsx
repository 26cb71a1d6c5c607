import type { ListenersView } from '../../../core/contract/shapes.ts';
import { useMesh } from '../../state/mesh-context.tsx';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Address, AddressSection } from './addresses.tsx';

/** Where a host process is pointed at, to call the others and to be called through the mesh; each address can be copied. */
export function ListenersDialog({ workload: id, onClose }: { workload: string; onClose(): void }) {
  const workload = useMesh((data) => data.workloads.find((view) => view.id === id));
  const name = workload?.name ?? id;
  return (
    <Dialog
      title={`How ${name} reaches services`}
      description="A host process is pointed at its sidecar; use any of these addresses. They stay the same over restarts."
      width="600px"
      onClose={onClose}
      footer={<Button onClick={onClose}>Close</Button>}
    >
      {workload?.listeners ? <Addresses listeners={workload.listeners} /> : <NotYet name={name} />}
    </Dialog>
  );
}

function NotYet({ name }: { name: string }) {
  return (
    <p className="hint">Attach {name} first: its sidecar then listens for it, and the addresses are shown here.</p>
  );
}

function Addresses({ listeners }: { listeners: ListenersView }) {
  const { outbound, inbound, httpProxy } = listeners;
  return (
    <div className="listeners">
      <AddressSection title="One address per service">
        {outbound.length === 0 && <p className="hint">There is no other service on this machine yet.</p>}
        {outbound.map(({ service, port, url }) => (
          <Address key={url} what={`${service}:${port}`} text={url} />
        ))}
      </AddressSection>
      {httpProxy && (
        <AddressSection title="One address for all HTTP services">
          <Address what="by path" text={`${httpProxy}/proxy/{service}/{path}`} copied={`${httpProxy}/proxy/`} />
          <Address what="as HTTP proxy" text={`HTTP_PROXY=${httpProxy}`} />
        </AddressSection>
      )}
      {inbound.length > 0 && (
        <AddressSection title="Where others call it through the mesh">
          {inbound.map(({ port, url }) => (
            <Address key={url} what={`port ${port}`} text={url} />
          ))}
        </AddressSection>
      )}
    </div>
  );
}
