import { request } from 'node:http';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { CallResponse, type Transport } from '../../contract/contract.ts';
import { MeshError } from '../../contract/errors.ts';

/** Where a control plane listens: its project's control socket, or 127.0.0.1 with a run's bearer token. */
export type ControlPlaneAddress = { readonly socketPath: string } | { readonly port: number; readonly token: string };

const reconnectMs = 500;

function post(address: ControlPlaneAddress, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const target =
      'socketPath' in address
        ? { socketPath: address.socketPath, headers: {} }
        : { host: '127.0.0.1', port: address.port, headers: { authorization: `Bearer ${address.token}` } };
    const sent = request(
      {
        ...target,
        method: 'POST',
        path: '/api/call',
        agent: false,
        headers: { ...target.headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

function toWebSocket(address: ControlPlaneAddress): WebSocket {
  if ('socketPath' in address) {
    const { socketPath } = address;
    return new WebSocket('ws://meshdesk/api/events', { createConnection: () => connect(socketPath) });
  }
  return new WebSocket(`ws://127.0.0.1:${address.port}/api/events`, {
    headers: { authorization: `Bearer ${address.token}` },
  });
}

/** The contract over a control plane's socket. A call rejects with the network's error when nothing listens there. */
export function createSocketTransport(address: ControlPlaneAddress): Transport {
  return {
    async call(method, input) {
      const text = await post(address, JSON.stringify({ method, input }));
      const parsed = CallResponse.safeParse(JSON.parse(text));
      if (!parsed.success)
        throw new MeshError(
          'INTERNAL',
          'The control plane sent an answer that is not of this contract; is it another version?',
        );
      return parsed.data;
    },
    listen(onEvent, onState) {
      let stopped = false;
      let socket: WebSocket | null = null;
      let timer: NodeJS.Timeout | null = null;
      const open = () => {
        socket = toWebSocket(address);
        socket.on('open', () => onState(true));
        socket.on('message', (data) => onEvent(JSON.parse(String(data)) as { name: string; payload: unknown }));
        socket.on('error', () => socket?.terminate());
        socket.on('close', () => {
          if (stopped) return;
          onState(false);
          timer = setTimeout(open, reconnectMs);
        });
      };
      open();
      return () => {
        stopped = true;
        if (timer !== null) clearTimeout(timer);
        socket?.terminate();
      };
    },
  };
}
