import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCsr } from '../../support/create-csr.ts';
import { TestCa } from '../../support/test-ca.ts';
import { spiffeIdOfName } from '../../support/test-sidecar.ts';

/** Files of the two ends of a pair, as sidecars have them: P-256 keys, one CA, a SPIFFE ID as only name. */
export interface IdentityFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** Certificate and key in one file. */
  readonly both: string;
}

export async function writeIdentities(dir: string): Promise<{ client: IdentityFiles; server: IdentityFiles }> {
  const ca = await TestCa.create();
  const caFile = join(dir, 'ca.pem');
  await writeFile(caFile, ca.rootPem);
  const write = async (name: string): Promise<IdentityFiles> => {
    const { csrPem, privateKeyPem } = await createCsr({ uri: spiffeIdOfName(name) });
    const certificatePem = await ca.sign(csrPem);
    const files = {
      ca: caFile,
      certificate: join(dir, `${name}.pem`),
      key: join(dir, `${name}.key`),
      both: join(dir, `${name}.both.pem`),
    };
    await writeFile(files.certificate, certificatePem);
    await writeFile(files.key, privateKeyPem);
    await writeFile(files.both, `${certificatePem.trim()}\n${privateKeyPem}`);
    return files;
  };
  return { client: await write('client'), server: await write('server') };
}
