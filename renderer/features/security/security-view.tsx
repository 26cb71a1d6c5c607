/**
 * Security: who every workload is. Certificates with their whole content, rotation of one, all or the root, verification
 * against the trust bundle, and how much of the traffic is really encrypted.
 */
import { RotateCw, ShieldCheck } from 'lucide-react';
import { useState } from 'react';
import type { CertificateView, Topology } from '../../../core/contract/shapes.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { navigate, setPanel, useNavigation } from '../../state/navigation.ts';
import { showToast } from '../../state/toasts.ts';
import { findNode, serviceKeyOf } from '../../state/topology-names.ts';
import { useQuery } from '../../state/use-query.ts';
import { Button } from '../../ui/button.tsx';
import { Chip } from '../../ui/chip.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { formatPercent, formatSpan, plural } from '../../ui/format.ts';
import { MiddleText } from '../../ui/middle-text.tsx';
import { EmptyState, ErrorState, Loading, View } from '../../ui/panels.tsx';
import { CertificateDrawer } from './certificate-drawer.tsx';
import { encryptedShare, plaintextCallers } from './encrypted-share.ts';
import './security.css';
import { issuedAtMs, validityOf } from './validity.ts';

export function SecurityView() {
  const { client } = useAccess();
  const change = useMesh((data) => data.certificatesChange);
  const shape = useMesh((data) => data.workloads.map(({ id, identity }) => `${id}${identity}`).join());
  const list = useQuery(`certificates#${change}${shape}`, () => client.call('certificate.list', {}), 30_000);
  const selected = useNavigation((state) => state.certificate);
  const certificates = [...(list.data ?? [])].sort((left, right) =>
    left.workload.name.localeCompare(right.workload.name, 'en', { numeric: true }),
  );
  const current = certificates.find(({ workload }) => workload.id === selected);
  const mode = useMesh((data) => data.status?.mtlsMode);
  return (
    <View
      title="Security"
      drawer={current && <CertificateDrawer key={current.workload.id} certificate={current} onChange={list.reload} />}
      toolbar={
        <>
          <span className="hint ellipsis">
            certificates
            {mode && (
              <>
                {' · mesh mode '}
                <Chip tone="accent">{mode.toLowerCase()}</Chip>
              </>
            )}
          </span>
          <span className="push" />
          <RotateButtons count={certificates.length} onDone={list.reload} />
        </>
      }
    >
      {list.error && !list.data && (
        <ErrorState title="The certificates could not be read" error={list.error} onRetry={list.reload} />
      )}
      {!list.data && !list.error && <Loading label="Reading the certificates" lines={6} />}
      {list.data && certificates.length === 0 && (
        <EmptyState
          icon={ShieldCheck}
          title="No identities yet"
          actions={<Button onClick={() => navigate('workloads')}>Choose workloads</Button>}
        >
          A workload gets its certificate when it is attached. Traffic between two attached workloads is mutual TLS at
          once.
        </EmptyState>
      )}
      {certificates.length > 0 && (
        <>
          <CertificateTable certificates={certificates} selected={current?.workload.id ?? null} />
          <EncryptionCard />
        </>
      )}
    </View>
  );
}

function RotateButtons({ count, onDone }: { count: number; onDone(): void }) {
  const { client } = useAccess();
  const [busy, setBusy] = useState<'all' | 'root' | null>(null);
  const asking = useNavigation((state) => state.panel === 'rotate-root') && count > 0;
  const rotate = async (what: 'all' | 'root') => {
    setBusy(what);
    const input = what === 'all' ? ({ all: true } as const) : ({ root: true } as const);
    const views = await attempt('Rotation failed', () => client.call('certificate.rotate', input));
    setBusy(null);
    setPanel(null);
    if (!views) return;
    showToast(
      'ok',
      what === 'all' ? `${plural(views.length, 'certificate')} rotated` : 'The root was rotated',
      'No connection was cut.',
    );
    onDone();
  };
  return (
    <>
      <Button variant="ghost" disabled={count === 0} busy={busy === 'root'} onClick={() => setPanel('rotate-root')}>
        Rotate root
      </Button>
      <Button icon={RotateCw} disabled={count === 0} busy={busy === 'all'} onClick={() => void rotate('all')}>
        Rotate all
      </Button>
      {asking && (
        <ConfirmDialog
          title="Rotate the root?"
          text={`A new root CA is made and trusted beside the old one, ${plural(count, 'certificate')} are issued again, then the old root is dropped. Connections go on. Copies of the old root that you exported stop being valid.`}
          action="Rotate the root"
          busy={busy === 'root'}
          onConfirm={() => void rotate('root')}
          onClose={() => setPanel(null)}
        />
      )}
    </>
  );
}

