/** YAML of the two resources that most scenarios are about; `{host}` becomes the scenario's service. */

const self = '{host}.shop.svc.cluster.local';

/** @param http YAML of the `http` list's items, indented by any even number of blanks */
export function virtualService(http: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: "{host}", namespace: shop }
spec:
  hosts: [${self}]
  http:
${indent(http, 4)}`;
}

/** Subsets v1 and v2 by their version label. @param policy YAML of `trafficPolicy`, if any */
export function destinationRule(policy = '', versions: readonly string[] = ['v1', 'v2']): string {
  const subsets = versions.map((version) => `    - { name: ${version}, labels: { version: "${version}" } }\n`).join('');
  return `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: "{host}", namespace: shop }
spec:
  host: ${self}
${policy === '' ? '' : `  trafficPolicy:\n${indent(policy, 4)}\n`}${subsets === '' ? '' : `  subsets:\n${subsets}`}`;
}

/** A route to one subset, as an item of `route`. */
export const to = (subset: string, weight?: number) =>
  `{ destination: { host: ${self}, subset: ${subset} }${weight === undefined ? '' : `, weight: ${weight}`} }`;

/** A route to all endpoints. */
export const toAll = `{ destination: { host: ${self} } }`;

/** What matches goes to v1, everything else to v2. */
export function matchOrElse(match: string): string {
  const rules = `- match: [${match}]\n  route: [${to('v1')}]\n- route: [${to('v2')}]`;
  return `${virtualService(rules)}\n${destinationRule()}`;
}

function indent(text: string, by: number): string {
  const lines = text.replace(/^\n+|\s+$/g, '').split('\n');
  return lines.map((line) => `${' '.repeat(by)}${line}`).join('\n');
}
