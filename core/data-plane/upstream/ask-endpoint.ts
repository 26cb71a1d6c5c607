import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { HealthCheckConfig } from '../../model/traffic-config.ts';
import type { UpstreamConnector, UpstreamTarget } from '../connection.ts';
import type { HttpEndpoint } from '../http/compiled-service.ts';

const userAgent = 'meshdesk-health-check';
const grpcPath = '/grpc.health.v1.Health/Check';
const maxAnswerBytes = 64 * 1024;
/** grpc.health.v1.HealthCheckResponse with status SERVING: field 1, varint 1. */
const serving = Buffer.from([0x08, 0x01]);

/**
 * Asks one endpoint whether it is well, over a connection of its own. Resolves `passed`, or `immediate` when the endpoint
 * answers that it is not; rejects when there is no answer. As in Envoy only 200 is well.
 */
export async function askEndpoint(
  connector: UpstreamConnector,
  endpoint: HttpEndpoint,
  check: HealthCheckConfig,
  signal: AbortSignal,
): Promise<'passed' | 'immediate'> {
  const speaksHttp2 = endpoint.speaks === 'http/2' && endpoint.target.tls === null;
  const socket = await connector.connect(toTarget(endpoint.target, check.port, speaksHttp2), signal);
  const onAbort = () => socket.destroy(new Error('no answer in time'));
  socket.on('error', () => undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (check.kind === 'tcp') return 'passed';
    const authority = endpoint.edge.peerService ?? endpoint.endpoint.address;
    const { status, body } = speaksHttp2
      ? await askByHttp2(socket, check, authority)
      : await askByHttp1(socket, check, authority);
    if (status !== 200) return 'immediate';
    return check.kind === 'http' || isServing(body) ? 'passed' : 'immediate';
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

function toTarget(target: UpstreamTarget, port: number | null, speaksHttp2: boolean): UpstreamTarget {
  const { dial } = target;
  const elsewhere = port === null ? target : { ...target, port };
  if (dial?.originate === undefined || !speaksHttp2) return elsewhere;
  return { ...elsewhere, dial: { ...dial, originate: { ...dial.originate, alpn: 'h2' } } };
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** Loaded only where health is asked for: a sidecar has its own HTTP otherwise. */
async function askByHttp1(socket: Socket, check: HealthCheckConfig, authority: string): Promise<Answer> {
  const { request } = await import('node:http');
  const isGrpc = check.kind === 'grpc';
  return new Promise((resolve, reject) => {
    const headers = {
      host: authority,
      'user-agent': userAgent,
      connection: 'close',
      ...(isGrpc ? { 'content-type': 'application/grpc', te: 'trailers' } : {}),
    };
    const path = isGrpc ? grpcPath : check.path;
    const options = { createConnection: () => socket, method: isGrpc ? 'POST' : 'GET', path, headers };
    const sent = request(options, (incoming: IncomingMessage) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes <= maxAnswerBytes) parts.push(part);
      });
      incoming.on('error', reject);
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(parts) }));
    });
    sent.on('error', reject);
    sent.end(isGrpc ? toGrpcMessage(check.service) : undefined);
  });
}

async function askByHttp2(socket: Socket, check: HealthCheckConfig, authority: string): Promise<Answer> {
  const { connect } = await import('node:http2');
  const session = connect(`http://${authority}`, { createConnection: () => socket });
  const isGrpc = check.kind === 'grpc';
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject);
      session.on('close', () => reject(new Error('the connection was closed')));
      const stream = session.request({
        ':method': isGrpc ? 'POST' : 'GET',
        ':path': isGrpc ? grpcPath : check.path,
        ':authority': authority,
        'user-agent': userAgent,
        ...(isGrpc ? { 'content-type': 'application/grpc', te: 'trailers' } : {}),
      });
      const parts: Buffer[] = [];
      let status = 0;
      stream.on('response', (headers) => {
        status = Number(headers[':status'] ?? 0);
      });
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('error', reject);
      stream.on('end', () => resolve({ status, body: Buffer.concat(parts).subarray(0, maxAnswerBytes) }));
      stream.end(isGrpc ? toGrpcMessage(check.service) : undefined);
    });
  } finally {
    session.destroy();
  }
}

/** HealthCheckRequest {service = 1} in a gRPC frame: no compression, length, message. */
function toGrpcMessage(service: string): Buffer {
  const name = Buffer.from(service, 'utf8').subarray(0, 127);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function isServing(body: Buffer): boolean {
  return body.length >= 7 && body[0] === 0 && body.subarray(5, 7).equals(serving);
}
