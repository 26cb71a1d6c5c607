// Passes connections on, byte for byte: node relay.mjs HOST PORT... listens at each PORT and connects to the same of HOST.
// A side that ends ends the other when everything is through; one that breaks resets the other. Exits with 2 when it cannot listen.
import { connect, createServer } from 'node:net';

const [host, ...ports] = process.argv.slice(2);
const options = { allowHalfOpen: true, noDelay: true };

function pass(client, port) {
  const target = connect({ ...options, host, port });
  const join = (from, to) => {
    from.on('error', () => to.resetAndDestroy());
    // Closed with no end before: there is nothing to wait for.
    from.on('close', () => from.readableEnded || to.destroy());
    from.pipe(to);
  };
  join(client, target);
  join(target, client);
}

for (const port of ports.map(Number)) {
  const server = createServer(options, (client) => pass(client, port));
  server.on('error', (error) => {
    process.stderr.write(`relay: ${error.message}\n`);
    process.exit(2);
  });
  server.listen(port, '0.0.0.0');
}
process.on('SIGTERM', () => process.exit(0));
