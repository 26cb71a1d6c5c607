/** PostgreSQL and Redis with their own clients, through the sidecars of both ends. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresDir } from '../support/docker-program-image.ts';
import { eventually } from '../support/eventually.ts';
import { ProgramMesh } from '../support/program-mesh.ts';

const psql = 'psql -h postgres -U postgres -v ON_ERROR_STOP=1 -At';
const pgbench = 'pgbench -h postgres -U postgres -n';
const redis = 'redis-cli -h redis';

describe.skipIf(postgresDir === null)('databases behind two sidecars', () => {
  const mesh = new ProgramMesh(['postgres', 'redis']);
  const { shop } = mesh;
  const inClient = (line: string) => shop.shell('client', line);

  beforeAll(async () => {
    await mesh.start({ attached: false });
    // The image of the sidecar is there after this, so that attaching takes its usual time.
    await mesh.attach('redis');
    await inClient('pgbench -h postgres -U postgres -i -s 1 -q postgres');
  });
  afterAll(() => mesh.close());

  /** Transactions, and how many of them failed, from what pgbench prints at its end. */
  const tally = (printed: string) => ({
    done: Number(/transactions actually processed: (\d+)/.exec(printed)?.[1]),
    failed: Number(/failed transactions: (\d+)/.exec(printed)?.[1]),
  });

  /** Signals every process of this name in the client's container. */
  const signal = (program: string, name: string) =>
    inClient(
      `for dir in /proc/[0-9]*; do read -r name 2>/dev/null <$dir/comm || continue; [ "$name" != ${program} ] || kill -${name} \${dir#/proc/}; done`,
    );

  it('loses no transaction of pgbench while both ends are attached and detached again', async () => {
    // One run keeps the connections it has from before, the other opens a connection for each transaction.
    const runs = await Promise.all([
      shop.beginIn('client', ['sh', '-c', `${pgbench} -c 4 -P 1 -T 300 postgres 2>&1`]),
      shop.beginIn('client', ['sh', '-c', `${pgbench} -C -c 2 -P 1 -T 300 postgres 2>&1`]),
    ]);
    for (const run of runs) await run.line('transactions flow', (line) => line.startsWith('progress: '));
    await mesh.attach('client', 'postgres');
    await shop.securedEdge(mesh.client, 'postgres');
    await mesh.detach(8_000, 'client', 'postgres');
    for (const run of runs) {
      const seconds = () => run.output().split('progress: ').length;
      const detachedAt = seconds();
      await eventually('transactions after it was detached', () => seconds() > detachedAt);
    }
    // What its own clock sends it when the time is up.
    await signal('pgbench', 'ALRM');
    for (const run of runs) {
      const { code, stdout } = await run.ended;
      expect(code, stdout).toBe(0);
      expect(tally(stdout).failed).toBe(0);
      expect(tally(stdout).done).toBeGreaterThan(50);
    }
    await mesh.attach(...mesh.members);
  });

  it('answers psql, with large rows and errors', async () => {
    expect(await inClient(`${psql} -c "select 6 * 7"`)).toBe('42');
    expect(
      await inClient(`${psql} -c "select md5(string_agg(repeat(n::text, 1000), '')) from generate_series(1, 2000) n"`),
    ).toMatch(/^[0-9a-f]{32}$/);
    const large = await inClient(`${psql} -c "select repeat('x', 20000000)" | wc -c`);
    expect(Number(large)).toBe(20_000_001);
    const { code, stderr } = await shop.runIn('client', ['sh', '-c', `${psql} -c "select 1 / 0"`]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('division by zero');
    const edge = await shop.securedEdge(mesh.client, 'postgres');
    expect(edge.protocol).toBe('tcp');
  });

  it('copies a table in and out unchanged', async () => {
    const rows = 200_000;
    const dump = (name: string) => `${psql} -c "\\copy (select * from ${name} order by n) to stdout"`;
    await inClient(
      `${psql} -c "create table source as select n, md5(n::text) as text from generate_series(1, ${rows}) n" -c "create table target (like source)"`,
    );
    await inClient(`${dump('source')} | ${psql} -c "\\copy target from stdin"`);
    const [before, after] = await Promise.all(
      [dump('source'), dump('target')].map((line) => inClient(`${line} | sha256sum`)),
    );
    expect(after).toBe(before);
    expect(await inClient(`${psql} -c "select count(*) from target"`)).toBe(String(rows));
  });

  it('delivers a notification on a connection that has been idle', async () => {
    const waiting = await shop.beginIn('client', [
      'sh',
      '-c',
      `(echo 'listen news; select 1 as ready;'; while [ ! -e /tmp/notified ]; do sleep 0.1; done; echo 'select 2;') | ${psql}`,
    ]);
    await waiting.line('it listens', (line) => line === '1');
    await inClient(`${psql} -c "notify news, 'hello'" && : >/tmp/notified`);
    const { code, stdout } = await waiting.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('Asynchronous notification "news" with payload "hello"');
  });

  it('runs pgbench over new connections without a failed transaction', async () => {
    const printed = await inClient(`${pgbench} -c 8 -j 2 -t 200 postgres`);
    expect(tally(printed)).toEqual({ done: 1_600, failed: 0 });
  });

  it('cancels a running statement from another connection', async () => {
    const running = await shop.beginIn('client', ['sh', '-c', `exec ${psql} -c "select pg_sleep(600)"`]);
    const active = `select count(*) from pg_stat_activity where state = 'active' and query = 'select pg_sleep(600)'`;
    await eventually('it runs', async () => (await inClient(`${psql} -c "${active}"`)) === '1');
    await signal('psql', 'INT');
    const { stderr } = await running.ended;
    expect(stderr).toContain('canceling statement due to user request');
  });

  it('answers redis-cli, with values of many sizes', async () => {
    expect(await inClient(`${redis} set greeting hello`)).toBe('OK');
    expect(await inClient(`${redis} get greeting`)).toBe('hello');
    for (const size of [1, 1_024, 16_385, 5_000_000]) {
      const put = await inClient(
        `node -e 'process.stdout.write("v".repeat(${size}))' | ${redis} -x set large && ${redis} strlen large`,
      );
      expect(put.split('\n')).toEqual(['OK', String(size)]);
      expect(Number(await inClient(`${redis} get large | wc -c`))).toBe(size + 1);
    }
    expect((await shop.securedEdge(mesh.client, 'redis')).protocol).toBe('tcp');
  });

  it('delivers what is published to a subscriber', async () => {
    const subscriber = await shop.beginIn('client', ['sh', '-c', `timeout 200 ${redis} subscribe news`]);
    await subscriber.line('it is subscribed', (line) => line === '1' || line.includes('(integer) 1'));
    await eventually('somebody hears it', async () => (await inClient(`${redis} publish news first`)) === '1');
    for (let n = 1; n <= 20; n += 1) await inClient(`${redis} publish news message-${n}`);
    await subscriber.line('the last message', (line) => line === 'message-20');
    const heard = subscriber
      .output()
      .split('\n')
      .filter((line) => line.startsWith('message-'));
    expect(heard).toEqual(Array.from({ length: 20 }, (_, index) => `message-${index + 1}`));
    await shop.shell('redis', 'redis-cli client kill type pubsub');
  });

  it('survives redis-benchmark with and without pipelining', async () => {
    for (const [pipeline, requests] of [
      [1, 10_000],
      [64, 100_000],
    ]) {
      const printed = await inClient(
        `redis-benchmark -h redis -c 50 -n ${requests} -P ${pipeline} -d 100 -t set,get --csv`,
      );
      expect(printed).toMatch(/"SET","\d/);
      expect(printed).toMatch(/"GET","\d/);
    }
    await inClient('redis-benchmark -h redis -c 50 -n 20000 -P 16 -r 1000000000 -q incr counter');
    expect(await inClient(`${redis} get counter`)).toBe('20000');
  });
});
