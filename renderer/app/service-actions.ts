import { Pencil, Split, Trash2, Undo2, Waypoints, Zap, ZapOff } from 'lucide-react';
import type { ContractClient } from '../../core/contract/client.ts';
import type { FaultView } from '../../core/contract/shapes.ts';
import { canEdit } from '../features/faults/fault-form.ts';
import { attempt } from '../state/mesh-context.tsx';
import type { MeshData } from '../state/mesh-store.ts';
import { navigate, openDialog, openTraffic, selectInTopology } from '../state/navigation.ts';
import { offerFaults, offerUndo } from '../state/offer-undo.ts';
import { describeAction, findEdge, serviceKeyOf } from '../state/topology-names.ts';
import { serviceName } from '../ui/format.ts';
import type { PaletteAction } from './palette-action.ts';

/** What can be done with the services and edges of the graph, and with the faults on them. */
export function serviceActions(client: ContractClient, { topology, faults }: MeshData): PaletteAction[] {
  const services = (topology?.nodes ?? []).filter(({ kind }) => kind === 'service');
  const split = new Set((topology?.edges ?? []).flatMap(({ to, badges }) => (badges.some(isSplit) ? to : [])));
  return [
    ...services.map(
      (node): PaletteAction => ({
        group: 'Services',
        name: `Show ${node.service} in the topology`,
        hint: node.namespace ?? '',
        icon: Waypoints,
        run: () => {
          navigate('topology');
          selectInTopology({ kind: 'node', id: node.id });
        },
      }),
    ),
    ...services
      .filter(({ versions }) => versions.length > 1)
      .map(
        (node): PaletteAction => ({
          group: 'Services',
          name: `Split traffic of ${node.service}`,
          hint: node.namespace ?? '',
          keywords: ['canary', 'weight'],
          icon: Split,
          run: () => openTraffic(serviceKeyOf(node)),
        }),
      ),
    ...services
      .filter(({ id }) => split.has(id))
      .map(
        (node): PaletteAction => ({
          group: 'Services',
          name: `Remove the split of ${node.service}`,
          hint: node.namespace ?? '',
          icon: Undo2,
          run: () => void removeSplit(client, serviceKeyOf(node)),
        }),
      ),
    ...edgeFaultActions(topology),
    ...faults.flatMap((fault) => faultActions(client, fault)),
  ];
}

const isSplit = ({ kind }: { kind: string }) => kind === 'split';

async function removeSplit(client: ContractClient, service: string): Promise<void> {
  const left = await attempt('The split was not removed', () => client.call('split.clear', { service }));
  if (left) await offerUndo(client, `Split of ${serviceName(service)} removed`);
}

function edgeFaultActions(topology: MeshData['topology']): PaletteAction[] {
  return (topology?.edges ?? [])
    .flatMap(({ id }) => findEdge(topology, id) ?? [])
    .filter(({ to }) => to.kind === 'service')
    .map(({ edge, from, to }) => ({
      group: 'Faults',
      name: `Inject a fault: ${from.service} → ${to.service}`,
      hint: to.namespace ?? '',
      icon: Zap,
      run: () =>
        openDialog({
          kind: 'fault',
          draft: {
            from: from.kind === 'service' ? serviceKeyOf(from) : null,
            to: serviceKeyOf(to),
            ...(edge.protocol === 'tcp' ? { kind: 'tcp-latency' } : {}),
          },
        }),
    }));
}

function faultActions(client: ContractClient, fault: FaultView): PaletteAction[] {
  const { id, from, to, route, spec, enabled } = fault;
  const name = `${describeAction(fault)}: ${from === null ? 'every caller' : serviceName(from)} → ${serviceName(to)}`;
  const remove = async () => {
    const left = await attempt(name, () => client.call('fault.clear', { id }));
    if (left) offerFaults(client, `Fault removed: ${name}`, [fault]);
  };
  const actions: PaletteAction[] = [
    {
      group: 'Faults',
      name: `Switch ${enabled ? 'off' : 'on'}: ${name}`,
      hint: id,
      icon: enabled ? ZapOff : Zap,
      run: () => void attempt(name, () => client.call('fault.toggle', { id, enabled: !enabled })),
    },
    { group: 'Faults', name: `Remove: ${name}`, hint: id, icon: Trash2, run: () => void remove() },
  ];
  if (canEdit(spec))
    actions.push({
      group: 'Faults',
      name: `Change: ${name}`,
      hint: id,
      icon: Pencil,
      run: () => openDialog({ kind: 'fault', draft: { id, from, to, route, spec } }),
    });
  return actions;
}
