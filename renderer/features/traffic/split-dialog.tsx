import { ArrowRight } from 'lucide-react';
import { openTraffic } from '../../state/navigation.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { serviceName } from '../../ui/format.ts';
import { ErrorState, Loading } from '../../ui/panels.tsx';
import { SplitEditor } from './split-editor.tsx';
import { useSplit } from './use-split.ts';
import './traffic.css';

/** The split of one service, opened over another view. */
export function SplitDialog({ service, onClose }: { service: string; onClose(): void }) {
  const editing = useSplit(service);
  const { data, error, reload } = editing.query;
  const openView = () => {
    openTraffic(service);
    onClose();
  };
  return (
    <Dialog
      title={`Split traffic of ${serviceName(service)}`}
      description="A change is applied at once."
      width="860px"
      onClose={onClose}
      footer={
        <>
          <Button variant="ghost" icon={ArrowRight} onClick={openView}>
            Open in Traffic
          </Button>
          <Button variant="primary" onClick={onClose}>
            Done
          </Button>
        </>
      }
    >
      {error && !data && <ErrorState title="The split could not be read" error={error} onRetry={reload} />}
      {!data && !error && <Loading label="Reading the split" />}
      {data &&
        (data.unavailable ? (
          <p className="muted">{data.unavailable}</p>
        ) : (
          <SplitEditor split={data} editing={editing} />
        ))}
    </Dialog>
  );
}
