import type { GatewayView } from '../../../core/contract/shapes.ts';
import { useAccess, useMesh } from '../../state/mesh-context.tsx';
import { useQuery } from '../../state/use-query.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Address, AddressSection } from './addresses.tsx';

/** Where a gateway takes traffic on this machine: an address per port, and commands for names that are not resolved here. */
export function GatewayDialog({ workload: id, onClose }: { workload: string; onClose(): void }) {
  const { client } = useAccess();
  // Asked for again when it starts or gets other ports.
  const shape = useMesh((data) => JSON.stringify(data.workloads.find((view) => view.id === id)?.ports ?? null));
  const list = useQuery(`gateways#${shape}`, () => client.call('gateway.list', {}), 5_000);
  const gateway = list.data?.find((view) => view.id === id) ?? null;
  return (
    <Dialog
      title={`Where ${gateway?.name ?? 'the gateway'} is reached`}
      description="Addresses on this machine, for a browser or curl. They stay the same over restarts."
      width="640px"
      onClose={onClose}
      footer={<Button onClick={onClose}>Close</Button>}
    >
      {gateway === null ? (
        <p className="hint">{list.error ?? 'Looking for its addresses.'}</p>
      ) : gateway.place === null ? (
        <p className="hint">It does not run. It starts with the first workload that is attached, or with its switch.</p>
      ) : (
        <Listeners gateway={gateway} />
      )}
    </Dialog>
  );
}

function Listeners({ gateway }: { gateway: GatewayView }) {
  const { listeners, rootFile } = gateway;
  return (
    <div className="listeners">
      {listeners.map(({ gateway: name, port, protocol, hosts, url, command, certificate }) => (
        <AddressSection key={`${name} ${port} ${hosts.join()}`} title={`${name}: port ${port}, ${protocol}`}>
          {url && <Address what={hosts.join(', ')} text={url} />}
          {command && <Address what="try it" text={command} />}
          {certificate === 'mesh' && (
            <p className="hint">It shows a certificate of the mesh: the project has none of that name.</p>
          )}
        </AddressSection>
      ))}
      {rootFile && (
        <AddressSection title="Root to trust for the mesh’s certificate">
          <Address what="file" text={rootFile} />
        </AddressSection>
      )}
    </div>
  );
}
