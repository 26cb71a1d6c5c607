import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findEngine } from '../../../core/control-plane/runtime/docker/engine-address.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'docker-config-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const find = (env: Record<string, string> = {}) => findEngine({ DOCKER_CONFIG: dir, ...env });

function writeContext(name: string, host: string, tls: Record<string, string> = {}): void {
  const digest = createHash('sha256').update(name).digest('hex');
  mkdirSync(join(dir, 'contexts/meta', digest), { recursive: true });
  writeFileSync(
    join(dir, 'contexts/meta', digest, 'meta.json'),
    JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }),
  );
  mkdirSync(join(dir, 'contexts/tls', digest, 'docker'), { recursive: true });
  for (const [file, text] of Object.entries(tls))
    writeFileSync(join(dir, 'contexts/tls', digest, 'docker', file), text);
}

describe('the container engine’s address', () => {
  it('is DOCKER_HOST before anything else', () => {
    writeContext('other', 'unix:///run/other.sock');
    expect(find({ DOCKER_HOST: 'unix:///run/mine.sock', DOCKER_CONTEXT: 'other' })).toEqual({
      options: { socketPath: '/run/mine.sock' },
      endpoint: 'unix:///run/mine.sock',
      problem: null,
      local: true,
    });
  });

  it('is plain on 2375 and TLS on 2376, with the certificates of DOCKER_CERT_PATH', () => {
    expect(find({ DOCKER_HOST: 'tcp://10.0.0.1' })).toMatchObject({
      options: { host: '10.0.0.1', port: 2375, protocol: 'http' },
      local: false,
    });
    for (const file of ['ca.pem', 'cert.pem', 'key.pem']) writeFileSync(join(dir, file), file);
    const secure = find({ DOCKER_HOST: 'tcp://10.0.0.1', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: dir });
    expect(secure.options).toEqual({
      host: '10.0.0.1',
      port: 2376,
      protocol: 'https',
      ca: Buffer.from('ca.pem'),
      cert: Buffer.from('cert.pem'),
      key: Buffer.from('key.pem'),
    });
  });

  it('is that of the current context, with its certificates', () => {
    writeContext('remote', 'tcp://engine.test:2376', { 'ca.pem': 'root' });
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ currentContext: 'remote' }));
    expect(find().options).toEqual({ host: 'engine.test', port: 2376, protocol: 'https', ca: Buffer.from('root') });
  });

  it('is that of DOCKER_CONTEXT before the current context', () => {
    writeContext('a', 'unix:///run/a.sock');
    writeContext('b', 'unix:///run/b.sock');
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ currentContext: 'a' }));
    expect(find({ DOCKER_CONTEXT: 'b' }).endpoint).toBe('unix:///run/b.sock');
  });

  it('is a pipe on Windows', () => {
    expect(find({ DOCKER_HOST: 'npipe:////./pipe/docker_engine' }).options).toEqual({
      socketPath: '\\\\.\\pipe\\docker_engine',
    });
  });

  it.each([
    ['a context that does not exist', { DOCKER_CONTEXT: 'nowhere' }, /'nowhere' does not exist/],
    ['SSH, with what to do instead', { DOCKER_HOST: 'ssh://me@there' }, /ssh -L/],
    ['an address of another kind', { DOCKER_HOST: 'gopher://there' }, /gopher/],
  ])('says what is wrong with %s', (_what, env, problem) => {
    const address = find(env);
    expect(address.options).toBeNull();
    expect(address.problem).toMatch(problem);
  });
});
