/** Which port is for what, kept over restarts; and whether a port can be had. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { z } from 'zod';

const Stored = z.object({ formatVersion: z.literal(1), ports: z.record(z.string(), z.number().int()) });

export type PortState = 'free' | 'taken' | 'forbidden';

/** Whether this process could listen at `host`:`port`. */
export function probePort(port: number, host = '127.0.0.1'): Promise<PortState> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EACCES' ? 'forbidden' : 'taken'));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve('free')));
  });
}

/** What an earlier run wrote. A file that is not there or cannot be used is none: the numbers are only a convenience. */
export async function readPorts(file: string | null): Promise<ReadonlyMap<string, number>> {
  const text = file === null ? null : await readFile(file, 'utf8').catch(() => null);
  if (text === null) return new Map();
  try {
    return new Map(Object.entries(Stored.parse(JSON.parse(text)).ports));
  } catch {
    return new Map();
  }
}

/** Whole or not at all; `null`: nowhere. */
export async function writePorts(file: string | null, ports: ReadonlyMap<string, number>): Promise<void> {
  if (file === null) return;
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify({ formatVersion: 1, ports: Object.fromEntries(ports) })}\n`);
  await rename(temporary, file);
}
