import type { ExportFile, ExportFinding } from '../../contract/shapes.ts';
import type { MeshSnapshot } from '../../snapshot/snapshot.ts';
import { kubernetesName } from './names.ts';

const sections = [
  ['mapped', 'Mapped', 'Says the same in Istio.'],
  ['approximated', 'Approximated', 'Nearly the same; read the reason before you apply it.'],
  ['dropped', 'Dropped', 'Not in these files.'],
] as const;

/** Cell of a Markdown table. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** The report that goes with the files, for the person who applies them. */
export function printReport(input: {
  readonly snapshot: MeshSnapshot;
  /** Kubernetes' names of the namespaces that services are exported to. */
  readonly namespaces: readonly string[];
  readonly manifests: readonly ExportFile[];
  readonly findings: readonly ExportFinding[];
}): string {
  const { manifests, findings } = input;
  const count = (kind: ExportFinding['kind']) => findings.filter((finding) => finding.kind === kind).length;
  return [
    '# Istio configuration from Meshdesk',
    '',
    `${manifests.length} manifests: ${count('mapped')} things mapped, ${count('approximated')} approximated, ${count('dropped')} dropped.`,
    'API versions `networking.istio.io/v1` and `security.istio.io/v1` (Istio 1.22 and later).',
    '',
    ...sections.flatMap(([kind, title, explanation]) => sectionLines(findings, kind, title, explanation)),
    ...prerequisites(input.namespaces),
    '## Apply',
    '',
    '```sh',
    'kubectl apply -k . --dry-run=server   # what would change',
    'kubectl apply -k .',
    '```',
    '',
    '## Verify',
    '',
    '```sh',
    'istioctl analyze --use-kube=false -A .            # before: the files by themselves',
    ...verifyLines(input.snapshot),
    '```',
    '',
    'In Kiali, the edges of the exported services show a lock, the split and the fault badges.',
    '',
  ].join('\n');
}

function sectionLines(
  findings: readonly ExportFinding[],
  kind: ExportFinding['kind'],
  title: string,
  explanation: string,
): string[] {
  const rows = findings
    .filter((finding) => finding.kind === kind)
    .map(({ what, reason, file }) => `| ${cell(what)} | ${cell(reason)} | ${file === null ? '' : `\`${file}\``} |`);
  const table = rows.length === 0 ? ['Nothing.'] : ['| What | Reason | File |', '|---|---|---|', ...rows];
  return [`## ${title}`, '', explanation, '', ...table, ''];
}

function prerequisites(namespaces: readonly string[]): string[] {
  return [
    '## Before you apply',
    '',
    `- The namespaces (${namespaces.map((name) => `\`${name}\``).join(', ') || 'none'}) exist and have sidecars: \`kubectl label namespace NAME istio-injection=enabled\`.`,
    '- Each service has a Kubernetes `Service` of the same name, with HTTP ports named `http` or `http-...`.',
    '- Its pods carry the labels `app` (the service) and `version` (the version): subsets and callers are selected by them.',
    "- Identities are those of the pods' service accounts; here each service has an account of its own name.",
    '',
  ];
}

function verifyLines(snapshot: MeshSnapshot): string[] {
  const [key] = [...snapshot.virtualServices.keys()];
  const service = key === undefined ? undefined : snapshot.services.get(key);
  const lines = ['istioctl proxy-status                              # after: every sidecar SYNCED'];
  if (service !== undefined) {
    const { name, namespace } = kubernetesName(service);
    lines.push(`istioctl x describe service ${name} -n ${namespace}   # routes, subsets and mTLS in force`);
  }
  return lines;
}
