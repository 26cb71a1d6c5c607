/**
 * The far end of control streams, as light as it can be, in a process of its own: says hello, acknowledges every push by
 * its revision and applies nothing. One Unix socket (SOCKET) takes any number of streams. Prints `ready`; ends when stdin does.
 */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

/** The revision stands within this many bytes of every push. */
const headBytes = 300;

const http = createServer();
new WebSocketServer({ server: http, maxPayload: 64 * 1024 * 1024 }).on('connection', (socket) => {
  socket.on('message', (data: Buffer) => {
    const head = data.toString('latin1', 0, headBytes);
    if (head.startsWith('{"type":"push')) {
      const revision = Number(/"revision":(\d+)/.exec(head)?.[1]);
      socket.send(JSON.stringify({ type: 'ack', revision }));
    } else if (head.startsWith('{"type":"hello"')) {
      const program = { program: 'bench', node: process.version, pid: process.pid };
      socket.send(JSON.stringify({ type: 'hello', version: 1, ...program, revision: null, certificateSerial: null }));
    }
  });
});
http.listen(process.env['SOCKET'], () => process.stdout.write('ready\n'));
process.stdin.resume().on('end', () => process.exit(0));
