/** Several Gateways of one proxy. Source: istio pilot model/gateway.go (mergeGateways). */
import { describe, expect, it } from 'vitest';
import { parseResources } from '../../../core/model/parse-resources.ts';
import { toMeshResources } from '../../../core/model/resource.ts';
import { gatewayProxies } from '../../../core/snapshot/gateways/gateway-proxies.ts';
import { meshOf, shop } from '../snapshot/mesh-of.ts';

/** `protocol/port hosts`, each of a Gateway of its own called a, b, c. */
const gateways = (...servers: string[]) =>
  servers
    .map((text, index) => {
      const [, protocol, port, hosts, tls] = /^(\w+)\/(\d+) (\S+) ?(.*)$/.exec(text) ?? [];
      return `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${'abc'[index]}, namespace: shop }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: ${port}, name: p, protocol: ${protocol} }, hosts: [${hosts
    ?.split(',')
    .map((host) => `"${host}"`)
    .join(', ')}]${tls ? `, tls: { ${tls} }` : ''} }]
`;
    })
    .join('---\n');

function merge(yaml: string) {
  const { resources } = parseResources(yaml, null);
  const [proxy] = gatewayProxies(toMeshResources(resources), 'istio-system');
  const short = (name = '') => name.replace('shop/', '');
  return {
    served: proxy?.servers.map(({ gateway }) => short(gateway)).join(''),
    skipped: proxy?.skipped.map(({ server, by, hosts }) => `${short(server.gateway)}<${short(by.gateway)} ${hosts}`),
  };
}

const simple = 'mode: SIMPLE, credentialName: c';
const passthrough = 'mode: PASSTHROUGH';

describe('Gateways that are merged', () => {
  it.each([
    ['plaintext requests', ['HTTP/80 a.com', 'HTTP/80 a.com', 'GRPC/80 b.com'], 'abc', []],
    ['ports of their own', ['HTTP/80 *', 'TCP/81 *', `HTTPS/443 * ${simple}`], 'abc', []],
    ['TLS of different hosts', [`HTTPS/443 a.com ${simple}`, `TLS/443 b.com ${passthrough}`], 'ab', []],
    ['plaintext after TLS', [`HTTPS/80 a.com ${simple}`, 'HTTP/80 a.com'], 'ab', []],
    ['one host of two namespaces', [`HTTPS/443 x/a.com ${simple}`, `HTTPS/443 y/a.com ${simple}`], 'ab', []],
    ['bytes after bytes', ['TCP/80 *', 'TCP/80 *'], 'a', ['b<a ']],
    ['bytes after requests', ['HTTP/80 *', 'TCP/80 *', 'HTTP/80 a.com'], 'ac', ['b<a ']],
    ['TLS after plaintext', ['HTTP/80 *', `HTTPS/80 a.com ${simple}`], 'a', ['b<a ']],
    ['TLS after both', [`TLS/80 a.com ${passthrough}`, 'HTTP/80 *', `TLS/80 b.com ${passthrough}`], 'ab', ['c<b ']],
    [
      'a host that is taken, with all that comes with it',
      [`HTTPS/443 a.com ${simple}`, `HTTPS/443 b.com,a.com ${simple}`, `HTTPS/443 b.com ${simple}`],
      'ac',
      ['b<a a.com'],
    ],
    ['hosts of any namespace', [`HTTPS/443 a.com ${simple}`, `HTTPS/443 */a.com ${simple}`], 'a', ['b<a a.com']],
    [
      'redirects for one host',
      ['HTTP/80 a.com httpsRedirect: true', 'HTTP/80 a.com httpsRedirect: true'],
      'a',
      ['b<a a.com'],
    ],
    ['a redirect after plaintext', ['HTTP/80 a.com', 'HTTP/80 a.com httpsRedirect: true'], 'ab', []],
  ])('%s', (_, servers, served, skipped) => {
    expect(merge(gateways(...servers))).toEqual({ served, skipped });
  });

  it('say what is left out, and why', () => {
    const yaml = gateways(`HTTPS/443 a.com ${simple}`, `HTTPS/443 b.com,a.com ${simple}`, 'TCP/443 *');
    const other = gateways('HTTP/80 *', 'TCP/80 *').replace('name: a,', 'name: d,').replace('name: b,', 'name: e,');
    const said = meshOf(shop(), `${yaml}---\n${other}`, { hasCredential: () => true }).findings;
    expect(said.map(({ code, message }) => `${code} ${message}`)).toEqual(
      expect.arrayContaining([
        'CONFLICTING_GATEWAY Gateway shop/b: Gateway shop/a has "a.com" at port 443 of istio-ingressgateway already, and none of its other hosts is served there',
        'PORT_PROTOCOL Gateway shop/e: port 80 is not served as tcp, Gateway shop/d has it as http',
      ]),
    );
  });
});
