import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { startSidecarPair } from '../../support/declared-pair.ts';
import { eventually } from '../../support/eventually.ts';
import { call, connectShop, GrpcShop } from '../../support/grpc-shop.ts';
import { Http2Relay } from '../../support/http2-relay.ts';

let closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

interface Path {
  readonly port: number;
  readonly authority?: string;
}

async function throughRelay(shop: GrpcShop): Promise<Path> {
  const { relay, port } = await Http2Relay.start(shop.port);
  closers.push(() => relay.close());
  return { port };
}

async function throughSidecars(shop: GrpcShop, mesh: boolean): Promise<Path> {
  const pair = await startSidecarPair([shop.port], { protocol: 'grpc', mesh });
  closers.push(() => pair.close());
  return { port: pair.port, authority: 'shop' };
}

describe.each<[string, (shop: GrpcShop) => Promise<Path>]>([
  ['through both carriers', throughRelay],
  ['through two sidecars with mutual TLS', (shop) => throughSidecars(shop, true)],
  ['through one sidecar', (shop) => throughSidecars(shop, false)],
])('gRPC %s', (_name, createPath) => {
  async function start() {
    const shop = await GrpcShop.start();
    closers.push(() => shop.stop());
    const { port, authority } = await createPath(shop);
    const client = connectShop(port, authority);
    closers.push(() => client.close());
    return { shop, client, port, authority };
  }

  it.each([0, 1, 1_000, 70_000, 5_000_000])('carries a unary call of %i octets', async (size) => {
    const { client } = await start();
    const request = Buffer.alloc(size, 'ab');
    expect((await call(client, 'echo', request)).equals(request)).toBe(true);
  });

  it('carries metadata, text and binary, as head and as trailers', async () => {
    const { client } = await start();
    const metadata = new grpc.Metadata();
    metadata.set('x-text', 'plain, with a comma');
    metadata.set('x-data-bin', Buffer.from([0, 1, 254, 255]));
    const { head, status } = await new Promise<{ head: grpc.Metadata; status: grpc.StatusObject }>(
      (resolve, reject) => {
        let first = new grpc.Metadata();
        const unary = client.echo(Buffer.from('a'), metadata, {}, (error) => error !== null && reject(error));
        unary.on('metadata', (received) => {
          first = received;
        });
        unary.on('status', (received) => resolve({ head: first, status: received }));
      },
    );
    expect(head.get('x-text')).toEqual(['plain, with a comma']);
    expect(head.get('x-data-bin')).toEqual([Buffer.from([0, 1, 254, 255])]);
    expect(status.metadata.get('x-trailer')).toEqual(['at the end']);
    expect(status.metadata.get('x-trailer-bin')).toEqual([Buffer.from([0, 255, 1])]);
  });

  it('streams from the server', async () => {
    const { client } = await start();
    const sizes: number[] = [];
    for await (const part of client.list(Buffer.from('50 3000'))) sizes.push((part as Buffer).length);
    expect(sizes).toEqual(Array.from({ length: 50 }, () => 3_000));
  });

  it('streams from the client', async () => {
    const { client } = await start();
    const sum = await new Promise<string>((resolve, reject) => {
      const stream = client.sum(new grpc.Metadata(), {}, (error, response) =>
        error === null ? resolve(String(response)) : reject(error),
      );
      for (let index = 0; index < 40; index += 1) stream.write(Buffer.alloc(20_000));
      stream.end();
    });
    expect(sum).toBe('800000');
  });

  it('plays ping-pong on one stream', async () => {
    const { client } = await start();
    const chat = client.chat();
    const answers: string[] = [];
    for (let round = 0; round < 20; round += 1) {
      const answer = new Promise<Buffer>((resolve, reject) => {
        chat.once('data', resolve);
        chat.once('error', reject);
      });
      chat.write(Buffer.from(`round ${round}`));
      answers.push(String(await answer));
    }
    const ended = new Promise((resolve) => chat.once('status', resolve));
    chat.end();
    expect(await ended).toMatchObject({ code: grpc.status.OK });
    expect(answers).toEqual(Array.from({ length: 20 }, (_, round) => `round ${round}`));
  });

  it.each([
    [grpc.status.NOT_FOUND, 'no such thing'],
    [grpc.status.INTERNAL, 'kaputt: äöü 漢字 🚀\n% and \t'],
    [grpc.status.RESOURCE_EXHAUSTED, ''],
  ])('carries status %i and its message', async (code, message) => {
    const { client } = await start();
    const metadata = new grpc.Metadata();
    metadata.set('code', String(code));
    metadata.set('message-bin', Buffer.from(message));
    await expect(call(client, 'fail', Buffer.alloc(3), metadata)).rejects.toMatchObject({ code, details: message });
  });

  it('tells that a method is not implemented', async () => {
    const { client } = await start();
    const unknown = new Promise((resolve) => {
      const same = (bytes: Buffer) => bytes;
      client.makeUnaryRequest('/test.Shop/Nothing', same, same, Buffer.alloc(1), (error) => resolve(error));
    });
    expect(await unknown).toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  });

  it('passes a cancel on, before and after the first response', async () => {
    const { client, shop } = await start();
    const hanging = client.hang(Buffer.from('a'), new grpc.Metadata(), {}, () => undefined);
    await eventually('the call has arrived', () => shop.deadlines.length === 1);
    hanging.cancel();
    await eventually('the server knows', () => shop.cancelled.includes('hang'));
    const chat = client.chat();
    chat.on('error', () => undefined);
    const first = new Promise((resolve) => chat.once('data', resolve));
    chat.write(Buffer.from('a'));
    await first;
    chat.cancel();
    await eventually('the server knows', () => shop.cancelled.includes('chat'));
    expect(shop.cancelled).toEqual(['hang', 'chat']);
  });

  it('passes the deadline on, and the server hears when it is over', async () => {
    const { client, shop } = await start();
    const deadline = Date.now() + 3_000;
    await expect(call(client, 'hang', Buffer.alloc(0), new grpc.Metadata(), { deadline })).rejects.toMatchObject({
      code: grpc.status.DEADLINE_EXCEEDED,
    });
    await eventually('the server knows', () => shop.cancelled.includes('hang'));
    expect(shop.deadlines[0]).not.toBeNull();
  });

  it('carries many calls at a time', async () => {
    const { client } = await start();
    const calls = Array.from({ length: 600 }, async (_, index) => {
      const request = Buffer.from(`${index} ${'x'.repeat(index * 7)}`);
      return (await call(client, 'echo', request)).equals(request);
    });
    expect((await Promise.all(calls)).every(Boolean)).toBe(true);
  });

  it('stops the server when the client reads slowly, and loses nothing of 100 MB', { timeout: 180_000 }, async () => {
    const { client, shop } = await start();
    const count = 1_600;
    const size = 65_536;
    const list = client.list(Buffer.from(`${count} ${size}`));
    const first = new Promise((resolve) => list.once('data', resolve));
    list.pause();
    const before = process.memoryUsage().rss;
    list.resume();
    await first;
    list.pause();
    let listed = -1;
    await eventually('the server has come to a halt', async () => {
      if (listed === shop.listed) return true;
      listed = shop.listed;
      await new Promise((resolve) => setTimeout(resolve, 150));
      return false;
    });
    expect(listed).toBeLessThan(count / 2);
    let octets = size;
    list.on('data', (part: Buffer) => {
      octets += part.length;
    });
    list.resume();
    await new Promise((resolve) => list.once('end', resolve));
    expect(octets).toBe(count * size);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
  });

  it('goes on after the server has been restarted', async () => {
    const { client, shop } = await start();
    expect(String(await call(client, 'echo', Buffer.from('a')))).toBe('a');
    const hanging = call(client, 'hang', Buffer.alloc(0)).catch((error: grpc.ServiceError) => error.code);
    await eventually('the call has arrived', () => shop.deadlines.length === 1);
    shop.stop();
    expect(grpc.status[(await hanging) as number]).toMatch(/^(UNAVAILABLE|CANCELLED|INTERNAL)$/);
    const again = await GrpcShop.start(shop.port);
    closers.push(() => again.stop());
    const answer = await eventually('calls succeed again', () => call(client, 'echo', Buffer.from('b')));
    expect(String(answer)).toBe('b');
  });

  it('loses no call when the server goes away politely', async () => {
    const { client, shop } = await start();
    const chat = client.chat();
    const first = new Promise((resolve) => chat.once('data', resolve));
    chat.write(Buffer.from('a'));
    await first;
    const drained = shop.drain();
    const answer = new Promise<Buffer>((resolve) => chat.once('data', resolve));
    chat.write(Buffer.from('still there'));
    expect(String(await answer)).toBe('still there');
    const status = new Promise((resolve) => chat.once('status', resolve));
    chat.end();
    expect(await status).toMatchObject({ code: grpc.status.OK });
    await drained;
  });
});
