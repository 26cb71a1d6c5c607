/**
 * Names and addresses of ServiceEntries inside an attached container: what its resolver says, where HTTP and
 * TCP lead, what is let out, and that nothing of it is left after detach.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerMesh, dockerProblem, startDockerMesh } from '../support/docker-mesh.ts';
import { DockerShop } from '../support/docker-shop.ts';
import { eventually } from '../support/eventually.ts';

const problem = await dockerProblem();
/** What a resolver says of a name that nobody has, with a way to the outside or without. */
const unknown = {
  lookup: expect.stringMatching(/^(?:ENOTFOUND|EAI_AGAIN)$/) as string,
  udp: expect.stringMatching(/^(?:ENOTFOUND|ESERVFAIL|ETIMEOUT|ECONNREFUSED|EREFUSED)$/) as string,
};

/** HTTP on 8080, and on 7001 to 7003 TCP servers that speak first and say who they are. */
const outside = `
require('node:http').createServer((req, res) => res.end('outside ' + req.headers.host)).listen(8080);
for (const port of [7001, 7002, 7003]) require('node:net').createServer((s) => { s.on('error', () => 0); s.end('tcp ' + port); }).listen(port);`;

/** Prints what the resolver of the container says: getaddrinfo, UDP and TCP questions. */
const ask = (name: string) => `
const dns = require('node:dns');
const code = (error) => error.code;
const tcp = () => new Promise((resolve) => {
  const server = /nameserver (\\S+)/.exec(require('node:fs').readFileSync('/etc/resolv.conf', 'utf8'))[1];
  const labels = ${JSON.stringify(name)}.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
  const message = Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]);
  const socket = require('node:net').connect(53, server, () => socket.write(Buffer.concat([Buffer.from([0, message.length]), message])));
  socket.on('data', (chunk) => { socket.destroy(); resolve([chunk[5] & 15, chunk.readUInt16BE(8)].join('/')); });
  socket.on('error', (error) => resolve(error.code));
  socket.on('close', () => resolve('closed'));
});
(async () => {
  const name = ${JSON.stringify(name)};
  const lookup = await dns.promises.lookup(name).then(({ address }) => address, code);
  const resolver = new dns.promises.Resolver({ timeout: 8000, tries: 1 });
  const udp = await resolver.resolve4(name).then((all) => all.join(), code);
  const six = await resolver.resolve6(name).then((all) => all.join(), code);
  console.log(JSON.stringify({ lookup, udp, six, tcp: await tcp() }));
})();`;

/** Asks for a name again and again, with one resolver that keeps its socket and with a new one each time; tells of failures. */
const keepAsking = (name: string) => `
const { Resolver } = require('node:dns').promises;
const kept = new Resolver({ timeout: 2000 });
let asked = 0;
const failed = {};
const turn = async (resolver) => {
  asked += 1;
  await resolver.resolve4(${JSON.stringify(name)}).catch((error) => { failed[error.code] = (failed[error.code] ?? 0) + 1; });
};
setInterval(() => { void turn(kept); void turn(new Resolver({ timeout: 2000 })); }, 20);
setInterval(() => console.log(JSON.stringify({ asked, failed })), 200);`;

const dial = (host: string, port: number) => `
const socket = require('node:net').connect(${port}, ${JSON.stringify(host)});
let text = '';
socket.on('data', (chunk) => { text += chunk; });
socket.on('error', (error) => { text += error.code; });
socket.on('close', () => console.log(text === '' ? 'closed' : text));`;

