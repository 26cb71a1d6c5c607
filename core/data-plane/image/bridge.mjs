// Joins standard input and output to the sidecar's control socket, where there is no socat: node bridge.mjs SOCKET
import { connect } from 'node:net';

const socket = connect(process.argv[2] ?? '/run/meshdesk/sidecar.sock');
const fail = (error) => {
  process.stderr.write(`bridge: ${error.message}\n`);
  process.exit(1);
};
socket.on('error', fail);
process.stdout.on('error', fail);
process.stdin.on('error', fail);
socket.on('close', () => process.exit(0));
process.stdin.pipe(socket).pipe(process.stdout);
