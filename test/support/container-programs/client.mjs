// One client operation: `node client.mjs KIND HOST [ARGUMENTS]`. Prints a JSON line per event; the last one has `outcome`:
// `complete` when everything that was announced has arrived, else `broken` with how it ended.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import WebSocket from 'ws';
import { createGrpcClient, grpc } from './grpc-service.mjs';
import { createKeystream } from './keystream.mjs';

const [kind, host, ...rest] = process.argv.slice(2);
const startedAt = performance.now();
const print = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

function finish(outcome, details) {
  process.stdout.write(
    `${JSON.stringify({ outcome, ms: Math.round(performance.now() - startedAt), ...details })}\n`,
    () => process.exit(0),
  );
}

const broken = (error) =>
  finish('broken', { error: String(error.code ?? error.message), detail: error.details ?? error.message });

/** Waits until it is told to go on, or nobody is there any more who could. */
const proceed = () => Promise.race([once(process.stdin.resume(), 'data'), once(process.stdin, 'end')]);

/** Sends a request and reads the answer; `onData` sees its body. */
function get(path, onData) {
  http
    .get({ host, port: 8080, path, agent: false }, (response) => {
      const { statusCode: status, headers } = response;
      let received = 0;
      response.on('data', (chunk) => {
        received += chunk.length;
        onData(received, chunk);
      });
      response.on('error', (error) => finish('broken', { error: error.code ?? error.message, status, received }));
      response.on('end', () => {
        const flag = headers['x-mesh-error'] ?? null;
        const announced = headers['content-length'];
        if (status !== 200) finish('broken', { error: `status ${status}`, status, flag });
        else if (announced !== undefined && Number(announced) !== received)
          finish('truncated', { received, announced });
        else finish('complete', { received, status });
      });
    })
    .on('error', broken);
}

