/**
 * Explain: why a request goes where it goes. Of a request that happened, or of one that is tried here; nothing is sent.
 */
import { Search } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import type { Explanation } from '../../../core/contract/explain-shapes.ts';
import type { Topology } from '../../../core/contract/shapes.ts';
import { messageOf, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { useQuery } from '../../state/use-query.ts';
import { Button } from '../../ui/button.tsx';
import { Field } from '../../ui/controls.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { ErrorState, Loading } from '../../ui/panels.tsx';
import './explain.css';
import { ExplanationView } from './explanation-view.tsx';
import { parseHeaderLines } from './header-lines.ts';

/** @param id request that happened @param service host that is proposed for one that is tried */
export function ExplainDialog({
  id,
  service,
  onClose,
}: {
  id: string | null;
  service: string | null;
  onClose(): void;
}) {
  return (
    <Dialog
      title={id === null ? 'Try a request' : 'Why this request went there'}
      description={
        id === null
          ? 'Shows which rule matches and why the others do not. Nothing is sent.'
          : 'By the configuration that the caller’s sidecar has now.'
      }
      width="720px"
      onClose={onClose}
      footer={<Button onClick={onClose}>Close</Button>}
    >
      {id === null ? <TryForm service={service} /> : <Recorded id={id} />}
    </Dialog>
  );
}

function Recorded({ id }: { id: string }) {
  const { client } = useAccess();
  const { data, error, reload } = useQuery(`explain ${id}`, () => client.call('request.explain', { id }));
  if (data) return <ExplanationView explanation={data} />;
  if (error) return <ErrorState title="It cannot be explained" error={error} onRetry={reload} />;
  return <Loading label="Asking the control plane" />;
}

/** A workload that calls the service now, for a start; `null`: nobody does. */
function callerOf(topology: Topology | null, service: string | null): string | null {
  const key = service?.split('.').slice(0, 2).join('.');
  const from = topology?.edges.find(({ to }) => to === key)?.from;
  return topology?.nodes.find(({ id }) => id === from)?.workloads[0]?.name ?? null;
}

function TryForm({ service }: { service: string | null }) {
  const { client } = useAccess();
  const workloads = useMesh((data) => data.workloads);
  const callers = workloads.filter(({ state }) => state === 'running').map(({ name }) => name);
  const usual = useMesh(({ topology }) => callerOf(topology, service));
  const [from, setFrom] = useState<string | null>(null);
  const [method, setMethod] = useState('GET');
  const [url, setUrl] = useState(service === null ? '' : `http://${service}/`);
  const [headers, setHeaders] = useState('');
  const [result, setResult] = useState<Explanation | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const caller = from ?? callers.find((name) => name === usual) ?? callers[0] ?? '';
  const parsed = parseHeaderLines(headers);
  const handleSubmit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    client
      .call('request.explain', { from: caller, method, url, headers: parsed.headers })
      .then((explanation) => {
        setResult(explanation);
        setProblem(null);
      })
      .catch((error: unknown) => setProblem(messageOf(error)))
      .finally(() => setBusy(false));
  };
  return (
    <>
      <form className="explain-form" onSubmit={handleSubmit}>
        <Field label="From">
          {({ id }) => (
            <select id={id} className="input" value={caller} onChange={({ target }) => setFrom(target.value)}>
              {callers.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Method">
          {({ id }) => (
            <input id={id} className="input mono" value={method} onChange={({ target }) => setMethod(target.value)} />
          )}
        </Field>
        <Field label="Address" problem={problem}>
          {({ id, describedBy, invalid }) => (
            <input
              id={id}
              className="input mono"
              placeholder="http://payments:8080/charge?amount=5"
              aria-describedby={describedBy}
              aria-invalid={invalid}
              value={url}
              onChange={({ target }) => setUrl(target.value)}
            />
          )}
        </Field>
        <Field label="Headers" help="one per line, name: value" problem={parsed.problem}>
          {({ id, describedBy, invalid }) => (
            <textarea
              id={id}
              className="input mono"
              rows={2}
              aria-describedby={describedBy}
              aria-invalid={invalid}
              value={headers}
              onChange={({ target }) => setHeaders(target.value)}
            />
          )}
        </Field>
        <Button
          variant="primary"
          icon={Search}
          type="submit"
          busy={busy}
          disabled={caller === '' || url.trim() === '' || method === '' || parsed.problem !== null}
        >
          Explain
        </Button>
      </form>
      {result && <ExplanationView explanation={result} />}
    </>
  );
}
