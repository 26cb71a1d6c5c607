import { describe, expect, it } from 'vitest';
import { parseResources } from '../../../core/model/parse-resources.ts';
import { printResources } from '../../../core/model/print-resources.ts';

const virtualService = (http: string) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payments
  namespace: shop
spec:
  hosts: [payments]
  http:
${http}`;

const parse = (text: string) => parseResources(text, 'mesh.yaml');
const brief = (text: string) =>
  parse(text).findings.map(({ code, severity, line, column, message }) => ({ code, severity, line, column, message }));

describe('reading resources', () => {
  it('reads several documents of all kinds and API versions, and skips empty ones', () => {
    const { resources, findings } = parse(`# comment only
---
${virtualService('    - route: [{ destination: { host: payments, subset: v1 }, weight: 90 }, { destination: { host: payments, subset: v2 }, weight: 10 }]')}
---
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: { name: payments }
spec: { host: payments, subsets: [{ name: v1, labels: { version: v1 } }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system, creationTimestamp: null }
spec: { mtls: { mode: STRICT } }
---
apiVersion: meshdesk.dev/v1alpha1
kind: FaultInjection
metadata: { name: slow }
spec: { from: web, to: orders, fault: { delay: { fixedDelay: 400ms, percentage: { value: 30 } } } }
`);
    expect(findings).toEqual([]);
    expect(resources.map(({ kind }) => kind)).toEqual([
      'VirtualService',
      'DestinationRule',
      'PeerAuthentication',
      'FaultInjection',
    ]);
  });

  const broken: [string, string, Partial<ReturnType<typeof brief>[number]>][] = [
    [
      'a misspelt field',
      virtualService('    - rout: []'),
      {
        code: 'UNKNOWN_FIELD',
        severity: 'error',
        line: 9,
        column: 7,
        message: 'spec.http[0].rout is not a field of this API; did you mean route?',
      },
    ],
    [
      'a wrong type',
      virtualService('    - timeout: 5\n      route: [{ destination: { host: a } }]'),
      {
        code: 'INVALID',
        line: 9,
        column: 7,
        message: 'spec.http[0].timeout: must be a string, not number 5',
      },
    ],
    [
      'a duration that is none',
      virtualService('    - timeout: 5 sec\n      route: [{ destination: { host: a } }]'),
      { message: 'spec.http[0].timeout: is not a duration; write it like 400ms, 1.5s or 1h30m' },
    ],
    [
      'a string match with two forms',
      virtualService('    - match: [{ uri: { exact: /a, prefix: /b } }]\n      route: [{ destination: { host: a } }]'),
      { message: 'spec.http[0].match[0].uri: give exactly one of exact, prefix and regex' },
    ],
    [
      'a regular expression that RE2 does not know',
      virtualService('    - match: [{ uri: { regex: "(?=a)b" } }]\n      route: [{ destination: { host: a } }]'),
      {
        code: 'BAD_REGEX',
        line: 9,
        column: 24,
        message: 'spec.http[0].match[0].uri.regex: look-ahead and look-behind are not part of RE2',
      },
    ],
    [
      'an empty prefix, which Istio refuses',
      virtualService('    - match: [{ headers: { a: { prefix: "" } } }]\n      route: [{ destination: { host: a } }]'),
      { code: 'INVALID', line: 9, message: 'spec.http[0].match[0].headers.a.prefix: must not be empty' },
    ],
    [
      'weights that are all 0',
      virtualService('    - route: [{ destination: { host: a } }, { destination: { host: b } }]'),
      { code: 'NO_WEIGHT', severity: 'error', line: 9 },
    ],
    [
      'a rule without an action',
      virtualService('    - name: x'),
      {
        message: 'spec.http[0]: a rule needs exactly one of route, redirect, directResponse and delegate; it has none',
      },
    ],
    ['an unknown kind', 'apiVersion: v1\nkind: Service\n', { code: 'UNKNOWN_KIND', line: 2, column: 1 }],
    ['no kind', 'a: 1', { code: 'UNKNOWN_KIND', line: 1 }],
    [
      'an API version that is too new',
      virtualService('').replace('istio.io/v1', 'istio.io/v9'),
      { line: 1, column: 1 },
    ],
    ['YAML that is none', 'kind: [', { code: 'YAML', severity: 'error', line: 1 }],
    [
      'a port policy without a selector',
      'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a}\nspec:\n  portLevelMtls: {8080: {mode: STRICT}}',
      { line: 5, column: 3, message: 'spec.portLevelMtls: needs a selector: ports belong to workloads' },
    ],
    [
      'a name that Kubernetes does not allow',
      virtualService('    - route: [{ destination: { host: a } }]').replace('name: payments', 'name: Pay_ments'),
      { line: 4, column: 3 },
    ],
  ];
  it.each(broken)('says where %s is', (_name, text, expected) => {
    const { resources } = parse(text);
    expect(resources).toEqual([]);
    expect(brief(text)[0]).toMatchObject(expected);
  });

  it('reports all problems of a file at once and still reads the documents without one', () => {
    const text = `${virtualService('    - rout: 1\n      nam: x\n')}---\n${virtualService('    - route: [{ destination: { host: a } }]')}`;
    const { resources, findings } = parse(text);
    expect(resources).toHaveLength(1);
    expect(findings.map(({ line }) => line)).toEqual([9, 10]);
  });

  it('refuses the second definition of one resource', () => {
    const one = virtualService('    - route: [{ destination: { host: a } }]\n');
    const { resources, findings } = parse(`${one}---\n${one}`);
    expect(resources).toHaveLength(1);
    expect(findings).toMatchObject([{ code: 'DUPLICATE', line: 14 }]);
  });

  it('keeps what is valid and not applied, and says so', () => {
    const text = virtualService(`    - match: [{ uri: { prefix: /a }, statPrefix: a }]
      route: [{ destination: { host: a } }]
      retries: { attempts: 3 }
`);
    const { resources, findings } = parse(text);
    expect(findings).toMatchObject([
      {
        code: 'NOT_APPLIED',
        severity: 'info',
        line: 9,
        message: 'spec.http[0].match[0].statPrefix is kept and exported, not applied here',
      },
    ]);
    expect(resources[0]?.spec).toMatchObject({ http: [{ match: [{ statPrefix: 'a' }] }] });
  });

  it.each([
    [
      'kind: Sidecar',
      'networking.istio.io/v1',
      'ingress: [{ port: { number: 80, protocol: TLS, name: a }, tls: { mode: SIMPLE, serverCertificate: a, privateKey: b } }]',
      'ENABLE_TLS_ON_SIDECAR_INGRESS',
    ],
    [
      'kind: Sidecar',
      'networking.istio.io/v1',
      'egress: [{ bind: 127.0.0.1, hosts: ["./*"] }]',
      'production applies it',
    ],
    ['kind: ProxyConfig', 'networking.istio.io/v1beta1', 'concurrency: 2', 'sidecars here have one thread'],
    [
      'kind: DestinationRule',
      'networking.istio.io/v1',
      'host: a, subsets: [{ name: v1, trafficPolicy: { loadBalancer: { zoneAwareLbSetting: { minClusterSize: 3 } } } }]',
      'ENABLE_SELF_DISCOVERY',
    ],
    [
      'kind: HTTPRoute',
      'gateway.networking.k8s.io/v1',
      'rules: [{ sessionPersistence: {} }]',
      'Istio ignores it as well',
    ],
  ])('says of a field that is kept whether production applies it: %s', (kind, version, spec, hint) => {
    const { findings } = parse(`apiVersion: ${version}\n${kind}\nmetadata: {name: a}\nspec: { ${spec} }\n`);
    expect(findings).toMatchObject([{ code: 'NOT_APPLIED', hint: expect.stringContaining(hint) }]);
  });

  it('keeps whole kinds that are not applied', () => {
    const text = 'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: none}\nspec: {}\n';
    const { resources, findings } = parse(text);
    expect(resources).toHaveLength(1);
    expect(findings).toMatchObject([{ code: 'NOT_APPLIED', severity: 'info', line: 4 }]);
  });

  it('warns of header names that are not in lower case', () => {
    const text = virtualService(
      '    - match: [{ headers: { X-Beta: { exact: "1" } } }]\n      route: [{ destination: { host: a } }]',
    );
    expect(brief(text)).toMatchObject([{ code: 'HEADER_CASE', severity: 'warning', line: 9 }]);
  });

  it.each(['', '\n\n', '---\n---\n', '# only a comment\n', '\u0000', '- 1\n- 2', '"text"', '&a [*a, *a]', 'a: *b'])(
    'never throws: %j',
    (text) => {
      expect(parse(text).resources).toEqual([]);
    },
  );

  it('prints tidily and reads back the same', () => {
    const text = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payments
  namespace: shop
spec:
  hosts:
    - payments
  http:
    - name: pin-beta-1
      match:
        - headers:
            beta:
              exact: "1"
      route:
        - destination:
            host: payments
            subset: v2
`;
    const { resources } = parse(text);
    expect(printResources(resources)).toBe(text);
    expect(
      parse(printResources([...resources, ...resources.map((resource) => ({ ...resource, metadata: { name: 'b' } }))]))
        .resources,
    ).toHaveLength(2);
  });

  it.each(['yes', 'on', 'n', 'true', '1', '0o7', '12:30:45', '1_000', 'null', '~'])(
    'quotes text that Kubernetes (YAML 1.1) would take for something else: %s',
    (exact) => {
      const { resources } = parse(virtualService('    - route: [{ destination: { host: a } }]'));
      const [resource] = resources;
      if (resource?.kind !== 'VirtualService') throw new Error('not read');
      const pinned = { ...resource, spec: { ...resource.spec, http: [{ match: [{ uri: { exact } }] }] } };
      expect(printResources([pinned])).toMatch(new RegExp(`exact: ["']${exact}["']`));
    },
  );
});
