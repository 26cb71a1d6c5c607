import * as grpc from '@grpc/grpc-js';

type Bytes = Buffer<ArrayBufferLike>;

const asIs = (bytes: Bytes) => bytes;
const method = (
  path: string,
  requestStream: boolean,
  responseStream: boolean,
): grpc.MethodDefinition<Bytes, Bytes> => ({
  path: `/test.Shop/${path}`,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});

/** A service without a schema: messages are octets. */
export const shopService = {
  /** Answers with the request, its `x-` metadata as header, and `x-trailer` as trailer. */
  echo: method('Echo', false, false),
  /** `count size`: that many messages of that many octets. */
  list: method('List', false, true),
  /** The number of octets of all messages. */
  sum: method('Sum', true, false),
  /** Each message as it comes. */
  chat: method('Chat', true, true),
  /** Ends with the status whose code and message are asked for in the metadata `code` and `message-bin`. */
  fail: method('Fail', false, false),
  /** Never answers by itself. */
  hang: method('Hang', false, false),
} satisfies grpc.ServiceDefinition;

/** A gRPC server for tests: knows what was cancelled, and can wait for slow readers. */
export class GrpcShop {
  readonly cancelled: string[] = [];
  readonly deadlines: (number | null)[] = [];
  calls = 0;
  /** Messages of `list` that were taken by the connection so far. */
  listed = 0;
  readonly #server = new grpc.Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  port = 0;

  static async start(port = 0): Promise<GrpcShop> {
    const shop = new GrpcShop();
    shop.#server.addService(shopService, {
      echo: (call: grpc.ServerUnaryCall<Bytes, Bytes>, reply: grpc.sendUnaryData<Bytes>) => shop.#echo(call, reply),
      list: (call: grpc.ServerWritableStream<Bytes, Bytes>) => void shop.#list(call),
      sum: (call: grpc.ServerReadableStream<Bytes, Bytes>, reply: grpc.sendUnaryData<Bytes>) => shop.#sum(call, reply),
      chat: (call: grpc.ServerDuplexStream<Bytes, Bytes>) => shop.#chat(call),
      fail: (call: grpc.ServerUnaryCall<Bytes, Bytes>, reply: grpc.sendUnaryData<Bytes>) => shop.#fail(call, reply),
      hang: (call: grpc.ServerUnaryCall<Bytes, Bytes>) => shop.#hang(call),
    });
    shop.port = await new Promise<number>((resolve, reject) => {
      shop.#server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return shop;
  }

  /** Without waiting for calls. */
  stop(): void {
    this.#server.forceShutdown();
  }

  /** GOAWAY; calls under way end first. */
  async drain(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  #echo(call: grpc.ServerUnaryCall<Bytes, Bytes>, reply: grpc.sendUnaryData<Bytes>): void {
    this.calls += 1;
    const head = new grpc.Metadata();
    for (const [key, value] of Object.entries(call.metadata.getMap())) if (key.startsWith('x-')) head.set(key, value);
    call.sendMetadata(head);
    const trailer = new grpc.Metadata();
    trailer.set('x-trailer', 'at the end');
    trailer.set('x-trailer-bin', Buffer.from([0, 255, 1]));
    reply(null, call.request, trailer);
  }

  async #list(call: grpc.ServerWritableStream<Bytes, Bytes>): Promise<void> {
    const [count = 0, size = 0] = call.request.toString().split(' ').map(Number);
    call.on('cancelled', () => this.cancelled.push('list'));
    for (let index = 0; index < count && !call.cancelled; index += 1) {
      const flows = call.write(Buffer.alloc(size, index % 251));
      this.listed = index + 1;
      if (!flows) await new Promise((resolve) => call.once('drain', resolve));
    }
    call.end();
  }

  #sum(call: grpc.ServerReadableStream<Bytes, Bytes>, reply: grpc.sendUnaryData<Bytes>): void {
    let octets = 0;
    call.on('data', (part: Bytes) => {
      octets += part.length;
    });
    call.on('end', () => reply(null, Buffer.from(String(octets))));
    call.on('cancelled', () => this.cancelled.push('sum'));
  }

  #chat(call: grpc.ServerDuplexStream<Bytes, Bytes>): void {
    call.on('data', (part: Bytes) => call.write(part));
    call.on('end', () => call.end());
    call.on('cancelled', () => this.cancelled.push('chat'));
  }

  #fail(call: grpc.ServerUnaryCall<Bytes, Bytes>, reply: grpc.sendUnaryData<Bytes>): void {
    const details = Buffer.from(call.metadata.get('message-bin')[0] ?? '').toString();
    reply({ code: Number(call.metadata.get('code')[0]), details });
  }

  #hang(call: grpc.ServerUnaryCall<Bytes, Bytes>): void {
    const deadline = call.getDeadline();
    this.deadlines.push(typeof deadline === 'number' && Number.isFinite(deadline) ? deadline : null);
    if (deadline instanceof Date) this.deadlines[this.deadlines.length - 1] = deadline.getTime();
    call.on('cancelled', () => this.cancelled.push('hang'));
  }
}

/** A client of `GrpcShop`; every call is for one channel, which is one connection. */
export function connectShop(port: number, authority?: string): grpc.Client & ShopCalls {
  const Client = grpc.makeGenericClientConstructor(shopService, 'Shop');
  const options: grpc.ClientOptions = {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 200,
    ...(authority === undefined ? {} : { 'grpc.default_authority': authority }),
  };
  return new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), options) as unknown as grpc.Client &
    ShopCalls;
}

type Reply = (error: grpc.ServiceError | null, response?: Bytes) => void;

export interface ShopCalls {
  echo(request: Bytes, metadata: grpc.Metadata, options: grpc.CallOptions, reply: Reply): grpc.ClientUnaryCall;
  fail(request: Bytes, metadata: grpc.Metadata, options: grpc.CallOptions, reply: Reply): grpc.ClientUnaryCall;
  hang(request: Bytes, metadata: grpc.Metadata, options: grpc.CallOptions, reply: Reply): grpc.ClientUnaryCall;
  list(request: Bytes, metadata?: grpc.Metadata): grpc.ClientReadableStream<Bytes>;
  sum(metadata: grpc.Metadata, options: grpc.CallOptions, reply: Reply): grpc.ClientWritableStream<Bytes>;
  chat(metadata?: grpc.Metadata): grpc.ClientDuplexStream<Bytes, Bytes>;
}

/** A unary call as a promise; rejects with the `ServiceError`. */
export function call(
  client: ShopCalls,
  name: 'echo' | 'fail' | 'hang',
  request: Bytes,
  metadata = new grpc.Metadata(),
  options: grpc.CallOptions = {},
): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    client[name](request, metadata, options, (error, response) =>
      error === null ? resolve(response ?? Buffer.alloc(0)) : reject(error),
    );
  });
}
