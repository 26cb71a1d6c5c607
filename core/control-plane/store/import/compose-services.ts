import { type Document, isMap, isNode, isScalar, type LineCounter } from 'yaml';
import type { ComposeService } from '../../../contract/import-shapes.ts';
import { override } from '../../runtime/docker/labels.ts';
import { nameAndVersion, toDnsLabel } from '../../runtime/docker/to-workload.ts';

/** Words at the end of a name that say which of several versions it is. */
const versionWord = /^(.+)[-_.](canary|stable|blue|green|baseline|primary|next|beta|new|old|v?\d+(?:[.-]\d+)*)$/i;
const networkProblems: Readonly<Record<string, string>> = {
  host: "uses the host's network: give it a network of its own",
  none: 'has no network',
};

/** What the mesh would take the services of a compose file for. `file` decides the project's name where nothing says it. */
export function readCompose(document: Document, lines: LineCounter, file: string): ComposeService[] {
  const services = document.get('services', true);
  if (!isMap(services)) return [];
  const said = document.get('name');
  const namespace = toDnsLabel(typeof said === 'string' ? said : folderOf(file));
  const names = new Set(services.items.map(({ key }) => String(isScalar(key) ? key.value : key)));
  const found: ComposeService[] = [];
  for (const { key, value } of services.items) {
    const name = String(isScalar(key) ? key.value : key);
    const data: unknown = isMap(value) ? value.toJS(document) : {};
    const line = lines.linePos(isNode(key) ? (key.range?.[0] ?? 0) : 0).line;
    found.push({ file, line, namespace, ...readService(name, data as Record<string, unknown>, names) });
  }
  return withVersions(found);
}

/** Compose calls a project after the folder of its file. */
function folderOf(file: string): string {
  return file.split(/[\\/]/).at(-2) ?? 'default';
}

function readService(name: string, data: Record<string, unknown>, names: ReadonlySet<string>) {
  const labels = readLabels(data.labels);
  const image = typeof data.image === 'string' ? data.image : '';
  const base = nameAndVersion(name, labels, image);
  const [, stem, word] = versionWord.exec(name) ?? [];
  const isVersionOf =
    stem !== undefined && word !== undefined && names.has(stem) && labels[override.service] === undefined;
  const add: Record<string, string> = {};
  if (isVersionOf && base.service !== toDnsLabel(stem)) add[override.service] = stem;
  if (isVersionOf && labels[override.version] === undefined && base.version !== word) add[override.version] = word;
  const mode = typeof data.network_mode === 'string' ? data.network_mode : '';
  const shared = /^(?:service|container):/.test(mode)
    ? 'shares the network of another one, which is the one to attach'
    : null;
  return {
    name,
    service: toDnsLabel(add[override.service] ?? base.service),
    version: add[override.version] ?? base.version,
    ports: readPorts(data),
    labels: add,
    problem: networkProblems[mode] ?? shared,
  };
}

/** Of several that are one service, those without a version get one, for rules tell them apart by it. */
function withVersions(services: readonly ComposeService[]): ComposeService[] {
  return services.map((one) => {
    const others = services.filter((other) => other !== one && other.service === one.service);
    if (one.version !== null || others.length === 0) return one;
    const taken = new Set(others.map(({ version }) => version));
    const version = ['v1', 'v0', 'base'].find((word) => !taken.has(word)) ?? one.name;
    return { ...one, version, labels: { ...one.labels, [override.version]: version } };
  });
}

/** A mapping, or a list of `name=value`. */
function readLabels(value: unknown): Record<string, string> {
  const entries = Array.isArray(value)
    ? value.map((item) => String(item).split(/=(.*)/s).slice(0, 2))
    : Object.entries(typeof value === 'object' && value !== null ? value : {});
  return Object.fromEntries(entries.map(([name, text]) => [String(name), String(text ?? '')]));
}

/** `8080:80`, `127.0.0.1:8080:80/tcp`, `3000-3002`, `{target: 80}`, and `expose`; TCP only. */
function readPorts({ ports, expose }: Record<string, unknown>): number[] {
  const found = new Set<number>();
  for (const entry of [...(Array.isArray(ports) ? ports : []), ...(Array.isArray(expose) ? expose : [])]) {
    const target = typeof entry === 'object' && entry !== null ? (entry as { target?: unknown }).target : entry;
    const protocol =
      typeof entry === 'object' && entry !== null ? (entry as { protocol?: unknown }).protocol : undefined;
    const [, first, last, transport] = /(?:^|:)(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(String(target)) ?? [];
    if (first === undefined || (transport ?? protocol ?? 'tcp') !== 'tcp') continue;
    const end = Math.min(Number(last ?? first), Number(first) + 99);
    for (let port = Number(first); port <= end; port += 1) if (port > 0 && port <= 65_535) found.add(port);
  }
  return [...found].sort((a, b) => a - b);
}
