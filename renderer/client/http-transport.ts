import type { CallResponse, Transport } from '../../core/contract/contract.ts';

const firstRetryMs = 250;
const lastRetryMs = 5_000;
/**
 * A call whose answer got lost is sent again after these pauses, under the same id: the control plane does it once. A
 * browser drops what is under way when the machine gets or loses a network, which every container that starts does.
 */
const repeatAfterMs = [200, 800];

type Place = Pick<Location, 'protocol' | 'host' | 'origin'>;

/** The control plane did not answer at all: it has ended, or the network between is gone. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/**
 * Calls by POST, repeated when the answer gets lost; events by WebSocket; the session cookie authenticates both. The socket is opened again with a growing
 * pause (250 ms to 5 s) for as long as somebody listens.
 */
export function createHttpTransport(place: Place): Transport {
  return {
    call: (method, input) => post(`${place.origin}/api/call`, { method, input }),
    listen(onEvent, onState) {
      const url = `${place.protocol === 'https:' ? 'wss:' : 'ws:'}//${place.host}/api/events`;
      return openEvents(url, onEvent, onState);
    },
  };
}

async function post(url: string, body: unknown): Promise<CallResponse> {
  const response = await fetchAgain(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-call-id': crypto.randomUUID() },
    credentials: 'same-origin',
    body: JSON.stringify(body),
  });
  const answer: unknown = await response.json().catch(() => null);
  if (isCallResponse(answer)) return answer;
  return {
    ok: false,
    error: {
      code: response.status === 401 || response.status === 403 ? 'UNAUTHORIZED' : 'INTERNAL',
      message: `The control plane answered with status ${response.status} and no readable body.`,
      hint: '',
      issues: [],
    },
  };
}

async function fetchAgain(url: string, request: RequestInit, tried = 0): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (cause) {
    const pauseMs = repeatAfterMs[tried];
    if (pauseMs === undefined)
      throw new UnreachableError(
        'Meshdesk does not answer. It may have been closed; this page connects again by itself.',
        { cause },
      );
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    return fetchAgain(url, request, tried + 1);
  }
}

function isCallResponse(value: unknown): value is CallResponse {
  return typeof value === 'object' && value !== null && 'ok' in value && ('output' in value || 'error' in value);
}

function openEvents(
  url: string,
  onEvent: (event: { name: string; payload: unknown }) => void,
  onState: (connected: boolean) => void,
): () => void {
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pauseMs = firstRetryMs;
  let stopped = false;

  const connect = () => {
    socket = new WebSocket(url);
    socket.onopen = () => {
      pauseMs = firstRetryMs;
      onState(true);
    };
    socket.onmessage = ({ data }) => {
      const event = parseEvent(data);
      if (event) onEvent(event);
    };
    socket.onclose = () => {
      if (stopped) return;
      onState(false);
      timer = setTimeout(connect, pauseMs);
      pauseMs = Math.min(lastRetryMs, pauseMs * 2);
    };
  };
  connect();
  return () => {
    stopped = true;
    clearTimeout(timer);
    socket?.close();
  };
}

function parseEvent(data: unknown): { name: string; payload: unknown } | null {
  if (typeof data !== 'string') return null;
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value !== 'object' || value === null || !('name' in value) || typeof value.name !== 'string')
      return null;
    return { name: value.name, payload: 'payload' in value ? value.payload : null };
  } catch {
    return null;
  }
}
