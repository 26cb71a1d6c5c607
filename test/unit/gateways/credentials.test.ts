import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Credentials } from '../../../core/control-plane/gateways/credentials.ts';
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
});
