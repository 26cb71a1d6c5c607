import { Pencil, Trash2 } from 'lucide-react';
import type { FaultView } from '../../../core/contract/shapes.ts';
import { describeTiming } from '../../../core/model/describe-fault.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { openDialog } from '../../state/navigation.ts';
import { offerFaults } from '../../state/offer-undo.ts';
import { useCountdown } from '../../state/use-countdown.ts';
import { Chip } from '../../ui/chip.tsx';
import { Switch } from '../../ui/controls.tsx';
import { formatCountdown, formatMs, formatPercent, formatSpan, serviceName } from '../../ui/format.ts';
import { RowMenu } from '../../ui/menu.tsx';
import { canEdit } from './fault-form.ts';

/** `orders → payments`; `every caller → payments` without a source. */
export function faultTitle({ from, to }: Pick<FaultView, 'from' | 'to'>): string {
  return `${from === null ? 'every caller' : serviceName(from)} → ${serviceName(to)}`;
}

export function FaultRow({ fault }: { fault: FaultView }) {
  const { client } = useAccess();
  const { id, spec, kind, strength, percent, enabled, seen, hits } = fault;
  const title = faultTitle(fault);
  const toggle = (on: boolean) => void attempt(title, () => client.call('fault.toggle', { id, enabled: on }));
  const remove = async () => {
    const left = await attempt(title, () => client.call('fault.clear', { id }));
    if (left) offerFaults(client, `Fault removed: ${title}`, [fault]);
  };
  return (
    <tr>
      <td className="tight">
        <Switch label={`${kind} ${strength} on ${title}`} tone="fault" checked={enabled} onChange={toggle} />
      </td>
      <td>
        <b className="strong">{title}</b>
      </td>
      <td>
        <Chip tone={enabled ? 'fault' : 'neutral'}>{kind}</Chip>
      </td>
      <td className="mono">{strength}</td>
      <td className="num">{formatPercent(percent)}</td>
      <td className="muted">{scopeText(fault)}</td>
      <td>
        <TimeLeft fault={fault} />
      </td>
      <td className="num">{enabled ? seen.toLocaleString('en-US') : ''}</td>
      <td className="num">{enabled ? hits.toLocaleString('en-US') : ''}</td>
      <td className="muted">
        <Effect fault={fault} />
      </td>
      <td className="tight num">
        <RowMenu
          label={`Actions of ${kind} on ${title}`}
          actions={[
            ...(canEdit(spec) ? [{ label: 'Change', icon: Pencil, run: () => change(fault) }] : []),
            {
              label: 'Remove',
              icon: Trash2,
              danger: true,
              run: () => void remove(),
            },
          ]}
        />
      </td>
    </tr>
  );
}

/** `route api, port 80, first 3`. */
function scopeText({ route, spec }: Pick<FaultView, 'route' | 'spec'>): string {
  const parts = [
    ...(route === null ? [] : [`route ${route}`]),
    ...(spec.port === undefined ? [] : [`port ${spec.port}`]),
    ...(spec.match === undefined ? [] : ['some requests']),
    describeTiming(spec),
  ].filter((part) => part !== '');
  if (parts.length > 0) return parts.join(', ');
  const isBelowHttp = ['tcp', 'dns', 'workload', 'identity'].some((kind) => kind in spec.fault);
  return isBelowHttp ? 'everything' : 'all requests';
}

function change({ id, from, to, route, spec }: FaultView) {
  openDialog({ kind: 'fault', draft: { id, from, to, route, spec } });
}

function TimeLeft({ fault: { enabled, durationMs, expiresInMs } }: { fault: FaultView }) {
  const atMs = useMesh((data) => data.faultsAtMs);
  const leftMs = useCountdown(enabled ? expiresInMs : null, atMs);
  if (!enabled) return <span className="hint">{durationMs === null ? 'until cleared' : formatSpan(durationMs)}</span>;
  if (leftMs === null || durationMs === null) return <span className="hint">until cleared</span>;
  return (
    <span className="inline">
      <span className="bar fault" style={{ width: 84 }}>
        <i style={{ width: `${Math.min(100, (leftMs / durationMs) * 100)}%` }} />
      </span>
      <span className="mono">{formatCountdown(leftMs)}</span>
    </span>
  );
}

function Effect({ fault: { enabled, effect, applied, kind } }: { fault: FaultView }) {
  if (!enabled) return <span className="hint">off</span>;
  if (applied.acked < applied.of) {
    return (
      <span className="inline">
        <span className="dot busy" />
        applied to {applied.acked} of {applied.of}
      </span>
    );
  }
  if (kind === 'abort') {
    return effect.errorPercentNow === null ? (
      <span className="hint">no data yet</span>
    ) : (
      <>errors {formatPercent(effect.errorPercentNow)}</>
    );
  }
  if (effect.p95NowMs === null) return <span className="hint">no data yet</span>;
  return (
    <>
      p95 {effect.p95BeforeMs === null ? '' : `${formatMs(effect.p95BeforeMs).replace(/ ms$/, '')} → `}
      {formatMs(effect.p95NowMs)}
    </>
  );
}
