import { describe, expect, it } from 'vitest';
import { type CorsPolicy, decideCors } from '../../../core/policy/cors.ts';

const policy: CorsPolicy = {
  origins: [(origin) => origin === 'https://a.example', (origin) => origin.endsWith('.b.example')],
  allowMethods: 'GET,PUT',
  allowHeaders: 'x-a',
  exposeHeaders: 'x-e',
  maxAgeSeconds: 86_400,
  allowCredentials: true,
  forwardUnmatchedPreflights: true,
};
const preflight = { method: 'OPTIONS', origin: 'https://a.example', requestedMethod: 'PUT' };

describe('cross-origin requests', () => {
  it('answers a preflight of an allowed origin with everything that is allowed', () => {
    expect(decideCors(policy, preflight)).toEqual({
      kind: 'preflight',
      headers: [
        ['access-control-allow-origin', 'https://a.example'],
        ['access-control-allow-credentials', 'true'],
        ['access-control-expose-headers', 'x-e'],
        ['access-control-allow-methods', 'GET,PUT'],
        ['access-control-allow-headers', 'x-a'],
        ['access-control-max-age', '86400'],
      ],
    });
  });

  it('lets a request of an allowed origin pass and marks its answer', () => {
    const asked = { method: 'GET', origin: 'https://x.b.example', requestedMethod: undefined };
    expect(decideCors(policy, asked)).toEqual({
      kind: 'allow',
      headers: [
        ['access-control-allow-origin', 'https://x.b.example'],
        ['access-control-allow-credentials', 'true'],
        ['access-control-expose-headers', 'x-e'],
      ],
    });
  });

  it.each([
    ['no origin', { ...preflight, origin: undefined }],
    ['another origin', { ...preflight, method: 'GET', origin: 'https://no.example', requestedMethod: undefined }],
    ['a preflight of another origin', { ...preflight, origin: 'https://no.example' }],
  ])('has nothing to do with %s', (_name, asked) => {
    expect(decideCors(policy, asked)).toEqual({ kind: 'pass' });
  });

  it('takes OPTIONS without a requested method for an ordinary request', () => {
    expect(decideCors(policy, { ...preflight, requestedMethod: undefined }).kind).toBe('allow');
  });

  it('refuses a preflight of another origin when unmatched ones are not forwarded', () => {
    const strict = { ...policy, forwardUnmatchedPreflights: false };
    expect(decideCors(strict, { ...preflight, origin: 'https://no.example' })).toEqual({
      kind: 'preflight',
      headers: [],
    });
  });
});
