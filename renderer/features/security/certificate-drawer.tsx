import { ChevronRight, Download, RotateCw, ShieldCheck, ShieldX } from 'lucide-react';
import { useState } from 'react';
import type { CertificateDetail, CertificateView } from '../../../core/contract/shapes.ts';
import { attempt, useAccess } from '../../state/mesh-context.tsx';
import { useNavigation } from '../../state/navigation.ts';
import { showToast } from '../../state/toasts.ts';
import { useQuery } from '../../state/use-query.ts';
import { Button } from '../../ui/button.tsx';
import { Chip } from '../../ui/chip.tsx';
import { CopyButton } from '../../ui/code-view.tsx';
import { formatDate, formatFingerprint, formatSpan } from '../../ui/format.ts';
import { Drawer, Pane } from '../../ui/panels.tsx';
import { backdatedMs, validityOf } from './validity.ts';

const close = () => useNavigation.setState({ certificate: null });

/** Everything a certificate says, one certificate of the chain at a time. */
export function CertificateDrawer({ certificate, onChange }: { certificate: CertificateView; onChange(): void }) {
  const { client } = useAccess();
  const { id, name } = certificate.workload;
  const [place, setPlace] = useState(0);
  const check = useQuery(`${id}#${certificate.serial}`, () => client.call('certificate.verify', { workload: id }));
  const detail = certificate.details[place] ?? certificate.details[0];
  const passed = check.data?.ok ?? null;
  return (
    <Drawer
      title={name}
      onClose={close}
      chips={
        <>
          {passed === null && <Chip>{check.error ? 'not verified' : 'verifying'}</Chip>}
          {passed === true && (
            <Chip tone="ok" icon={ShieldCheck}>
              verified against the bundle
            </Chip>
          )}
          {passed === false && (
            <Chip tone="error" icon={ShieldX}>
              not valid
            </Chip>
          )}
          {detail && <Chip>{detail.keyType}</Chip>}
          {certificate.rotations > 0 && <Chip>rotated {certificate.rotations}×</Chip>}
        </>
      }
      footer={<Actions certificate={certificate} onChange={onChange} />}
    >
      <ValidityPane certificate={certificate} />
      <ChainPane details={certificate.details} place={place} onChoose={setPlace} />
      {detail && <DetailPanes detail={detail} spiffeId={certificate.spiffeId} />}
      {check.data && (
        <Pane title="Verification">
          <ul className="checks">
            {check.data.checks.map((item) => (
              <li key={item.name}>
                <span className={`dot ${item.ok ? 'ok' : 'error'}`} />
                <span>
                  <b className="strong">{item.name}</b> <span className="muted">{item.message}</span>
                </span>
              </li>
            ))}
          </ul>
        </Pane>
      )}
    </Drawer>
  );
}

function Actions({ certificate, onChange }: { certificate: CertificateView; onChange(): void }) {
  const { client } = useAccess();
  const [busy, setBusy] = useState(false);
  const { id, name } = certificate.workload;
  const pem = certificate.chain.join('');
  const rotate = async () => {
    setBusy(true);
    const views = await attempt(`Rotate ${name}`, () => client.call('certificate.rotate', { workload: id }));
    setBusy(false);
    if (!views) return;
    showToast('ok', `Certificate of ${name} rotated`, 'The new one is in use for new connections.');
    onChange();
  };
  return (
    <>
      <Button variant="primary" icon={RotateCw} busy={busy} onClick={() => void rotate()}>
        Rotate now
      </Button>
      <CopyButton text={pem} label="Copy PEM" what="PEM chain" />
      <Button variant="ghost" icon={Download} onClick={() => download(`${name}.pem`, pem)}>
        Save PEM
      </Button>
    </>
  );
}

function download(fileName: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/x-pem-file' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName;
  link.click();
  URL.revokeObjectURL(url);
}

