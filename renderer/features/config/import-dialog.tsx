import { useRef, useState } from 'react';
import type { ConfigText } from '../../../core/contract/config-shapes.ts';
import type { ImportResult, MappedName, NameMapping } from '../../../core/contract/import-shapes.ts';
import { attempt, useAccess } from '../../state/mesh-context.tsx';
import { openConfig } from '../../state/navigation.ts';
import { showToast } from '../../state/toasts.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { plural } from '../../ui/format.ts';
import { ImportPreview } from './import-preview.tsx';

/** Takes in YAML that was made elsewhere: shows what it would become, names and all, before anything is written. */
export function ImportDialog({ onClose }: { onClose(): void }) {
  const { client } = useAccess();
  const [texts, setTexts] = useState<readonly ConfigText[]>([]);
  const [pasted, setPasted] = useState('');
  const [preview, setPreview] = useState<ImportResult | null>(null);
  const [busy, setBusy] = useState(false);
  const given = [...texts, ...(pasted.trim() === '' ? [] : [{ file: 'pasted.yaml', text: pasted }])];

  const run = async (mapping: readonly MappedName[], write: boolean) => {
    setBusy(true);
    const chosen = mapping.map(({ kind, from, to }): NameMapping => ({ kind, from, to }));
    const input = { texts: given, mapping: chosen, write };
    const result = await attempt('Nothing was imported', () => client.call('config.import', input));
    setBusy(false);
    if (!result) return;
    if (!write) return setPreview(result);
    showToast('ok', `${plural(result.resources.length, 'resource')} imported`, result.written.join(', '));
    // The last one: names that were mapped are written down first, in the project's settings.
    const last = result.written.at(-1);
    if (last !== undefined) openConfig(last);
    onClose();
  };
  const errors = preview?.findings.filter(({ severity }) => severity === 'error').length ?? 0;
  const canWrite = preview !== null && preview.resources.length > 0 && errors === 0;
  return (
    <Dialog
      title="Import"
      description="Istio and Gateway API resources: files of production, rendered charts, dumps of a cluster; or a compose file, to see which services it would make."
      width="720px"
      onClose={onClose}
      footer={
        preview ? (
          <>
            <Button onClick={() => setPreview(null)}>Back</Button>
            {preview.mapping.length > 0 && (
              <Button disabled={busy} onClick={() => void run(preview.mapping, false)}>
                Check names again
              </Button>
            )}
            <Button
              variant="primary"
              busy={busy}
              disabled={!canWrite}
              title={errors > 0 ? 'Correct the errors first' : undefined}
              onClick={() => void run(preview.mapping, true)}
            >
              Put into the project
            </Button>
          </>
        ) : (
          <>
            <Button onClick={onClose}>Cancel</Button>
            <Button variant="primary" busy={busy} disabled={given.length === 0} onClick={() => void run([], false)}>
              Preview
            </Button>
          </>
        )
      }
    >
      {preview ? (
        <ImportPreview preview={preview} onMapping={(mapping) => setPreview({ ...preview, mapping: [...mapping] })} />
      ) : (
        <Sources texts={texts} pasted={pasted} onTexts={setTexts} onPasted={setPasted} />
      )}
    </Dialog>
  );
}

function Sources(props: {
  texts: readonly ConfigText[];
  pasted: string;
  onTexts(texts: readonly ConfigText[]): void;
  onPasted(text: string): void;
}) {
  const input = useRef<HTMLInputElement>(null);
  const read = async (files: FileList | null) => {
    const texts = await attempt('The files could not be read', () =>
      Promise.all([...(files ?? [])].map(async (file) => ({ file: file.name, text: await file.text() }))),
    );
    if (texts) props.onTexts(texts);
  };
  return (
    <div className="config-form">
      <div className="inline">
        <Button onClick={() => input.current?.click()}>Choose files</Button>
        <span className="hint ellipsis">
          {props.texts.length === 0 ? 'or paste below' : props.texts.map(({ file }) => file).join(', ')}
        </span>
        <input
          ref={input}
          type="file"
          multiple
          hidden
          accept=".yaml,.yml,.json"
          aria-label="Files to import"
          onChange={({ target }) => void read(target.files)}
        />
      </div>
      <textarea
        className="input mono config-paste"
        aria-label="YAML to import"
        placeholder={'kubectl get virtualservice,destinationrule -A -o yaml\nhelm template …'}
        spellCheck={false}
        rows={12}
        value={props.pasted}
        onChange={({ target }) => props.onPasted(target.value)}
      />
    </div>
  );
}
