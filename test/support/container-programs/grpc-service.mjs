// The test service over gRPC, with JSON for messages: no code generation, the same framing and streams.
import grpc from '@grpc/grpc-js';

const serialize = (value) => Buffer.from(JSON.stringify(value));
const deserialize = (bytes) => JSON.parse(bytes.toString());
const method = (name, requestStream, responseStream) => ({
  path: `/meshdesk.test.Lines/${name}`,
  requestStream,
  responseStream,
  requestSerialize: serialize,
  requestDeserialize: deserialize,
  responseSerialize: serialize,
  responseDeserialize: deserialize,
});

const definition = {
  Echo: method('Echo', false, false),
  /** Asked for `count` lines, one every `everyMs`. */
  Tick: method('Tick', false, true),
  Sum: method('Sum', true, false),
  Chat: method('Chat', true, true),
};

const limits = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

/** `onOpen(kind)` is called when a stream begins and gives what to call when it ends. */
export async function serveGrpc(port, onOpen) {
  const server = new grpc.Server(limits);
  server.addService(definition, {
    Echo: (call, callback) => {
      if (call.request.fail !== undefined) {
        callback({ code: call.request.fail, details: 'as asked' });
        return;
      }
      const metadata = new grpc.Metadata();
      metadata.set('x-trailer', String(call.metadata.get('x-header')[0] ?? ''));
      callback(null, call.request, metadata);
    },
    Tick: (call) => {
      const { count, everyMs } = call.request;
      let sent = 0;
      const timer = setInterval(() => {
        sent += 1;
        call.write({ n: sent });
        if (sent === count) {
          clearInterval(timer);
          call.end();
        }
      }, everyMs);
      const close = onOpen('grpc');
      call.on('cancelled', () => clearInterval(timer));
      call.on('close', close).on('finish', close).on('cancelled', close);
    },
    Sum: (call, callback) => {
      let [sum, count] = [0, 0];
      call.on('data', ({ n }) => {
        sum += n;
        count += 1;
      });
      call.on('end', () => callback(null, { sum, count }));
    },
    Chat: (call) => {
      call.on('data', (value) => call.write(value));
      call.on('end', () => call.end());
    },
  });
  await new Promise((resolve, reject) => {
    server.bindAsync(`0.0.0.0:${port}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
}

export function createGrpcClient(address) {
  const Client = grpc.makeGenericClientConstructor(definition, 'Lines');
  return new Client(address, grpc.credentials.createInsecure(), limits);
}

export { grpc };