const operations = {
  /** An answer that comes after MS. */
  request: (ms) => {
    get(`/slow?ms=${ms}`, () => undefined);
    print({ begun: true });
  },
  /** A body of SIZE bytes, 64 KiB every EVERY_MS. */
  download: (size, everyMs) => {
    let told = false;
    get(`/bytes/${size}?everyMs=${everyMs}`, (received) => {
      if (told || received < 200_000) return;
      told = true;
      print({ begun: true });
    });
  },
  /** A body of SIZE bytes, 64 KiB every EVERY_MS. */
  upload: async (size, everyMs) => {
    const request = http.request(
      { host, port: 8080, path: '/upload', method: 'POST', agent: false },
      async (response) => {
        let answer = '';
        response.on('error', broken);
        for await (const text of response.setEncoding('utf8')) answer += text;
        if (response.statusCode !== 200) finish('broken', { error: `status ${response.statusCode}` });
        else finish(answer.startsWith(`${size} `) ? 'complete' : 'truncated', { answer });
      },
    );
    request.on('error', broken);
    print({ begun: true });
    for (const chunk of createKeystream(Number(size))) {
      request.write(chunk);
      await new Promise((resolve) => setTimeout(resolve, Number(everyMs)));
    }
    request.end();
  },
  /** Lines of a server that speaks first, until its last. */
  tcp: (port = 7001) => {
    const socket = net.connect(Number(port), host);
    let text = '';
    socket.setEncoding('latin1').on('data', (data) => {
      if (text === '') print({ begun: true });
      text += data;
    });
    socket.on('error', broken);
    socket.on('end', () => {
      const lines = text.trim().split('\n');
      if (lines.at(-1) === 'done') finish('complete', { lines: lines.length });
      else finish('broken', { error: 'FIN', lines: lines.length });
    });
  },
  websocket: (count) => {
    const socket = new WebSocket(`ws://${host}:8080/ticks?count=${count}`);
    let received = 0;
    socket.on('message', () => {
      if (received === 0) print({ begun: true });
      received += 1;
    });
    socket.on('error', broken);
    socket.on('close', (code) => {
      if (code === 1000 && received === Number(count)) finish('complete', { received });
      else finish('broken', { error: `close ${code}`, received });
    });
  },
  grpc: (count) => {
    const call = createGrpcClient(`${host}:9090`).Tick({ count: Number(count), everyMs: 50 });
    let received = 0;
    call.on('data', () => {
      if (received === 0) print({ begun: true });
      received += 1;
    });
    call.on('error', (error) => finish('broken', { error: `grpc ${error.code}`, detail: error.details, received }));
    call.on('end', () => {
      if (received === Number(count)) finish('complete', { received });
    });
  },
  /** Downloads SIZE bytes and compares their digest with the server's. */
  'download-digest': (size) => {
    const id = String(process.pid);
    const hash = createHash('sha256');
    const ask = () =>
      http.get({ host, port: 8080, path: `/digest/${id}` }, (response) => {
        response.setEncoding('utf8').on('data', (expected) => {
          const digest = hash.digest('hex');
          finish(digest === expected ? 'complete' : 'different', { digest, expected });
        });
      });
    http
      .get({ host, port: 8080, path: `/bytes/${size}?id=${id}` }, (response) => {
        response
          .on('data', (chunk) => hash.update(chunk))
          .on('error', broken)
          .on('end', ask);
      })
      .on('error', broken);
  },
  'upload-digest': async (size) => {
    const hash = createHash('sha256');
    const request = http.request({ host, port: 8080, path: '/upload', method: 'POST' }, async (response) => {
      let answer = '';
      for await (const text of response.setEncoding('utf8')) answer += text;
      const expected = `${size} ${hash.digest('hex')}`;
      finish(answer.trim() === expected ? 'complete' : 'different', { answer: answer.trim(), expected });
    });
    request.on('error', broken);
    for (const chunk of createKeystream(Number(size))) {
      hash.update(chunk);
      if (!request.write(chunk)) await once(request, 'drain');
    }
    request.end();
  },
  /** Messages of many sizes there and back, pings, and close codes. */
  'websocket-echo': async () => {
    const socket = new WebSocket(`ws://${host}:8080/echo`);
    await once(socket, 'open');
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 1_000_000];
    for (const size of sizes) {
      const message = Buffer.concat([...createKeystream(size)]);
      socket.send(message);
      const [answer, isBinary] = await once(socket, 'message');
      if (!isBinary || !message.equals(answer)) finish('different', { size });
    }
    // One message in three frames.
    socket.send('to', { fin: false });
    socket.send('ge', { fin: false });
    socket.send('ther', { fin: true });
    const [joined] = await once(socket, 'message');
    socket.ping('here');
    const [pong] = await once(socket, 'pong');
    socket.send('close 4001');
    const [code, reason] = await once(socket, 'close');
    finish('complete', {
      joined: String(joined),
      pong: String(pong),
      code,
      reason: String(reason),
      sizes: sizes.length,
    });
  },
  /** COUNT WebSockets open at once, each with an echo. */
  'websocket-many': async (count) => {
    const sockets = [];
    for (let opened = 0; opened < Number(count); opened += 50) {
      const batch = Array.from({ length: Math.min(50, count - opened) }, () => new WebSocket(`ws://${host}:8080/echo`));
      await Promise.all(batch.map((socket) => once(socket, 'open')));
      sockets.push(...batch);
    }
    const answers = sockets.map(async (socket, index) => {
      socket.send(String(index));
      const [answer] = await once(socket, 'message');
      return String(answer) === String(index);
    });
    const right = (await Promise.all(answers)).filter(Boolean).length;
    for (const socket of sockets) socket.close(1000);
    const codes = await Promise.all(sockets.map(async (socket) => (await once(socket, 'close'))[0]));
    finish('complete', { right, codes: [...new Set(codes)] });
  },
  /** Every kind of call, a failure, metadata, a deadline and a large message. */
  'grpc-calls': async () => {
    const client = createGrpcClient(`${host}:9090`);
    const metadata = new grpc.Metadata();
    metadata.set('x-header', 'sent');
    const unary = (request, options = {}) =>
      new Promise((resolve) => {
        let trailer = null;
        const call = client.Echo(request, metadata, options, (error, value) =>
          setImmediate(() => resolve({ error, value, trailer })),
        );
        call.on('status', (status) => {
          trailer = status.metadata.get('x-trailer')[0] ?? null;
        });
      });
    const echo = await unary({ text: 'hello' });
    const large = await unary({ text: 'x'.repeat(3_000_000) });
    const failed = await unary({ fail: 9 });
    const ticks = [];
    for await (const { n } of client.Tick({ count: 5, everyMs: 5 })) ticks.push(n);
    const sum = await new Promise((resolve) => {
      const call = client.Sum((error, value) => resolve(error ?? value));
      for (let n = 1; n <= 1_000; n += 1) call.write({ n });
      call.end();
    });
    const chat = client.Chat();
    const chatted = [];
    for (let n = 0; n < 5; n += 1) {
      chat.write({ n });
      chatted.push((await once(chat, 'data'))[0].n);
    }
    chat.end();
    const late = client.Tick({ count: 1_000, everyMs: 50 }, { deadline: Date.now() + 300 });
    late.on('data', () => undefined);
    const [deadline] = await once(late, 'error');
    const cancelled = client.Tick({ count: 1_000, everyMs: 50 });
    cancelled.once('data', () => cancelled.cancel());
    const [cancellation] = await once(cancelled, 'error');
    finish('complete', {
      echo: echo.value.text,
      trailer: echo.trailer,
      large: large.value.text.length,
      failed: [failed.error.code, failed.error.details],
      ticks,
      sum,
      chatted,
      deadline: deadline.code,
      cancelled: cancellation.code,
    });
  },
  /** Bytes of SIZE both ways at once, then a half-close that the server answers with its own. */
  'tcp-echo': async (size) => {
    const socket = net.connect({ port: 7000, host, allowHalfOpen: true });
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    socket.on('data', (chunk) => received.update(chunk)).on('error', broken);
    for (const chunk of createKeystream(Number(size))) {
      sent.update(chunk);
      if (!socket.write(chunk)) await once(socket, 'drain');
    }
    socket.end();
    await once(socket, 'end');
    finish(sent.digest('hex') === received.digest('hex') ? 'complete' : 'different', {});
  },
  /** COUNT connections to a server that waits for its client to speak, which it does only when told to. */
  silent: async (count) => {
    const sockets = [];
    let closed = 0;
    for (let opened = 0; opened < Number(count); opened += 50) {
      const batch = Array.from({ length: Math.min(50, count - opened) }, () => net.connect(8080, host));
      for (const socket of batch) {
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          closed += 1;
        });
      }
      await Promise.allSettled(batch.map((socket) => once(socket, 'connect')));
      sockets.push(...batch);
    }
    print({ begun: true, open: sockets.length - closed });
    await proceed();
    for (const socket of sockets) socket.destroy();
    finish('complete', { closed });
  },
  /** COUNT keep-alive connections, all open at once, ROUNDS requests on each; CONCURRENT requests at a time. */
  'keep-alive': async (count, rounds, concurrent) => {
    const sockets = [];
    const failures = {};
    let answered = 0;
    const ask = async (socket) => {
      if (socket.destroyed) throw new Error('closed between requests');
      socket.write('GET /hello HTTP/1.1\r\nHost: server\r\n\r\n');
      let text = '';
      while (!text.endsWith('hello\n') && !text.endsWith('hello\n\r\n0\r\n\r\n')) {
        const [data] = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [null])]);
        if (data === null) throw new Error('closed before the answer');
        text += data.toString('latin1');
        if (!text.startsWith('HTTP/1.1 200')) throw new Error(text.split('\r\n')[0]);
      }
      answered += 1;
    };
    const connect = async () => {
      const socket = net.connect(8080, host);
      sockets.push(socket);
      await once(socket, 'connect');
      socket.on('error', () => socket.destroy());
      await ask(socket);
    };
    const each = async (total, run) => {
      let next = 0;
      const worker = async () => {
        while (next < total) {
          const index = next;
          next += 1;
          await run(index).catch((error) => {
            failures[error.message] = (failures[error.message] ?? 0) + 1;
          });
        }
      };
      await Promise.all(Array.from({ length: Number(concurrent) }, worker));
    };
    await each(Number(count), connect);
    for (let round = 0; round < Number(rounds); round += 1) await each(sockets.length, (index) => ask(sockets[index]));
    print({ begun: true, open: sockets.length, answered, failures });
    await proceed();
    await each(sockets.length, (index) => ask(sockets[index]));
    finish('complete', { open: sockets.filter((socket) => !socket.destroyed).length, answered, failures });
  },
};

await operations[kind](...rest);
