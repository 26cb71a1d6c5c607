import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpCodec } from '../../../core/data-plane/http/head-parser.ts';
import { bodyStallMs } from '../../../core/data-plane/http/limits.ts';
import { eventually } from '../../support/eventually.ts';
import { CarrierPair, SeenAnswer } from '../../support/mux-carriers.ts';

let pair: CarrierPair;

beforeEach(async () => {
  pair = await CarrierPair.open();
});

afterEach(() => pair.close());

const get = 'GET /a HTTP/1.1\r\nHost: orders\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n';

describe('a request between sidecars', () => {
  it('arrives as it was sent, without what belongs to the connection, and so does its answer', async () => {
    pair.script.onEnd = (request) =>
      request.answer('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\nX-A: b\r\n\r\n', 'pong');
    const { answer } = pair.request(
      'POST /a?b HTTP/1.1\r\nHost: orders\r\nConnection: x-hop\r\nX-Hop: 1\r\nTE: trailers\r\nContent-Length: 4\r\n\r\n',
      { body: 'ping' },
    );
    await eventually('the answer', () => answer.ended);
    expect(pair.script.requests[0]).toMatchObject({
      head: 'POST /a?b HTTP/1.1\r\nte: trailers\r\nHost: orders\r\nContent-Length: 4\r\n\r\n',
      form: 'length',
      protocol: 'http/1.1',
      body: 'ping',
      ended: true,
    });
    expect(answer).toMatchObject({
      head: 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\n',
      status: 200,
      form: 'length',
      body: 'pong',
      loss: null,
    });
    expect(pair.session.active).toBe(0);
  });

  it('is told with another target, host and id where the route says so', async () => {
    pair.script.onEnd = (request) => request.answer(ok, 'pong');
    const answer = new SeenAnswer();
    const stream = pair.session.open(answer, 'http/1.1');
    const bytes = Buffer.from('GET http://orders/a HTTP/1.0\r\nHost: orders\r\nX-B: c\r\n\r\n');
    const codec = createHttpCodec();
    codec.parseRequest(bytes, 0, bytes.length);
    const edit = { target: '/a', host: 'orders.shop', requestId: Buffer.from('0'.repeat(36)) };
    stream?.sendHead(bytes, codec.request, edit, 'none', bytes, 0, 0, true);
    await eventually('the answer', () => answer.ended);
    expect(pair.script.requests[0]?.head).toBe(
      `GET /a HTTP/1.1\r\nhost: orders.shop\r\nx-request-id: ${'0'.repeat(36)}\r\nX-B: c\r\n\r\n`,
    );
  });

  it('carries chunks as they are', async () => {
    const chunks = '4;ext=1\r\nping\r\n0\r\nX-T: 1\r\n\r\n';
    const plainChunks = '4\r\nping\r\n0\r\nX-T: 1\r\n\r\n';
    pair.script.onEnd = (request) =>
      request.answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', plainChunks, 'chunked');
    const { answer } = pair.request('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', {
      body: chunks,
      form: 'chunked',
    });
    await eventually('the answer', () => answer.ended);
    expect(pair.script.requests[0]).toMatchObject({ form: 'chunked', body: plainChunks, ended: true });
    expect(answer).toMatchObject({ form: 'chunked', body: plainChunks });
  });

  it('decodes chunks for whoever speaks none', async () => {
    pair.script.takesChunked = false;
    pair.script.onEnd = (request) =>
      request.answer(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
        '2\r\npo\r\n2\r\nng\r\n0\r\n\r\n',
        'chunked',
      );
    const plain = new SeenAnswer();
    plain.takesChunked = false;
    const { answer } = pair.request('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', {
      body: '4\r\nping\r\n0\r\n\r\n',
      form: 'chunked',
      answer: plain,
    });
    await eventually('the answer', () => answer.ended);
    expect(pair.script.requests[0]).toMatchObject({ body: 'ping', ended: true });
    expect(answer).toMatchObject({ form: 'plain', body: 'pong' });
  });

  it('carries plain bodies with trailers, and says that they came over HTTP/2', async () => {
    pair.script.onEnd = (request) => {
      request.answer('HTTP/1.1 200 OK\r\n\r\n', 'pong', 'plain', false);
      const trailers = pair.parseTrailers('grpc-status: 0\r\n\r\n');
      request.client.sendTrailers(trailers.bytes, trailers.fields);
      request.finish();
    };
    const { stream, answer } = pair.request('POST /s/M HTTP/1.1\r\nHost: a\r\n\r\n', {
      body: 'pi',
      form: 'plain',
      isLast: false,
      http2: true,
    });
    stream.sendBody(Buffer.from('ng'), 0, 2, false);
    const trailers = pair.parseTrailers('x-checksum: 7\r\n\r\n');
    stream.sendTrailers(trailers.bytes, trailers.fields);
    await eventually('the answer', () => answer.ended);
    expect(pair.script.requests[0]).toMatchObject({
      form: 'plain',
      protocol: 'http/2',
      body: 'ping',
      trailers: 'x-checksum: 7\r\n\r\n',
      ended: true,
    });
    expect(answer).toMatchObject({ form: 'plain', body: 'pong', trailers: 'grpc-status: 0\r\n\r\n' });
  });

  it('knows which answers have no body', async () => {
    const cases: [string, string][] = [
      ['HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n'],
      [get, 'HTTP/1.1 204 No Content\r\n\r\n'],
      [get, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n'],
      [get, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ];
    for (const [request, response] of cases) {
      pair.script.onEnd = (seen) => seen.answer(response);
      const { answer } = pair.request(request);
      await eventually(response, () => answer.ended);
      expect(answer).toMatchObject({ head: response, form: 'none', body: '', loss: null });
    }
  });

  it('passes interim answers on', async () => {
    pair.script.onEnd = (request) => {
      const hints = pair.parseResponse('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
      request.client.sendInterim(hints.bytes, hints.head);
      request.answer(ok, 'pong');
    };
    const { answer } = pair.request(get);
    await eventually('the answer', () => answer.ended);
    expect(answer).toMatchObject({ interims: [103], status: 200, body: 'pong' });
  });

  it('gives an answer of the mesh', async () => {
    pair.script.onStart = (request) => {
      request.client.answer({ status: 503, flag: 'UH', body: 'no healthy upstream' });
      request.finish();
    };
    const { answer } = pair.request(get);
    await eventually('the answer', () => answer.ended);
    expect(answer).toMatchObject({ status: 503, body: 'no healthy upstream' });
    expect(answer.head).toContain('x-mesh-error: UH');
  });

  it('takes a body of any size, both ways', async () => {
    const text = 'abcdefgh'.repeat(40_000);
    pair.script.onEnd = (request) =>
      request.answer(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n`, request.body);
    const { answer } = pair.request(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${text.length}\r\n\r\n`, {
      body: text,
    });
    await eventually('the answer', () => answer.ended);
    expect(answer.body === text).toBe(true);
  });

  it('uses its objects again for requests that follow each other', async () => {
    pair.script.onEnd = (request) => request.answer(ok, 'pong');
    for (let n = 0; n < 20; n += 1) {
      const { answer } = pair.request(get);
      await eventually('the answer', () => answer.ended);
      expect(answer.body).toBe('pong');
    }
    expect(pair.script.requests).toHaveLength(20);
    expect(pair.script.sinks).toBe(1);
  });
});

describe('a tunnel between sidecars', () => {
  const upgrade = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';

  it('opens after 101 and closes one direction at a time', async () => {
    pair.script.onEnd = (request) => {
      if (request.head.startsWith('GET /chat') && request.body === '') {
        const { bytes, head } = pair.parseResponse(switching);
        request.client.openTunnel(bytes, head);
      }
    };
    const { stream, answer } = pair.request(upgrade);
    await eventually('the switch', () => answer.tunnel);
    expect(pair.script.requests[0]?.head).toContain('connection: upgrade\r\n');
    stream.sendBody(Buffer.from('hello'), 0, 5, false);
    const [request] = pair.script.requests;
    await eventually('the bytes', () => request?.body === 'hello');
    stream.sendBody(Buffer.alloc(0), 0, 0, true);
    request?.send('welcome');
    await eventually('the bytes back', () => answer.body === 'welcome');
    expect(answer.ended).toBe(false);
    request?.send('bye', true);
    await eventually('the end', () => answer.ended);
    expect(answer.body).toBe('welcomebye');
    await eventually('nothing left', () => pair.session.active === 0);
  });

  it('opens after 2xx to CONNECT', async () => {
    pair.script.onEnd = (request) => {
      if (request.body !== '') return;
      const { bytes, head } = pair.parseResponse('HTTP/1.1 200 OK\r\n\r\n');
      request.client.openTunnel(bytes, head);
    };
    const { stream, answer } = pair.request('CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n');
    await eventually('the tunnel', () => answer.tunnel);
    stream.sendBody(Buffer.from('hello'), 0, 5, false);
    await eventually('the bytes', () => pair.script.requests[0]?.body === 'hello');
  });

  it('does not open when the server declines', async () => {
    pair.script.onEnd = (request) => request.answer(ok, 'pong');
    const { answer } = pair.request(upgrade);
    await eventually('the answer', () => answer.ended);
    expect(answer).toMatchObject({ tunnel: false, status: 200, body: 'pong' });
    await eventually('nothing left', () => pair.session.active === 0);
  });
});

describe('early endings between sidecars', () => {
  it('tells the server when the client gives up', async () => {
    const { stream, answer } = pair.request(get);
    await eventually('the request', () => pair.script.requests[0]?.ended);
    stream.cancel('cancelled');
    await eventually('the news', () => pair.script.requests[0]?.gone === 'cancelled');
    expect(answer.loss).toBeNull();
    expect(pair.session.active).toBe(0);
  });

  it('tells the client when the server breaks off, before and after the head', async () => {
    pair.script.onEnd = (request) => {
      if (request.head.startsWith('GET /b')) request.answer(ok, 'po', 'length', false);
      request.client.abort('lost');
      request.finish();
    };
    for (const head of [get, get.replace('/a', '/b')]) {
      const { answer } = pair.request(head);
      await eventually('the loss', () => answer.loss);
      expect(answer.loss).toMatchObject({ reason: 'lost', unprocessed: false, stale: false });
    }
  });

  it('says that a refused request may be repeated', async () => {
    pair.script.onStart = (request) => {
      request.client.abort('refused');
      request.finish();
    };
    const { answer } = pair.request(get);
    await eventually('the loss', () => answer.loss);
    expect(answer.loss).toMatchObject({ reason: 'refused', unprocessed: true });
  });

  it('takes an answer before the end of the request and gives the rest up', async () => {
    pair.script.onStart = (request) => request.answer(ok, 'pong');
    const { answer } = pair.request('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n', {
      body: 'part',
      isLast: false,
    });
    await eventually('the answer', () => answer.ended);
    await eventually('nothing left', () => pair.session.active === 0);
    expect(answer.loss).toBeNull();
  });

  it('loses every request with the connection, and says that it was kept from before', async () => {
    pair.script.onEnd = (request) => {
      if (request.head.startsWith('GET /first')) request.answer(ok, 'pong');
    };
    const first = pair.request('GET /first HTTP/1.1\r\nHost: a\r\n\r\n').answer;
    await eventually('the first answer', () => first.ended);
    const others = [1, 2].map((n) => pair.request(`GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`).answer);
    await eventually('the others', () => pair.script.requests.length === 3);
    pair.handler.closeAll();
    await eventually('the losses', () => others.every(({ loss }) => loss !== null));
    for (const { loss } of others) expect(loss).toMatchObject({ reason: 'lost', stale: true, unprocessed: false });
    await eventually('the end', () => pair.closed === 1);
    expect(pair.session.usable).toBe(false);
  });
});

describe('a slow side between sidecars', () => {
  it('stops the sender of an answer until the client goes on', async () => {
    const block = 'x'.repeat(60_000);
    let sent = 0;
    pair.script.onEnd = (request) => {
      request.answer(`HTTP/1.1 200 OK\r\nContent-Length: ${60_000 * 20}\r\n\r\n`, block, 'length', false);
      sent = 1;
      while (sent < 20) {
        sent += 1;
        if (!request.send(block, sent === 20)) return;
      }
    };
    const { stream, answer } = pair.request(get);
    stream.pauseResponse();
    await eventually('a full window', () => answer.body.length === 64 * 1024);
    expect(sent).toBeLessThan(20);
    const stoppedAt = sent;
    stream.resumeResponse();
    await eventually('the drain', () => (pair.script.requests[0]?.drains ?? 0) > 0);
    await eventually('the rest', () => answer.body.length === stoppedAt * 60_000);
  });

  it('stops the sender of a request until the server goes on', async () => {
    pair.script.onStart = (request) => request.client.pauseRequest();
    const block = Buffer.alloc(100_000, 'x');
    const { stream, answer } = pair.request('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n', {
      body: 'y',
      isLast: false,
    });
    expect(stream.sendBody(block, 0, block.length, false)).toBe(false);
    const [request] = await eventually('a full window', () => {
      return pair.script.requests[0]?.body.length === 64 * 1024 ? pair.script.requests : null;
    });
    expect(answer.drains).toBe(0);
    request?.client.resumeRequest();
    await eventually('the rest', () => request?.body.length === 100_001);
    expect(answer.drains).toBe(1);
  });
});

describe('a stalled sidecar', () => {
  it('is not waited for for ever in the middle of a body', async () => {
    pair.request('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n', { body: 'part', isLast: false });
    await eventually('the request', () => pair.script.requests[0]?.body === 'part');
    pair.handler.tick(performance.now());
    pair.handler.tick(performance.now() + bodyStallMs - 1_000);
    expect(pair.script.requests[0]?.stalled).toBe(false);
    pair.handler.tick(performance.now() + bodyStallMs + 1_000);
    expect(pair.script.requests[0]?.stalled).toBe(true);
    await eventually('nothing left', () => pair.session.active === 0);
  });
});

describe('drain between sidecars', () => {
  it('serves what is under way, then both ends close', async () => {
    const { answer } = pair.request(get);
    await eventually('the request', () => pair.script.requests[0]?.ended);
    pair.handler.drain();
    await eventually('the news', () => !pair.session.usable);
    expect(pair.session.available).toBe(false);
    expect(pair.closed).toBe(0);
    pair.script.requests[0]?.answer(ok, 'pong');
    await eventually('the answer', () => answer.ended);
    await eventually('the end', () => pair.handler.active === 0 && pair.closed === 1);
    expect(pair.warnings).toEqual([]);
  });

  it('retires from the client side in the same way', async () => {
    const { answer } = pair.request(get);
    pair.session.retire();
    expect([pair.session.usable, pair.session.available]).toEqual([false, false]);
    await eventually('the request', () => pair.script.requests[0]?.ended);
    pair.script.requests[0]?.answer(ok, 'pong');
    await eventually('the end', () => pair.handler.active === 0 && pair.closed === 1);
    expect(answer.body).toBe('pong');
  });
});
