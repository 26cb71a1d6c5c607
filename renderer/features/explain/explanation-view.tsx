import { Check, CornerDownRight, Minus, X } from 'lucide-react';
import type { ReactNode } from 'react';
import type { ExplainedDestination, Explanation } from '../../../core/contract/explain-shapes.ts';
import { Chip } from '../../ui/chip.tsx';
import { formatMs, formatPercent } from '../../ui/format.ts';

/** The steps of a decision from top to bottom: who asks, what was tried, what was decided, what is in force. */
export function ExplanationView({ explanation }: { explanation: Explanation }) {
  const { outcome, request, recorded } = explanation;
  return (
    <section className="explanation" aria-label="Explanation">
      <dl className="kv">
        <Row name="Request">
          <code className="mono">
            {request.method} {request.scheme}://{request.host}:{request.port}
            {request.path}
            {request.query && `?${request.query}`}
          </code>
        </Row>
        <Row name="From">
          {explanation.caller.name} <ConfigChip config={explanation.config} />
        </Row>
        <Row name="Listener">{explanation.listener}</Row>
        <Row name="Service">{explanation.service ?? `none of the mesh is called ${request.host}`}</Row>
      </dl>
      {explanation.routes.length > 0 && <Routes routes={explanation.routes} />}
      {explanation.draw.length > 1 && (
        <p className="hint">
          Draws between{' '}
          {explanation.draw
            .map(({ service, subset, share }) => `${subset ?? service} ${formatPercent(share)}`)
            .join(', ')}
        </p>
      )}
      <Outcome outcome={outcome} />
      {explanation.leftOut.map(({ id, state, reason }) => (
        <Chip key={id} tone="warn" title={reason}>
          {id} is {state}
        </Chip>
      ))}
      {outcome.kind === 'forward' && <InForce explanation={explanation} />}
      {explanation.callee && <Callee callee={explanation.callee} />}
      {explanation.faults.map(({ id, kind, percent }) => (
        <Chip key={id} tone="fault" title={id}>
          fault: {kind} · {formatPercent(percent)}
        </Chip>
      ))}
      {recorded && (
        <p className="hint">
          It was answered {recorded.status || 'with nothing'} {recorded.flags} by {recorded.endpoint ?? 'the sidecar'}{' '}
          after {formatMs(recorded.durationMs)}
          {sentText(recorded.attempts)}.
        </p>
      )}
    </section>
  );
}

/** How often the sidecar sent it; nothing where that is not known. */
function sentText(attempts: number | null): string {
  if (attempts === null) return '';
  return attempts === 0 ? ', not sent' : attempts === 1 ? ', sent once' : `, sent ${attempts} times`;
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function ConfigChip({ config: { revision, state } }: { config: Explanation['config'] }) {
  if (state === 'in-force') return <Chip tone="ok">revision {revision} in force</Chip>;
  if (state === 'pushed') return <Chip tone="warn">revision {revision} not acknowledged yet</Chip>;
  return <Chip tone="warn">not attached: as it would be</Chip>;
}

function Routes({ routes }: { routes: Explanation['routes'] }) {
  const icons = { matched: Check, 'did not match': X, 'not reached': Minus } as const;
  return (
    <ol className="explain-routes" aria-label="Rules in order">
      {routes.map(({ route, outcome, reasons }) => {
        const Icon = icons[outcome];
        return (
          <li key={route} data-outcome={outcome}>
            <Icon size={14} aria-hidden />
            <span className="mono">{route}</span>
            <span className="hint">
              {outcome}
              {reasons.length > 0 ? `: ${reasons.join('; ')}` : outcome === 'matched' ? ': it takes every request' : ''}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

function Outcome({ outcome }: { outcome: Explanation['outcome'] }) {
  switch (outcome.kind) {
    case 'answer':
      return (
        <p className="explain-outcome">
          <strong>
            The sidecar answers {outcome.status} {outcome.flag}
          </strong>{' '}
          {outcome.why}
          {outcome.location && (
            <>
              {' '}
              to <code className="mono">{outcome.location}</code>
            </>
          )}
        </p>
      );
    case 'closed':
      return (
        <p className="explain-outcome">
          <strong>The connection is closed:</strong> {outcome.why}
        </p>
      );
    case 'outside':
      return (
        <p className="explain-outcome">
          {outcome.allowed
            ? 'It goes to the address that was dialled, outside the mesh.'
            : 'It is refused: hosts outside the mesh are not let out.'}
        </p>
      );
    default:
      return (
        <>
          {outcome.kind === 'connection' && (
            <p className="explain-outcome">
              TLS of the application’s own: passed on unopened, rules of http do not apply.
            </p>
          )}
          <Destination destination={outcome.destination} />
        </>
      );
  }
}

function Destination({ destination }: { destination: ExplainedDestination }) {
  const { service, subset, port, share, endpoints, chosen, chosenBy } = destination;
  return (
    <div className="explain-outcome">
      <strong>
        {service}:{port}
        {subset && ` · ${subset}`}
      </strong>{' '}
      gets {formatPercent(share)} of this route. Endpoint: {chosenBy}
      <ul className="explain-endpoints">
        {endpoints.map((endpoint) => (
          <li key={endpoint.id} data-chosen={endpoint.id === chosen || undefined}>
            {endpoint.id === chosen ? <CornerDownRight size={14} aria-label="chosen" /> : <span />}
            <span>{endpoint.name}</span>
            <code className="mono">
              {endpoint.address}:{endpoint.port}
            </code>
            <span className="hint" title={endpoint.spiffeId ?? undefined}>
              {endpoint.spiffeId === null ? 'plaintext' : 'mTLS'}
              {endpoint.priority > 0 && ` · priority ${endpoint.priority}`}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Callee({ callee }: { callee: NonNullable<Explanation['callee']> }) {
  const { workload, port, protocol, mtls, rateLimits } = callee;
  return (
    <p className="hint">
      Arrives at {workload}:{port} ({protocol}), {mtls === null ? 'which has no sidecar' : `mTLS ${mtls}`}
      {rateLimits.map(
        ({ requests, intervalMs, per }) => `, at most ${requests} per ${formatMs(intervalMs)} and ${per}`,
      )}
    </p>
  );
}

function InForce({ explanation }: { explanation: Explanation }) {
  const { path, request, authority, timeoutMs, retries, mirrors, rateLimits } = explanation;
  return (
    <dl className="kv">
      {path !== request.path && <Row name="Path becomes">{path}</Row>}
      {!authority.startsWith(request.host) && <Row name="Host becomes">{authority}</Row>}
      <Row name="Timeout">{timeoutMs === null ? 'none' : formatMs(timeoutMs)}</Row>
      {retries && (
        <Row name="Retries">
          {retries.attempts === 0
            ? 'none'
            : `up to ${retries.attempts} on ${retries.retryOn}${retries.perTryTimeoutMs === null ? '' : `, ${formatMs(retries.perTryTimeoutMs)} each`}`}
        </Row>
      )}
      {mirrors.length > 0 && <Row name="Mirrored">{mirrors.join(', ')}</Row>}
      {rateLimits.map(({ id, requests, intervalMs, per }) => (
        <Row key={id} name="Rate limit">
          {requests} per {formatMs(intervalMs)} and {per}
        </Row>
      ))}
    </dl>
  );
}
