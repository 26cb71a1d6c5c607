import { type FormEvent, useState } from 'react';
import { Button } from '../../ui/button.tsx';
import { Field } from '../../ui/controls.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { newPathProblem } from './file-tree.ts';
import { templates } from './templates.ts';

/** Name and first text of a file; it is on disk once it is saved. */
export function NewFileDialog(props: {
  taken: readonly string[];
  onCreate(path: string, text: string): void;
  onClose(): void;
}) {
  const [path, setPath] = useState('traffic/new.yaml');
  const [kind, setKind] = useState(templates[0]?.kind ?? '');
  const [tried, setTried] = useState(false);
  const problem = newPathProblem(path.trim(), props.taken);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (problem === null) props.onCreate(path.trim(), templates.find((one) => one.kind === kind)?.text ?? '');
  };
  return (
    <Dialog
      title="New file"
      description="In the project's folder. It is written when you save it."
      width="480px"
      onClose={props.onClose}
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button variant="primary" type="submit" form="config-new-file">
            Create
          </Button>
        </>
      }
    >
      <form id="config-new-file" className="config-form" onSubmit={submit}>
        <Field label="Path" problem={tried ? problem : null} help="Folders with “/”; ends in .yaml">
          {({ id, describedBy, invalid }) => (
            <input
              id={id}
              className="input mono"
              spellCheck={false}
              aria-describedby={describedBy}
              aria-invalid={invalid}
              value={path}
              onChange={({ target }) => setPath(target.value)}
            />
          )}
        </Field>
        <Field label="Begin with">
          {({ id }) => (
            <select id={id} className="input" value={kind} onChange={({ target }) => setKind(target.value)}>
              {templates.map((one) => (
                <option key={one.kind}>{one.kind}</option>
              ))}
              <option value="">nothing</option>
            </select>
          )}
        </Field>
      </form>
    </Dialog>
  );
}