describe.skipIf(problem !== null)('names in an attached container', () => {
  const shop = new DockerShop();
  let mesh: DockerMesh;
  let outsideIp = '';
  let rulesBefore = '';

  const run = async (script: string) => (await shop.exec('caller', ['node', '-e', script])).trim();
  const answers = async (name: string) =>
    JSON.parse(await run(ask(name))) as { lookup: string; udp: string; six: string; tcp: string };
  const apply = async (text: string) => {
    await mesh.client.call('config.apply', { texts: [{ file: 'test.yaml', text }] });
  };
  const entry = (name: string, spec: string) => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: default }
spec: { ${spec} }
---
`;

  beforeAll(async () => {
    await shop.prepare();
    const ignored = { 'dev.meshdesk.ignore': 'true' };
    const container = await shop.add({
      name: 'outside',
      command: ['node', '-e', outside],
      labels: ignored,
      aliases: ['outside'],
    });
    outsideIp = Object.values((await container.inspect()).NetworkSettings.Networks)[0]?.IPAddress ?? '';
    await shop.add({ name: 'caller', command: ['sleep', '600'], labels: { 'dev.meshdesk.namespace': 'default' } });
    await eventually('outside serves', async () =>
      (await shop.call('caller', 'http://outside:8080/')).startsWith('200'),
    );
    rulesBefore = await shop.rulesOf('caller');
    mesh = await startDockerMesh();
    await apply(
      entry(
        'api',
        `hosts: [api.example.internal], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }], endpoints: [{ address: ${outsideIp} }]`,
      ) +
        [7001, 7002]
          .map((port) =>
            entry(
              `db-${port}`,
              `hosts: [db-${port}.example.internal], resolution: STATIC, ports: [{ number: 5432, name: tcp, protocol: TCP, targetPort: ${port} }], endpoints: [{ address: ${outsideIp} }]`,
            ),
          )
          .join('') +
        entry(
          'named',
          'hosts: [named.example.internal], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }], endpoints: [{ address: outside }]',
        ),
    );
    expect(await answers('api.example.internal')).toMatchObject(unknown);
    await mesh.client.call('workload.attach', { select: { names: [shop.name('caller')] } });
    await eventually('attached', async () => {
      const all = await mesh.client.call('workload.list', {});
      return all.find(({ name }) => name === shop.name('caller'))?.mesh === 'attached';
    });
  });

  afterAll(async () => {
    await mesh?.close({ detach: true });
    await shop.close();
  });

  it('resolve by every way of asking, and names that are not ours as before', async () => {
    const api = await answers('api.example.internal');
    expect(api.lookup).toMatch(/^240\.240\./);
    expect(api).toEqual({ lookup: api.lookup, udp: api.lookup, six: 'ENODATA', tcp: '0/1' });
    const outsideAnswers = await answers('outside');
    expect(outsideAnswers).toMatchObject({ lookup: outsideIp, udp: outsideIp, tcp: '0/1' });
    expect(await answers('nobody.example.internal')).toMatchObject(unknown);
  });

  it('lead HTTP to their endpoints', async () => {
    expect(await shop.call('caller', 'http://api.example.internal/')).toBe('200 outside api.example.internal');
    // Its sidecar has to have asked for the address of the endpoint first.
    await eventually(
      'an answer of the endpoint that has a name',
      async () =>
        (await shop.call('caller', 'http://named.example.internal/')) === '200 outside named.example.internal',
    );
  });

  it('lead TCP services on one port each to its own endpoints, also when the server speaks first', async () => {
    for (const port of [7001, 7002]) expect(await run(dial(`db-${port}.example.internal`, 5432))).toBe(`tcp ${port}`);
  });

  it('are services in the topology, with their edges', async () => {
    const topology = await eventually('edges to the hosts', async () => {
      const seen = await mesh.client.call('topology.get', { windowSeconds: 60 });
      return seen.edges.some(({ to }) => to === 'db-7002.example.internal') ? seen : false;
    });
    expect(topology.edges.map(({ to }) => to)).toContain('api.example.internal');
    expect(topology.nodes.find(({ id }) => id === 'api.example.internal')).toMatchObject({
      kind: 'outside',
      service: 'api.example.internal',
    });
  });

  it('can be harmed like services: requests to them, and questions for them', async () => {
    const harm = (fault: object) =>
      mesh.client.call('fault.set', { id: 'harm', spec: { to: 'api.example.internal', fault } as never });
    await harm({ abort: { httpStatus: 418, percentage: { value: 100 } } });
    await eventually('aborted', async () =>
      (await shop.call('caller', 'http://api.example.internal/')).startsWith('418'),
    );
    await harm({ dns: { nxdomain: { percentage: { value: 100 } } } });
    await eventually('unknown', async () => (await answers('api.example.internal')).udp === 'ENOTFOUND');
    expect((await answers('db-7001.example.internal')).udp).toMatch(/^240\.240\./);
    await harm({ dns: { servfail: {} } });
    await eventually('failing', async () => (await answers('api.example.internal')).tcp === '2/0');
    await mesh.client.call('fault.clear', { all: true });
    await eventually('whole again', async () =>
      (await shop.call('caller', 'http://api.example.internal/')).startsWith('200'),
    );
  });

  it('let only what is known through when the mesh says so, and anything again afterwards', async () => {
    expect(await run(dial(outsideIp, 7003))).toBe('tcp 7003');
    const settings = (mode: string) => `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec: { outboundTrafficPolicy: { mode: ${mode} }, egress: [{ hosts: ["*/*"] }] }
`;
    await apply(settings('REGISTRY_ONLY'));
    await eventually('what nobody declared is closed', async () => (await run(dial(outsideIp, 7003))) === 'ECONNRESET');
    expect(await shop.call('caller', 'http://api.example.internal/')).toBe('200 outside api.example.internal');
    // Dialled at a port that speaks HTTP, with a host that nobody knows.
    const foreign = `require('node:http').get({ host: '${outsideIp}', port: 80, headers: { host: 'unknown.example' } }, (r) => { console.log(r.statusCode); r.resume(); }).on('error', (e) => console.log(e.code))`;
    expect(await run(foreign)).toBe('502');
    await apply(settings('ALLOW_ANY'));
    await eventually('open again', async () => (await run(dial(outsideIp, 7003))) === 'tcp 7003');
  });

  it('are hidden from workloads that a Sidecar resource does not let see them', async () => {
    await apply(`apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec: { egress: [{ hosts: ["./api.example.internal"] }] }
