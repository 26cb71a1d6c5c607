import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const path = join(tmpdir(), 'meshdesk-bench.lock');
const retryMs = 2_000;

/** Two benches on one machine would measure each other: waits until no other is in a measured case. Call the result to leave. */
export async function takeBenchLock(): Promise<() => void> {
  let told = false;
  while (!tryTake()) {
    const holder = readHolder();
    if (holder === null || !isAlive(holder)) {
      rmSync(path, { force: true });
      continue;
    }
    if (!told) console.log(`  waiting: another bench is measuring on this machine (process ${holder})`);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
  const leave = () => rmSync(path, { force: true });
  process.once('exit', leave);
  return () => {
    process.removeListener('exit', leave);
    leave();
  };
}

function tryTake(): boolean {
  try {
    const file = openSync(path, 'wx');
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(): number | null {
  try {
    const pid = Number(readFileSync(path, 'latin1'));
    return Number.isInteger(pid) && pid > 0 ? pid : process.pid;
  } catch {
    return null; // it has left meanwhile
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
