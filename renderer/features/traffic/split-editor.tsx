import { Plus, Undo2, X } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import type { SplitView } from '../../../core/contract/shapes.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Chip, subsetColor, VersionChip } from '../../ui/chip.tsx';
import { Range, Segmented } from '../../ui/controls.tsx';
import { formatMs, formatPercent } from '../../ui/format.ts';
import type { SplitEditing } from './use-split.ts';
import { setWeight } from './weights.ts';

/** Header pins, then the weighted rest: in the order in which requests meet them. */
export function SplitEditor({ split, editing }: { split: SplitView; editing: SplitEditing }) {
  return (
    <>
      <PinsCard split={split} editing={editing} />
      <WeightsCard split={split} editing={editing} />
    </>
  );
}

function WeightsCard({ split, editing }: { split: SplitView; editing: SplitEditing }) {
  const { weights } = editing;
  const subsets = weights.map(({ subset }) => subset);
  const newest = [...subsets].sort((left, right) => left.localeCompare(right, 'en', { numeric: true })).at(-1) ?? '';
  const newestWeight = weights.find(({ subset }) => subset === newest)?.weight ?? 0;
  return (
    <section className="card route active" aria-label="Everything else">
      <div className="route-top">
        <span className="route-order">{editing.pins.length + 1}</span>
        <b>Everything else</b>
        {!split.configured && <Chip>no split set: the callers&apos; own address decides</Chip>}
        <span className="push" />
        <Applied split={split} pending={editing.pending} />
      </div>
      <div className="meter" aria-hidden>
        {weights.map(({ subset, weight }) => (
          <i key={subset} style={{ width: `${weight}%`, background: subsetColor(subset, subsets) }} />
        ))}
      </div>
      <div className="dest head" aria-hidden>
        <span>Version</span>
        <span>Weight</span>
        <span />
        <span className="observed">Observed, last {split.observedWindowSeconds} s</span>
        <span className="num">share</span>
        <span className="num">success</span>
        <span className="num">p95</span>
      </div>
      {weights.map(({ subset, weight }) => (
        <DestinationRow
          key={subset}
          subset={subset}
          weight={weight}
          subsets={subsets}
          split={split}
          editing={editing}
        />
      ))}
      <div className="inline wrap route-foot">
        <Segmented
          label={`Weight of ${newest}, presets`}
          value={String(newestWeight)}
          options={['0', '10', '25', '50', '100'].map((value) => ({
            value,
            label: value,
            title: `${value} % to ${newest}`,
          }))}
          onChange={(value) => editing.setWeights(setWeight(weights, newest, Number(value)))}
        />
        <Comparison split={split} />
        <span className="push" />
        {split.configured && (
          <Button variant="ghost" icon={Undo2} onClick={editing.clear}>
            Remove split
          </Button>
        )}
      </div>
    </section>
  );
}

function Applied({ split: { applied, configured }, pending }: { split: SplitView; pending: boolean }) {
  if (!configured && !pending) return null;
  const done = !pending && applied.acked >= applied.of;
  return (
    <span role="status">
      <Chip tone={done ? 'accent' : 'warn'}>
        {!done && <span className="dot busy" style={{ width: 8, height: 8 }} />}
        applied to {applied.acked} of {applied.of} {applied.of === 1 ? 'sidecar' : 'sidecars'}
      </Chip>
    </span>
  );
}

interface RowProps {
  subset: string;
  weight: number;
  subsets: readonly string[];
  split: SplitView;
  editing: SplitEditing;
}

function DestinationRow({ subset, weight, subsets, split, editing }: RowProps) {
  const color = subsetColor(subset, subsets);
  const seen = split.observed.find(({ version }) => version === subset);
  const runs = split.versions.some(({ version }) => version === subset);
  const change = (value: number) => editing.setWeights(setWeight(editing.weights, subset, value));
  return (
    <div className="dest">
      <span title={runs ? undefined : 'no workload of this version is running'}>
        <VersionChip version={subset} versions={subsets} />
        {!runs && <small className="hint"> gone</small>}
      </span>
      <span className="affix">
        <input
          className="input"
          type="number"
          min={0}
          max={100}
          aria-label={`Weight of ${subset} in percent`}
          value={weight}
          disabled={subsets.length < 2}
          onChange={({ target }) => change(Number(target.value))}
        />
        <i>%</i>
      </span>
      <Range
        label={`Weight of ${subset}`}
        value={weight}
        color={color}
        disabled={subsets.length < 2}
        onChange={change}
      />
      <div className="meter observed" aria-hidden>
        <i style={{ width: `${seen?.percent ?? 0}%`, background: color }} />
      </div>
      <span className={`num ${seen?.percent == null ? 'hint' : ''}`}>{formatPercent(seen?.percent)}</span>
      <span
        className="num"
        style={{ color: successColor(seen?.successPercent ?? null) }}
        title={`${seen?.requests ?? 0} requests`}
      >
        {formatPercent(seen?.successPercent)}
      </span>
      <span className={`num ${seen?.p95Ms == null ? 'hint' : ''}`}>{formatMs(seen?.p95Ms)}</span>
    </div>
  );
}

