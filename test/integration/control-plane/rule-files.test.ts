import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RuleFiles } from '../../../core/control-plane/mesh/rule-files.ts';
import type { UpstreamTlsConfig } from '../../../core/model/traffic-config.ts';
import { eventually } from '../../support/eventually.ts';
import { emptyConfig, serviceOf } from '../../support/test-sidecar.ts';

let dir: string;
let files: RuleFiles;
let changes = 0;
const stored: Readonly<Record<string, string>> = {
  'secrets/known.crt': 'chain',
  'secrets/known.key': 'key',
  'secrets/known.ca.crt': 'ca',
  'configmap:shop/ca': 'roots',
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'rule-files-'));
  changes = 0;
  files = new RuleFiles({
    dir,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    stored: (name) => stored[name] ?? null,
    onChange: () => {
      changes += 1;
    },
  });
});

afterEach(async () => {
  files.close();
  await rm(dir, { recursive: true, force: true });
});

function complete(tls: Partial<UpstreamTlsConfig>) {
  const policy = { tls: { names: 'host' as const, ...tls } };
  const policies = [{ subset: null, port: null, policy }];
  return files.complete(emptyConfig('web', 1, { services: [{ ...serviceOf('orders', 80, []), policies }] })).files;
}

describe('files that destination rules name', () => {
  it('are those of the project’s folder, absolute paths below it', async () => {
    await mkdir(join(dir, 'etc/certs'), { recursive: true });
    await writeFile(join(dir, 'etc/certs/ca.pem'), 'roots');
    await writeFile(join(dir, 'client.pem'), 'client');
    expect(complete({ caFile: '/etc/certs/ca.pem', certificateFile: 'client.pem', keyFile: 'gone.pem' })).toEqual([
      { name: '/etc/certs/ca.pem', text: 'roots' },
      { name: 'client.pem', text: 'client' },
    ]);
  });

  it('are none that lie outside, by whatever way', async () => {
    await symlink('/etc/hostname', join(dir, 'link.pem'));
    expect(
      complete({ caFile: '../../../etc/hostname', certificateFile: 'link.pem', keyFile: '/../etc/hostname' }),
    ).toBe(undefined);
  });

  it('come from a Secret where a credential has no files', () => {
    expect(
      complete({ caFile: 'secrets/known.ca.crt', certificateFile: 'secrets/known.crt', keyFile: 'secrets/known.key' }),
    ).toEqual([
      { name: 'secrets/known.ca.crt', text: 'ca' },
      { name: 'secrets/known.crt', text: 'chain' },
      { name: 'secrets/known.key', text: 'key' },
    ]);
  });

  it('are the CAs of a ConfigMap where a policy names one', () => {
    expect(complete({ caFile: 'configmap:shop/ca' })).toEqual([{ name: 'configmap:shop/ca', text: 'roots' }]);
    expect(complete({ caFile: 'configmap:shop/other' })).toBeUndefined();
  });

  it('are read again when they change, and when they come', async () => {
    expect(complete({ caFile: 'ca.pem' })).toBeUndefined();
    await writeFile(join(dir, 'ca.pem'), 'one');
    await eventually('it is seen', () => changes > 0);
    expect(complete({ caFile: 'ca.pem' })).toEqual([{ name: 'ca.pem', text: 'one' }]);
  });

  it('leave a configuration as it is that names none', () => {
    const config = emptyConfig('web', 1);
    expect(files.complete(config)).toBe(config);
  });
});
