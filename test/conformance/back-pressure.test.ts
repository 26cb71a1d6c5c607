/** Whoever does not read stops whoever sends: what the sidecars hold for one connection is bounded, however much is offered. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { RecordingUpstream } from '../support/conformance/recording-upstream.ts';
import { openPath, type PathName, pathNames } from '../support/conformance/sidecar-paths.ts';
import { eventually } from '../support/eventually.ts';
import { get } from './cases/case.ts';

const offeredBytes = 512 * 1024 * 1024;
/** Of sidecars, clients and upstreams together. */
const ownBytes = 16 * 1024 * 1024;
/** Kernels keep more than anybody else, as much as the machine's settings allow. Three connections in a row. */
const boundBytes = ownBytes + 3 * (kernelBufferBytes('tcp_rmem') + kernelBufferBytes('tcp_wmem'));
const piece = Buffer.alloc(64 * 1024, 'x');

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

/** The most that a connection's buffer grows to on its own; 8 MiB where the system does not say. */
function kernelBufferBytes(name: 'tcp_rmem' | 'tcp_wmem'): number {
  const path = `/proc/sys/net/ipv4/${name}`;
  if (!existsSync(path)) return 8 * 1024 * 1024;
  return Number(readFileSync(path, 'utf8').trim().split(/\s+/).at(2));
}

async function open(path: PathName) {
  const upstream = await new RecordingUpstream().start();
  const sidecars = await openPath(path, upstream.port);
  const client = connect({ port: sidecars.port, host: '127.0.0.1' });
  client.on('error', () => undefined);
  await once(client, 'connect');
  closers.push(
    () => upstream.close(),
    () => sidecars.close(),
    () => client.destroy(),
  );
  return { upstream, client };
}

/** Writes until nothing is taken any more, or everything was; returns the bytes that the kernel took. */
async function offer(socket: Socket, bytes: Buffer): Promise<number> {
  let taken = 0;
  const next = () => {
    if (taken >= offeredBytes || socket.destroyed) return;
    socket.write(bytes, (error) => {
      if (error) return;
      taken += bytes.length;
      next();
    });
  };
  next();
  let seen = -1;
  let still = 0;
  await eventually('the sender to be stopped', () => {
    still = taken === seen ? still + 1 : 0;
    seen = taken;
    return still >= 25 || taken >= offeredBytes;
  });
  return taken;
}

describe.each(pathNames)('back-pressure, %s', (path) => {
  test('a body that the upstream does not read stops the client', async () => {
    const { upstream, client } = await open(path);
    client.write(`POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: ${offeredBytes}\r\n\r\n`);
    const connection = await eventually('the head to arrive', () =>
      upstream.connections.find(({ received }) => received !== ''),
    );
    connection.socket.pause();
    const taken = await offer(client, piece);
    expect(taken).toBeLessThan(boundBytes);
  });

  test('an answer that the client does not read stops the upstream', async () => {
    const { upstream, client } = await open(path);
    upstream.answer = () => null;
    client.pause();
    client.write(get());
    await eventually('the request to arrive', () => upstream.messages.length === 1);
    const socket = upstream.connections[0]?.socket;
    if (socket === undefined) throw new Error('there is no connection');
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${offeredBytes}\r\n\r\n`);
    expect(await offer(socket, piece)).toBeLessThan(boundBytes);
  });

  test('requests behind one that is not answered stop the client', async () => {
    const { upstream, client } = await open(path);
    upstream.answer = () => null;
    const requests = Buffer.from(get('', `/${'a'.repeat(500)}`).repeat(100));
    expect(await offer(client, requests)).toBeLessThan(boundBytes);
    expect(upstream.messages).toHaveLength(1);
  });

  test('requests whose answers are not read stop the client', async () => {
    const { upstream, client } = await open(path);
    client.pause();
    upstream.answer = () => `HTTP/1.1 200 OK\r\nContent-Length: ${piece.length}\r\n\r\n${piece.toString('latin1')}`;
    const requests = Buffer.from(get('', '/answers').repeat(100));
    expect(await offer(client, requests)).toBeLessThan(boundBytes);
    expect(upstream.messages.length * piece.length).toBeLessThan(boundBytes);
  });
});
