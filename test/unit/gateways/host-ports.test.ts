import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { candidatesFor, HostPorts } from '../../../core/control-plane/gateways/host-ports.ts';
import type { PortState } from '../../../core/control-plane/port-file.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ports-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const probe = (states: Record<number, PortState>) => async (port: number) => states[port] ?? 'free';
const own = { mayBind: false };

describe('ports of this machine for gateways', () => {
  it('are the Gateway’s own, else ones that are easy to remember', () => {
    expect(candidatesFor(80).slice(0, 3)).toEqual([80, 8080, 8081]);
    expect(candidatesFor(443).slice(0, 2)).toEqual([443, 8443]);
    expect(candidatesFor(15443).slice(0, 2)).toEqual([15443, 15444]);
    expect(candidatesFor(65535)).toEqual([65535]);
  });

  it('are passed over where they are taken, or not allowed to whoever listens', async () => {
    const ports = new HostPorts(null, probe({ 80: 'forbidden', 8080: 'taken', 443: 'taken' }));
    expect(await ports.choose('a', 80, own)).toBe(8081);
    expect(await ports.choose('b', 80, { mayBind: true })).toBe(80);
    expect(await ports.choose('a', 443, own)).toBe(8443);
    expect(await ports.choose('c', 443, { mayBind: true, except: new Set([8443, 8444]) })).toBe(8445);
  });

  it('belong to one gateway at a time, and stay its own over restarts', async () => {
    const file = join(dir, 'ports.json');
    const before = new HostPorts(file, probe({ 80: 'forbidden' }));
    expect(await before.choose('a', 80, own)).toBe(8080);
    expect(await before.choose('b', 80, own)).toBe(8081);
    const after = new HostPorts(file, probe({}));
    expect(await after.choose('b', 80, own)).toBe(8081);
    expect(await after.choose('a', 80, own)).toBe(8080);
  });

  it('run out with an error that says so', async () => {
    const ports = new HostPorts(null, async () => 'taken');
    await expect(ports.choose('a', 80, own)).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
