/**
 * Traffic: where the requests of a service go. Weights per version (always 100 % together), header pins before them, what
 * was observed beside what was asked for, and the YAML that results.
 */
import { FileText, Search, Split } from 'lucide-react';
import type { SplitView } from '../../../core/contract/shapes.ts';
import { useAccess, useMesh } from '../../state/mesh-context.tsx';
import { openDialog, setPanel, useNavigation } from '../../state/navigation.ts';
import { serviceKeyOf } from '../../state/topology-names.ts';
import { useQuery } from '../../state/use-query.ts';
import { Button } from '../../ui/button.tsx';
import { Chip } from '../../ui/chip.tsx';
import { CopyButton, YamlView } from '../../ui/code-view.tsx';
import { formatRate } from '../../ui/format.ts';
import { EmptyState, ErrorState, Loading, View } from '../../ui/panels.tsx';
import { SplitEditor } from './split-editor.tsx';
import './traffic.css';
import { useSplit } from './use-split.ts';

export function TrafficView() {
  const { client } = useAccess();
  const change = useMesh((data) => data.splitsChange);
  const shape = useMesh((data) =>
    data.workloads.map(({ service, version, mesh }) => `${service}${version}${mesh}`).join(),
  );
  const list = useQuery(`splits#${change}${shape}`, () => client.call('split.list', {}), 10_000);
  const wanted = useNavigation((state) => state.service);
  const yaml = useNavigation((state) => state.panel === 'yaml');
  const splits = list.data ?? [];
  const current =
    splits.find((split) => serviceKeyOf(split) === wanted) ??
    splits.find(({ unavailable }) => unavailable === null) ??
    splits[0];
  return (
    <View
      title="Traffic"
      toolbar={
        <>
          {current && <CallersHint split={current} />}
          <span className="push" />
          <Button
            variant="ghost"
            icon={Search}
            disabled={!current}
            onClick={() => openDialog({ kind: 'explain', id: null, service: current ? proposedHost(current) : null })}
          >
            Try a request
          </Button>
          <Button
            variant="ghost"
            icon={FileText}
            aria-pressed={yaml}
            disabled={!current}
            onClick={() => setPanel(yaml ? null : 'yaml')}
          >
            {yaml ? 'Hide YAML' : 'View YAML'}
          </Button>
        </>
      }
    >
      {list.error && !list.data && (
        <ErrorState title="The services could not be read" error={list.error} onRetry={list.reload} />
      )}
      {!list.data && !list.error && <Loading label="Reading the services" lines={6} />}
      {list.data && !current && (
        <EmptyState icon={Split} title="No services yet">
          Attach workloads: each service they make up appears here with its versions.
        </EmptyState>
      )}
      {current && (
        <div className="traffic-layout">
          <ServiceList splits={splits} current={current} />
          <ServiceRoutes key={serviceKeyOf(current)} service={serviceKeyOf(current)} yaml={yaml} />
        </div>
      )}
    </View>
  );
}

/** Full, as callers of every namespace may say it. */
const proposedHost = ({ service, namespace }: SplitView) => `${service}.${namespace}.svc.cluster.local`;

/** `36 req/s from orders, web`. */
function CallersHint({ split }: { split: SplitView }) {
  const topology = useMesh((data) => data.topology);
  const node = topology?.nodes.find((other) => serviceKeyOf(other) === serviceKeyOf(split));
  const callers = (topology?.edges ?? [])
    .filter(({ to }) => to === node?.id)
    .flatMap(({ from }) => topology?.nodes.find(({ id }) => id === from)?.service ?? []);
  return (
    <span className="hint ellipsis">
      {split.service}
      {node?.requestsPerSecond != null && ` · ${formatRate(node.requestsPerSecond)}`}
      {callers.length > 0 && ` from ${callers.join(', ')}`}
    </span>
  );
}

function ServiceList({ splits, current }: { splits: readonly SplitView[]; current: SplitView }) {
  return (
    <nav className="card traffic-services" aria-label="Services" data-arrows="vertical">
      {splits.map((split) => {
        const key = serviceKeyOf(split);
        return (
          <button
            key={key}
            type="button"
            title={key}
            aria-current={split === current ? 'true' : undefined}
            onClick={() => useNavigation.setState({ service: key })}
          >
            <span className={`dot ${split.configured ? 'ok' : 'off'}`} />
            <span className="grow ellipsis">{split.service}</span>
            <small>{summary(split)}</small>
          </button>
        );
      })}
    </nav>
  );
}

function summary({ configured, routes, versions, unavailable }: SplitView): string {
  if (configured) return routes.length === 1 ? '1 route' : `${routes.length} routes`;
  if (unavailable?.toLowerCase().includes('tcp')) return 'tcp';
  return versions.length > 1 ? `${versions.length} versions` : '1 version';
}

function ServiceRoutes({ service, yaml }: { service: string; yaml: boolean }) {
  const editing = useSplit(service);
  const { data, error, reload } = editing.query;
  if (!data)
    return error ? (
      <ErrorState title="The routes could not be read" error={error} onRetry={reload} />
    ) : (
      <Loading label="Reading the routes" />
    );
  return (
    <div className="traffic-routes">
      {data.unavailable ? (
        <div className="card">
          <EmptyState icon={Split} title="Nothing to split here">
            {data.unavailable}
          </EmptyState>
        </div>
      ) : (
        <SplitEditor split={data} editing={editing} />
      )}
      {yaml && <YamlCard split={data} />}
    </div>
  );
}

function YamlCard({ split: { service, yaml } }: { split: SplitView }) {
  const kinds = [...yaml.matchAll(/^kind: (\w+)/gm)].map(([, kind]) => kind);
  return (
    <section className="card clip" aria-label="YAML">
      <header className="file-head">
        <FileText size={14} aria-hidden />
        <span className="mono">{service}.yaml</span>
        {kinds.map((kind) => (
          <Chip key={kind}>{kind}</Chip>
        ))}
        <span className="push" />
        {yaml && <CopyButton text={yaml} what="YAML" />}
      </header>
      {yaml ? (
        <YamlView text={yaml} label={`YAML of ${service}`} />
      ) : (
        <p className="hint" style={{ padding: 16 }}>
          Nothing is set for {service}: there is no file. Move a slider and it appears.
        </p>
      )}
    </section>
  );
}
