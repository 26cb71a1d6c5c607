import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { DiffView } from './diff-view.tsx';
import type { EditedFile } from './edited-files.ts';

/** Somebody else wrote the file while it was edited: nothing is written before one of the two is chosen. */
export function ConflictDialog(props: {
  file: EditedFile;
  busy: boolean;
  onKeepMine(): void;
  onTakeTheirs(): void;
  onClose(): void;
}) {
  const { path, text, saved } = props.file;
  return (
    <Dialog
      title={saved === null ? `${path} is gone` : `${path} was changed by somebody else`}
      description={
        saved === null
          ? 'It was removed on disk while you edited it. Your text is not lost.'
          : 'It was written, on disk or in another window, after you began to edit it. From theirs to yours:'
      }
      width="680px"
      onClose={props.onClose}
      footer={
        <>
          <Button onClick={props.onClose}>Go on editing</Button>
          <Button onClick={props.onTakeTheirs}>{saved === null ? 'Let it go' : 'Take theirs'}</Button>
          <Button variant="primary" busy={props.busy} onClick={props.onKeepMine}>
            {saved === null ? 'Write mine again' : 'Overwrite with mine'}
          </Button>
        </>
      }
    >
      <div className="config-conflict">
        <DiffView before={saved ?? ''} after={text} label="From theirs to yours" />
      </div>
    </Dialog>
  );
}
