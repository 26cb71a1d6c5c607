import { useId } from 'react';
import type { ImportResult, MappedName } from '../../../core/contract/import-shapes.ts';
import { Chip } from '../../ui/chip.tsx';
import { CopyButton, YamlView } from '../../ui/code-view.tsx';
import { plural } from '../../ui/format.ts';
import { FindingList } from './finding-list.tsx';

/** What an import would do; the names can be changed. */
export function ImportPreview(props: { preview: ImportResult; onMapping(mapping: readonly MappedName[]): void }) {
  const { resources, skipped, services, mapping, findings } = props.preview;
  return (
    <div className="config-import">
      {mapping.length > 0 && <Names mapping={mapping} onMapping={props.onMapping} />}
      {resources.length > 0 && (
        <section aria-label="Resources">
          <h3>{plural(resources.length, 'resource')}</h3>
          <ul>
            {resources.map((one) => (
              <li key={`${one.kind} ${one.namespace}/${one.name}`}>
                <details>
                  <summary>
                    <b className="strong">
                      {one.kind} {one.namespace}/{one.name}
                    </b>{' '}
                    <span className="mono hint">→ {one.path}</span> {one.replaces && <Chip tone="warn">replaces</Chip>}
                  </summary>
                  <YamlView text={one.yaml} label={`YAML of ${one.name}`} />
                </details>
              </li>
            ))}
          </ul>
        </section>
      )}
      {services.length > 0 && <Services services={services} />}
      {skipped.length > 0 && (
        <details>
          <summary className="hint">{plural(skipped.length, 'document')} left out: not configuration of a mesh</summary>
          <ul>
            {skipped.map(({ what, file, line }) => (
              <li key={`${file}:${line}`} className="hint">
                {what} <span className="mono">{`${file}:${line}`}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
      {resources.length + services.length === 0 && (
        <p className="hint">There is no resource of a mesh, and no compose service, in what was given.</p>
      )}
      {findings.length > 0 && <FindingList findings={findings} onOpen={null} />}
    </div>
  );
}

function Names({
  mapping,
  onMapping,
}: {
  mapping: readonly MappedName[];
  onMapping(mapping: readonly MappedName[]): void;
}) {
  const id = useId();
  const change = (name: MappedName, to: string) =>
    onMapping(mapping.map((other) => (other === name ? { ...other, to: to.trim() === '' ? null : to.trim() } : other)));
  return (
    <section aria-label="Names">
      <h3>Names of production, and what they are called here</h3>
      <table className="table">
        <thead>
          <tr>
            <th>There</th>
            <th>Here (empty: the same)</th>
            <th>Runs here</th>
          </tr>
        </thead>
        <tbody>
          {mapping.map((name, place) => (
            <tr key={`${name.kind} ${name.from}`}>
              <td className="mono ellipsis" title={name.from}>
                {name.kind === 'namespace' && <span className="hint">namespace </span>}
                {name.from}
              </td>
              <td>
                <input
                  className="input mono"
                  aria-label={`${name.kind === 'namespace' ? 'Namespace' : 'Service'} here for ${name.from}`}
                  list={`${id}-${place}`}
                  placeholder="the same"
                  spellCheck={false}
                  value={name.to ?? ''}
                  onChange={({ target }) => change(name, target.value)}
                />
                <datalist id={`${id}-${place}`}>
                  {name.candidates.map((candidate) => (
                    <option key={candidate} value={candidate} />
                  ))}
                </datalist>
              </td>
              <td>{name.isKnown ? <Chip tone="ok">yes</Chip> : <Chip>no</Chip>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Services({ services }: { services: ImportResult['services'] }) {
  return (
    <section aria-label="Compose services">
      <h3>What the mesh would take the compose services for</h3>
      <table className="table">
        <thead>
          <tr>
            <th>Compose</th>
            <th>Service</th>
            <th>Version</th>
            <th>Labels to add</th>
          </tr>
        </thead>
        <tbody>
          {services.map(({ file, name, service, namespace, version, labels, problem }) => {
            const lines = Object.entries(labels).map(([key, value]) => `${key}: ${value}`);
            return (
              <tr key={`${file} ${name}`}>
                <td className="mono">{name}</td>
                <td>
                  {service}.{namespace}
                </td>
                <td>{version ?? <span className="hint">unknown</span>}</td>
                <td>
                  {problem ? (
                    <Chip tone="warn">{problem}</Chip>
                  ) : lines.length > 0 ? (
                    <span className="inline">
                      <span className="mono">{lines.join(', ')}</span>
                      <CopyButton text={lines.join('\n')} what="Labels" />
                    </span>
                  ) : (
                    <span className="hint">none needed</span>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p className="hint">Nothing is changed: add the labels to the compose file and start it again.</p>
    </section>
  );
}