function successColor(percent: number | null): string {
  if (percent === null) return 'var(--text-3)';
  return percent >= 99 ? 'inherit' : percent >= 95 ? 'var(--warn)' : 'var(--error)';
}

/** Says in words which version answers more errors, once both were asked often enough to tell. */
function Comparison({ split: { observed } }: { split: SplitView }) {
  const [first, second] = observed.filter(({ requests, successPercent }) => requests >= 20 && successPercent !== null);
  if (!first || !second) return <span className="hint">Drag a slider: it is applied at once.</span>;
  const difference = (first.successPercent ?? 0) - (second.successPercent ?? 0);
  if (Math.abs(difference) < 0.5) return <span className="hint">Both versions succeed equally often.</span>;
  const [worse, better] = difference > 0 ? [second, first] : [first, second];
  return (
    <span className="hint">
      {worse.version} answers {formatPercent(Math.abs(difference))} more errors than {better.version} ({worse.requests}{' '}
      and {better.requests} requests)
    </span>
  );
}

function PinsCard({ split, editing }: { split: SplitView; editing: SplitEditing }) {
  const versions = editing.weights.map(({ subset }) => subset);
  return (
    <section className="card route" aria-label="Header pins">
      {editing.pins.map((pin, place) => {
        const route = split.routes.find(({ match }) => match.includes(pin.name) && match.includes(pin.value));
        return (
          <div className="pin" key={`${pin.name}=${pin.value}`}>
            <span className="route-order">{place + 1}</span>
            <b className="ellipsis">{route?.name ?? `Pinned to ${pin.subset}`}</b>
            <Chip mono>
              {pin.name} = {pin.value}
            </Chip>
            <span className="hint">100 % to</span>
            <VersionChip version={pin.subset} versions={versions} />
            <span className="push" />
            <IconButton
              label={`Remove pin ${pin.name} = ${pin.value}`}
              icon={X}
              onClick={() => editing.setPins(editing.pins.filter((other) => other !== pin))}
            />
          </div>
        );
      })}
      <PinForm versions={versions} editing={editing} />
    </section>
  );
}

function PinForm({ versions, editing }: { versions: readonly string[]; editing: SplitEditing }) {
  const [name, setName] = useState('');
  const [value, setValue] = useState('');
  const [subset, setSubset] = useState('');
  const chosen = versions.includes(subset) ? subset : (versions.at(-1) ?? '');
  const valid = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && value !== '';
  const add = (event: FormEvent) => {
    event.preventDefault();
    if (!valid) return;
    const header = name.toLowerCase();
    editing.setPins([
      ...editing.pins.filter((pin) => pin.name !== header || pin.value !== value),
      { name: header, value, subset: chosen },
    ]);
    setName('');
    setValue('');
  };
  return (
    <form className="pin-form" onSubmit={add}>
      <span className="muted">Pin requests with header</span>
      <input
        className="input mono"
        aria-label="Header name"
        placeholder="x-canary"
        value={name}
        onChange={({ target }) => setName(target.value)}
      />
      <span className="hint">=</span>
      <input
        className="input mono"
        aria-label="Header value"
        placeholder="true"
        value={value}
        onChange={({ target }) => setValue(target.value)}
      />
      <span className="muted">to</span>
      <select
        className="input"
        aria-label="Version for pinned requests"
        value={chosen}
        onChange={({ target }) => setSubset(target.value)}
      >
        {versions.map((version) => (
          <option key={version}>{version}</option>
        ))}
      </select>
      <Button icon={Plus} type="submit" disabled={!valid}>
        Add pin
      </Button>
    </form>
  );
}