function ValidityPane({ certificate }: { certificate: CertificateView }) {
  const { nowPercent, rotatesPercent, lifeMs, state } = validityOf(certificate, Date.now());
  return (
    <Pane
      title={`Validity · ${lifeMs - backdatedMs === 86_400_000 ? '24 h' : formatSpan(lifeMs - backdatedMs)}${state === 'valid' ? '' : ` · ${state}`}`}
    >
      <div
        className="validity"
        role="img"
        aria-label={`${Math.round(nowPercent)} % of its life is over; it rotates at ${Math.round(rotatesPercent)} %`}
      >
        <i className="life" style={{ width: `${nowPercent}%` }} />
        <i className="rotates" style={{ left: `${rotatesPercent}%` }} />
        <i className="now" style={{ left: `${nowPercent}%` }} />
      </div>
      <div className="validity-dates">
        <small>{formatDate(certificate.notBefore)}</small>
        <small className="rotation">rotates {formatDate(certificate.rotatesAt)}</small>
        <small>{formatDate(certificate.notAfter)}</small>
      </div>
    </Pane>
  );
}

function ChainPane({
  details,
  place,
  onChoose,
}: {
  details: readonly CertificateDetail[];
  place: number;
  onChoose(place: number): void;
}) {
  const nameOf = (index: number) => (index === 0 ? 'workload' : index === details.length - 1 ? 'root' : 'intermediate');
  return (
    <Pane title="Chain">
      <div className="chain">
        {details.map((detail, index) => (
          <span key={detail.fingerprintSha256} className="inline">
            {index > 0 && <ChevronRight size={14} aria-hidden />}
            <button type="button" aria-pressed={index === place} onClick={() => onChoose(index)}>
              <b>{nameOf(index)}</b>
              <small>{formatLife(detail)}</small>
            </button>
          </span>
        ))}
      </div>
    </Pane>
  );
}

function formatLife({ notBefore, notAfter }: CertificateDetail): string {
  const days = (Date.parse(notAfter) - Date.parse(notBefore)) / 86_400_000;
  if (days >= 730) return `${Math.round(days / 365)} y`;
  return days >= 2 ? `${Math.round(days)} d` : `${Math.round(days * 24)} h`;
}

function DetailPanes({ detail, spiffeId }: { detail: CertificateDetail; spiffeId: string }) {
  return (
    <>
      <Pane title="Certificate">
        <dl className="kv">
          <dt>Subject</dt>
          <dd>{detail.subject || <span className="muted">none (identity is the SAN)</span>}</dd>
          <dt>Names (SAN)</dt>
          <dd>
            {detail.sans.length === 0 && <span className="muted">none</span>}
            {detail.sans.map((san) => (
              <span key={san} className="mono san">
                {san.replace(/^URI:/, '')}{' '}
                {san.replace(/^URI:/, '') === spiffeId && <Chip tone="accent">SPIFFE ID</Chip>}
              </span>
            ))}
          </dd>
          <dt>Issuer</dt>
          <dd>{detail.issuer}</dd>
          <dt>Serial</dt>
          <dd className="mono">{formatFingerprint(detail.serial)}</dd>
          <dt>SHA-256</dt>
          <dd className="mono">{formatFingerprint(detail.fingerprintSha256)}</dd>
          <dt>Key</dt>
          <dd>{detail.keyType}</dd>
          <dt>Signature</dt>
          <dd>{detail.signatureAlgorithm}</dd>
        </dl>
      </Pane>
      <Pane title="Extensions">
        <dl className="kv">
          {detail.extensions.map(({ oid, name, critical, value }) => (
            <Extension key={oid} oid={oid} name={name} critical={critical} value={value} />
          ))}
        </dl>
      </Pane>
    </>
  );
}

function Extension({ oid, name, critical, value }: CertificateDetail['extensions'][number]) {
  return (
    <>
      <dt title={oid}>{name || oid}</dt>
      <dd>
        {value} {critical && <Chip>critical</Chip>}
      </dd>
    </>
  );
}
