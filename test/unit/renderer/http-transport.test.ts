import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createHttpTransport, UnreachableError } from '../../../renderer/client/http-transport.ts';

const place = { protocol: 'http:', host: '127.0.0.1:1', origin: 'http://127.0.0.1:1' };
const ids: (string | null)[] = [];

/** Loses the answers to the first calls, as a browser does when a network comes or goes. */
function loseAnswers(count: number) {
  vi.stubGlobal('fetch', async (_url: string, request: RequestInit) => {
    ids.push(new Headers(request.headers).get('x-call-id'));
    if (ids.length <= count) throw new TypeError('Failed to fetch');
    return new Response(JSON.stringify({ ok: true, output: 'done' }));
  });
}

beforeEach(() => {
  ids.length = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a call whose answer gets lost', () => {
  it('is sent again as the same call', async () => {
    loseAnswers(2);
    const answer = createHttpTransport(place).call('config.undo', {});
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await answer).toEqual({ ok: true, output: 'done' });
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
  });

  it('says that nobody answers when that does not help', async () => {
    loseAnswers(9);
    const answer = createHttpTransport(place).call('config.undo', {});
    const refused = expect(answer).rejects.toThrow(UnreachableError);
    await vi.advanceTimersByTimeAsync(2_000);
    await refused;
    expect(ids).toHaveLength(3);
  });

  it('is another call each time that the page makes one', async () => {
    loseAnswers(0);
    const { call } = createHttpTransport(place);
    await call('config.undo', {});
    await call('config.undo', {});
    expect(new Set(ids).size).toBe(2);
  });
});
