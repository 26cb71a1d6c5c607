import { useAccess } from '../../state/mesh-context.tsx';
import { openDialog } from '../../state/navigation.ts';
import { useQuery } from '../../state/use-query.ts';
import { formatMs } from '../../ui/format.ts';
import { Pane } from '../../ui/panels.tsx';

/** Flags of faults on purpose (delay injected, fault injected). */
const onPurpose = new Set(['DI', 'FI']);

export function RequestsPane({ from, to }: { from: string | null; to: string | null }) {
  const { client } = useAccess();
  const query = useQuery(
    `${from ?? ''}->${to ?? ''}`,
    () => client.call('request.recent', { from, to, limit: 12 }),
    1_000,
  );
  return (
    <Pane title="Last requests">
      {query.error && <p className="hint">Not available: {query.error}</p>}
      {query.data?.length === 0 && <p className="hint">None yet.</p>}
      <table className="table requests">
        <tbody data-arrows="vertical">
          {query.data?.map(({ id, atMs, method, path, status, flags, durationMs, version }) => (
            <tr key={id} title={`${new Date(atMs).toLocaleTimeString()}${version ? ` · answered by ${version}` : ''}`}>
              <td className="mono">
                <button
                  type="button"
                  className="linklike request-path"
                  title="Explain: which rule matched, and why"
                  onClick={() => openDialog({ kind: 'explain', id, service: null })}
                >
                  {method} {path}
                </button>
              </td>
              <td className="num mono" style={{ color: statusColor(status, flags) }}>
                {status || 'none'} {flags === '-' ? '' : flags}
              </td>
              <td className="num mono">{formatMs(durationMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Pane>
  );
}

function statusColor(status: number, flags: string): string {
  if (flags.split(',').some((flag) => onPurpose.has(flag))) return 'var(--fault)';
  return status === 0 || status >= 500 ? 'var(--error)' : status >= 400 ? 'var(--warn)' : 'var(--text-2)';
}
