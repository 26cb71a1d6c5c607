import { describe, expect, it } from 'vitest';
import { nearestWord } from '../../../core/model/did-you-mean.ts';
import { describeFinding, findingNumbers } from '../../../core/model/finding.ts';
import { parseResources } from '../../../core/model/parse-resources.ts';

const route = 'route: [{ destination: { host: a } }]';
const virtualService = (http: string) =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: a }\nspec:\n  hosts: [a]\n  http:\n${http}`;
const messages = (text: string) => parseResources(text, null).findings.map(({ message }) => message);
const names = (text: string) =>
  parseResources(text, null).resources.map(({ kind, metadata }) => `${kind} ${metadata.name}`);

describe('forms in which resources come', () => {
  it('are a List, with places of what is wrong in it', () => {
    const text = `apiVersion: v1
kind: List
items:
  - apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: { name: a }
    spec: { hosts: [a], http: [{ ${route} }] }
  - apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata: { name: a }
    spec:
      hots: a
`;
    expect(names(text)).toEqual(['VirtualService a']);
    expect(parseResources(text, 'dump.yaml').findings).toMatchObject([
      { message: 'spec.host: is required', line: 11 },
      { message: 'spec.hots is not a field of this API; did you mean host?', line: 12, column: 7 },
    ]);
  });

  it('are a list of one kind, and JSON', () => {
    const item = {
      apiVersion: 'networking.istio.io/v1beta1',
      kind: 'Gateway',
      metadata: { name: 'g', uid: '1', managedFields: [], creationTimestamp: '2024-01-01T00:00:00Z' },
      spec: {
        selector: { istio: 'ingressgateway' },
        servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
      },
      status: {},
    };
    const text = JSON.stringify(
      { apiVersion: 'networking.istio.io/v1beta1', kind: 'GatewayList', metadata: {}, items: [item] },
      null,
      2,
    );
    expect(names(text)).toEqual(['Gateway g']);
  });

  it('are what Helm renders: comments, empty documents, null fields, other kinds, anchors and merges', () => {
    const text = `---
# Source: shop/templates/empty.yaml
---
# Source: shop/templates/service.yaml
apiVersion: v1
kind: Service
metadata: { name: a }
spec: { ports: [{ port: 80, name: http }] }
---

---
# Source: shop/templates/vs.yaml
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: a
  namespace:
  labels:
  annotations: null
spec:
  hosts: [a]
  gateways:
  http:
    - retries:
      fault: null
      match:
        - headers: { x-user: }
      route:
        - &to
          destination: { host: a }
          weight: 90
        - <<: *to
          destination: { host: b }
          weight: 10
`;
    const { resources, findings } = parseResources(text, null);
    expect(findings.map(({ code }) => code)).toEqual(['UNKNOWN_KIND']);
    expect(resources).toMatchObject([
      {
        metadata: { name: 'a' },
        spec: {
          http: [
            {
              match: [{ headers: { 'x-user': {} } }],
              route: [
                { destination: { host: 'a' }, weight: 90 },
                { destination: { host: 'b' }, weight: 10 },
              ],
            },
          ],
        },
      },
    ]);
    expect(resources[0]?.spec).not.toHaveProperty('gateways');
  });

  it('are one name in two APIs: both kinds of Gateway', () => {
    const text = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: g }
spec: { servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: g }
spec: { gatewayClassName: istio, listeners: [{ name: http, port: 80, protocol: HTTP }] }
`;
    expect(names(text)).toEqual(['Gateway g', 'Gateway g']);
  });

  it.each([
    ['kind: VirtualServices\napiVersion: networking.istio.io/v1\n', 'Did you mean VirtualService?'],
    ['kind: HttpRoute\napiVersion: gateway.networking.k8s.io/v1\n', 'Did you mean HTTPRoute?'],
    ['kind: HTTPRoute\napiVersion: networking.istio.io/v1\n', 'HTTPRoute is a kind of gateway.networking.k8s.io.'],
    [virtualService('    - { timout: 1s }'), 'Write timeout, or remove it.'],
    [virtualService('    - { retries: { attempts: 1, per_try_timeout: 1s } }'), 'Write perTryTimeout, or remove it.'],
    [virtualService(`    - { ${route}, name: 1.10 }`), 'Put it in quotes: "1.1".'],
    [
      'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: a }\nspec: { host: a, trafficPolicy: { tls: { mode: ISTIO_MUTAL } } }\n',
      'Did you mean ISTIO_MUTUAL?',
    ],
  ])('with a slip get a hint that helps: %j', (text, hint) => {
    expect(parseResources(text, null).findings.some((finding) => finding.hint.includes(hint))).toBe(true);
  });

  it('must not have a null in a list', () => {
    expect(messages(virtualService('    -\n'))).toEqual(['spec.http[0]: must be a mapping, not null']);
  });
});

describe('findings', () => {
  it('have numbers of their own', () => {
    expect(new Set(Object.values(findingNumbers)).size).toBe(Object.keys(findingNumbers).length);
  });

  it('say where they are', () => {
    const [finding] = parseResources(virtualService('    - { rout: 1 }'), 'mesh.yaml').findings;
    expect(finding && describeFinding(finding)).toBe(
      'mesh.yaml:7:9: MD0104 spec.http[0].rout is not a field of this API; did you mean route?',
    );
  });
});

describe('the nearest word', () => {
  it.each([
    ['rout', 'route'],
    ['routes', 'route'],
    ['retreis', 'retries'],
    ['mirror_percent', 'mirrorPercent'],
    ['zzz', null],
    ['', null],
  ])('to %j is %j', (word, nearest) => {
    expect(nearestWord(word, ['route', 'retries', 'mirror', 'mirrorPercent', 'match'])).toBe(nearest);
  });
});