function CertificateTable({
  certificates,
  selected,
}: {
  certificates: readonly CertificateView[];
  selected: string | null;
}) {
  const topology = useMesh((data) => data.topology);
  const nowMs = Date.now();
  const open = (id: string) => useNavigation.setState({ certificate: id });
  return (
    <div className="card clip certificates">
      <table className="table">
        <thead>
          <tr>
            <th>Workload</th>
            <th>Identity</th>
            <th>Rotates in</th>
            <th className="num">Encrypted, {topology?.windowSeconds ?? 30} s</th>
            <th>Plaintext callers</th>
          </tr>
        </thead>
        <tbody data-arrows="vertical">
          {certificates.map((certificate) => {
            const { id, name } = certificate.workload;
            return (
              <tr key={id} data-clickable className={id === selected ? 'on' : ''} onClick={() => open(id)}>
                <td>
                  <button
                    type="button"
                    className="linklike inline"
                    aria-expanded={id === selected}
                    onClick={() => open(id)}
                  >
                    <span className="dot ok" />
                    <MiddleText text={name} />
                  </button>
                </td>
                <td className="mono muted ellipsis" title={certificate.spiffeId}>
                  <span className="trust-domain">{certificate.spiffeId.replace(/\/ns\/.*$/, '')}</span>
                  {certificate.spiffeId.replace(/^spiffe:\/\/[^/]+/, '')}
                </td>
                <td>
                  <RotatesIn certificate={certificate} nowMs={nowMs} />
                </td>
                <EncryptedCells topology={topology} service={serviceKeyOf(certificate.workload)} />
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function RotatesIn({ certificate, nowMs }: { certificate: CertificateView; nowMs: number }) {
  const { state, rotatesInMs } = validityOf(certificate, nowMs);
  const issuedAgoMs = nowMs - issuedAtMs(certificate);
  if (certificate.rotations > 0 && issuedAgoMs < 600_000) {
    return (
      <Chip tone="accent">
        rotated {issuedAgoMs < 60_000 ? 'just now' : `${Math.floor(issuedAgoMs / 60_000)} min ago`}
      </Chip>
    );
  }
  if (state === 'expired' || state === 'not yet valid') return <Chip tone="error">{state}</Chip>;
  return <Chip tone={state === 'due' ? 'warn' : 'ok'}>{state === 'due' ? 'due' : formatSpan(rotatesInMs)}</Chip>;
}

function EncryptedCells({ topology, service }: { topology: Topology | null; service: string }) {
  const incoming = (topology?.edges ?? []).filter((edge) => {
    const node = findNode(topology, edge.to);
    return node !== undefined && serviceKeyOf(node) === service;
  });
  const callers = plaintextCallers(incoming).flatMap((id) => findNode(topology, id)?.service ?? id);
  const share = encryptedShare(incoming);
  return (
    <>
      <td className={`num ${share === null ? 'hint' : ''}`}>{formatPercent(share)}</td>
      <td className="muted ellipsis">{callers.length > 0 ? callers.join(', ') : <span className="hint">none</span>}</td>
    </>
  );
}

/** What the mesh mode means for the traffic that is there. */
function EncryptionCard() {
  const topology = useMesh((data) => data.topology);
  const mode = useMesh((data) => data.status?.mtlsMode);
  const inside = (topology?.edges ?? []).filter(({ from, to }) =>
    [from, to].every((id) => findNode(topology, id)?.kind === 'service'),
  );
  const share = encryptedShare(inside);
  const open = inside.filter(({ mtls }) => mtls !== 'closed');
  return (
    <section className="card inner" aria-label="Encrypted traffic">
      <h2 className="caption">Encrypted inside the mesh, last {topology?.windowSeconds ?? 30} s</h2>
      <div className="inline">
        <b className="figure">{formatPercent(share)}</b>
        <div className="meter grow">
          <i style={{ width: `${share ?? 0}%`, background: 'var(--ok)' }} />
        </div>
      </div>
      <p className="muted" style={{ marginTop: 8 }}>
        {mode === 'PERMISSIVE' &&
          'Permissive: sidecars take mutual TLS from each other and plaintext from everybody else. '}
        {mode === 'STRICT' && 'Strict: plaintext is refused. '}
        {mode === 'DISABLE' && 'Mutual TLS is off. '}
        {open.length > 0
          ? `Not fully encrypted: ${open.map(({ from, to }) => `${findNode(topology, from)?.service} → ${findNode(topology, to)?.service}`).join(', ')}.`
          : inside.length > 0 && 'Every edge between two attached services is mutual TLS.'}
      </p>
    </section>
  );
}
