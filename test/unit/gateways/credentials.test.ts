import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Credentials } from '../../../core/control-plane/credentials/credentials.ts';
import { RecordedLog } from '../../support/contract-fixture.ts';
import { createServingPair, type ServingPair } from '../../support/serving-certificates.ts';

let dir: string;
let pair: ServingPair;
let credentials: Credentials;
let log: RecordedLog;

beforeAll(async () => {
  pair = await createServingPair('shop.example.com');
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'credentials-'));
  log = new RecordedLog();
  credentials = new Credentials({ dir, log });
});
afterEach(async () => {
  credentials.close();
  await rm(dir, { recursive: true, force: true });
});

async function write(path: string, text: string): Promise<void> {
  await mkdir(join(dir, path, '..'), { recursive: true });
  await writeFile(join(dir, path), text);
}

const secret = (name: string, fields: Record<string, string>, namespace = 'istio-system') =>
  `apiVersion: v1\nkind: Secret\nmetadata: { name: ${name}, namespace: ${namespace} }\nstringData: ${JSON.stringify(fields)}\n`;

describe('credentials of a project', () => {
  it('are files of the folder secrets, with the clients’ CA beside them', async () => {
    await write('secrets/shop.crt', pair.server.chainPem);
    await write('secrets/shop.key', pair.server.keyPem);
    await write('secrets/shop.ca.crt', pair.caPem);
    await credentials.start();
    expect(credentials.find('istio-system/shop')).toEqual({ ...pair.server, clientCaPem: pair.caPem });
    expect(credentials.find('istio-system/other')).toBeNull();
  });

  it('have CAs in ConfigMaps, as they are', async () => {
    await write(
      'ca.yaml',
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ca, namespace: shop }\ndata: { ca.crt: ${JSON.stringify(pair.caPem)} }\n`,
    );
    await credentials.start();
    expect(credentials.findRoots('configmap:shop/ca')).toBe(pair.caPem);
    expect(credentials.findRoots('configmap:other/ca')).toBeNull();
    expect(credentials.find('shop/ca')).toBeNull();
    expect(credentials.findRoots('shop/ca')).toBeNull();
  });

  it('are Secrets, of the namespace that is named before any other, in both forms, with a CA of their own', async () => {
    const other = await createServingPair('other.example.com');
    const tls = ({ server }: ServingPair) => ({ 'tls.crt': server.chainPem, 'tls.key': server.keyPem });
    const documents = [
      secret('shop', tls(other), 'elsewhere'),
      secret('shop', tls(pair)),
      secret('generic', { cert: pair.server.chainPem, key: pair.server.keyPem }),
      secret('generic-cacert', { cacert: pair.caPem }),
    ];
    await write('k8s/secrets.yaml', documents.join('---\n'));
    await credentials.start();
    expect(credentials.find('istio-system/shop')).toEqual(pair.server);
    expect(credentials.find('third/shop')).toEqual(other.server);
    expect(credentials.find('istio-system/generic')).toEqual({ ...pair.server, clientCaPem: pair.caPem });
    expect(credentials.findRoots('istio-system/generic-cacert')).toBe(pair.caPem);
    expect(credentials.findRoots('istio-system/generic')).toBe(pair.caPem);
  });

  it('are not used when key and certificate do not fit, which is said without a word of them', async () => {
    const other = await createServingPair('other.example.com');
    await write('secrets/shop.crt', pair.server.chainPem);
    await write('secrets/shop.key', other.server.keyPem);
    await credentials.start();
    expect(credentials.find('istio-system/shop')).toBeNull();
    expect(JSON.stringify(log)).toContain('credential shop has a key that is not its certificate’s');
    expect(JSON.stringify(log)).not.toContain('PRIVATE KEY');
  });

  it('are told when they change, and read from files that a Gateway names, inside of the project only', async () => {
    await credentials.start();
    let changes = 0;
    credentials.onChange = () => {
      changes += 1;
    };
    await write('certs/a.crt', pair.server.chainPem);
    await write('certs/a.key', pair.server.keyPem);
    await credentials.include('files:/certs/a.crt|/certs/a.key|');
    expect(changes).toBe(1);
    expect(credentials.find('files:/certs/a.crt|/certs/a.key|')).toEqual(pair.server);
    await credentials.include('files:../../etc/hostname|/certs/a.key|');
    expect(credentials.find('files:../../etc/hostname|/certs/a.key|')).toBeNull();
  });

  it('stay what they were while what is there is broken or only half there, and are gone when it is gone', async () => {
    const next = await createServingPair('next.example.com');
    await write('secrets/shop.crt', pair.server.chainPem);
    await write('secrets/shop.key', pair.server.keyPem);
    await write('k8s.yaml', secret('api', { cert: pair.server.chainPem, key: pair.server.keyPem }));
    await credentials.start();
    const broken: [string, () => Promise<void>, RegExp][] = [
      ['shop', () => write('secrets/shop.crt', next.server.chainPem), /has a key that is not its certificate’s/],
      ['shop', () => rm(join(dir, 'secrets/shop.key')), /is not complete/],
      ['shop', () => write('secrets/shop.key', 'nonsense'), /cannot be read/],
      ['api', () => write('k8s.yaml', secret('api', { cert: pair.server.chainPem })), /is not complete/],
      ['api', () => write('k8s.yaml', secret('api', { cert: 'x', key: 'y' })), /cannot be read/],
    ];
    let changes = 0;
    credentials.onChange = () => {
      changes += 1;
    };
    for (const [name, harm, problem] of broken) {
      await harm();
      await credentials.look();
      expect(credentials.find(`istio-system/${name}`)).toEqual(pair.server);
      expect(credentials.problemOf(`istio-system/${name}`)).toMatch(problem);
    }
    // The watcher of the folder may have seen some of it before.
    expect(changes).toBeGreaterThan(0);
    await write('secrets/shop.crt', next.server.chainPem);
    await write('secrets/shop.key', next.server.keyPem);
    await rm(join(dir, 'k8s.yaml'));
    await credentials.look();
    expect(credentials.find('istio-system/shop')).toEqual(next.server);
    expect(credentials.problemOf('istio-system/shop')).toBeNull();
    expect(credentials.find('istio-system/api')).toBeNull();
    expect(credentials.problemOf('istio-system/api')).toBeNull();
  });

  it('stay while the file of their Secret is no YAML, as in the middle of an edit', async () => {
    const yaml = secret('api', { cert: pair.server.chainPem, key: pair.server.keyPem });
    await write('k8s.yaml', yaml);
    await credentials.start();
    await write('k8s.yaml', `${yaml}\n  - [broken`);
    await credentials.look();
    expect(credentials.find('istio-system/api')).toEqual(pair.server);
  });

  it('stand for the files that rules name, with CAs of Secrets that have nothing else', async () => {
    const fields = { cert: pair.server.chainPem, key: pair.server.keyPem, 'ca.crl': 'crl' };
    await write('k8s.yaml', `${secret('client', fields)}---\n${secret('roots', { 'ca.crt': pair.caPem }, 'shop')}`);
    await credentials.start();
    expect(credentials.textOf('secrets/client.crt')).toBe(pair.server.chainPem);
    expect(credentials.textOf('secrets/client.key')).toBe(pair.server.keyPem);
    expect(credentials.textOf('secrets/client.crl')).toBe('crl');
    expect(credentials.textOf('secrets/client.ca.crt')).toBeNull();
    expect(credentials.textOf('secrets/roots.ca.crt')).toBe(pair.caPem);
    expect(credentials.textOf('secrets/roots.key')).toBeNull();
    expect(credentials.textOf('certs/client.key')).toBeNull();
  });
});