`);
    const lookup = `require('node:dns').lookup('db-7001.example.internal', (error, address) => console.log(error?.code ?? address))`;
    await eventually('hidden', async () => /^E/.test(await run(lookup)));
    expect(await shop.call('caller', 'http://api.example.internal/')).toBe('200 outside api.example.internal');
    await mesh.client.call('config.delete', { kind: 'Sidecar', namespace: 'default', name: 'default' });
    await eventually('seen again', async () => (await run(lookup)).startsWith('240.240.'));
  });

  it('stop resolving on detach, which leaves the rules as they were', async () => {
    expect(await shop.rulesOf('caller')).toContain('MESHDESK_DNS');
    await mesh.client.call('workload.detach', { select: { names: [shop.name('caller')] } });
    await eventually('detached', async () => {
      const all = await mesh.client.call('workload.list', {});
      return all.find(({ name }) => name === shop.name('caller'))?.mesh === 'detached';
    });
    expect(await shop.rulesOf('caller')).toBe(rulesBefore);
    expect(await answers('api.example.internal')).toMatchObject(unknown);
    expect((await answers('outside')).lookup).toBe(outsideIp);
  });

  it('fail for nobody who asks all the time, neither at attach nor at detach', async () => {
    const asker = await shop.add({ name: 'asker', command: ['node', '-e', keepAsking('outside')] });
    const totals = async () =>
      JSON.parse((await shop.logs(asker)).trim().split('\n').at(-1) ?? '{}') as { asked: number; failed: object };
    const select = { names: [shop.name('asker')] };
    const asks = async (more: number) => {
      const { asked } = await eventually('asks', async () => await totals());
      await eventually('asked more', async () => (await totals()).asked >= asked + more);
    };
    await asks(100);
    await eventually('known', async () =>
      (await mesh.client.call('workload.list', {})).some(({ name }) => name === select.names[0]),
    );
    await mesh.client.call('workload.attach', { select });
    await asks(200);
    await mesh.client.call('workload.detach', { select, deadlineMs: 0 });
    await asks(200);
    expect((await totals()).failed).toEqual({});
  });

  it('are known at once to whoever asked before, and Docker’s at once afterwards, at the first try', async () => {
    await shop.add({ name: 'busy', command: ['sleep', '600'], labels: { 'dev.meshdesk.namespace': 'default' } });
    const select = { names: [shop.name('busy')] };
    const failures = async (name: string, count: number) => {
      const script = `const { Resolver } = require('node:dns').promises; (async () => { const failed = {}; for (let left = ${count}; left > 0; left -= 1) await new Resolver({ tries: 1, timeout: 20000 }).resolve4('${name}').catch((e) => { failed[e.code] = (failed[e.code] ?? 0) + 1; }); console.log(JSON.stringify(failed)); })()`;
      return JSON.parse(await shop.exec('busy', ['node', '-e', script])) as object;
    };
    await eventually('known', async () =>
      (await mesh.client.call('workload.list', {})).some(({ name }) => name === select.names[0]),
    );
    // Ports of these are remembered by the kernel, and come again.
    expect(await failures('outside', 4_000)).toEqual({});
    await mesh.client.call('workload.attach', { select });
    expect(await failures('api.example.internal', 3_000)).toEqual({});
    await mesh.client.call('workload.detach', { select, deadlineMs: 0 });
    expect(await failures('outside', 3_000)).toEqual({});
  });

  it('give containers of a network without DNS the names of the mesh', async () => {
    for (const name of ['left', 'right']) {
      await shop.add({ name, command: ['node', '-e', outside], networkMode: 'bridge', port: 8080 });
    }
    const [left, right] = [shop.name('left'), shop.name('right')];
    await eventually('both are known', async () => {
      const names = (await mesh.client.call('workload.list', {})).map(({ name }) => name);
      return names.includes(left) && names.includes(right);
    });
    expect(await shop.call('left', `http://${right}:8080/`)).toMatch(/^error /);
    await mesh.client.call('workload.attach', { select: { names: [left] } });
    await eventually(
      'answered by name',
      async () => (await shop.call('left', `http://${right}:8080/`)) === `200 outside ${right}:8080`,
    );
    await mesh.client.call('workload.detach', { select: { names: [left] }, deadlineMs: 0 });
    expect(await shop.rulesOf('left')).toBe('');
  });
});
