import { readFile } from 'node:fs/promises';

/**
 * When a process was started, in the kernel's own count: together with its number it is never another process. `null`:
 * there is none, or no such file (other systems than Linux).
 */
export async function startOfProcess(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // Behind the name, which may contain anything: the 22nd field of all.
    const [state, ...more] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Nobody has asked yet how it ended; in a container without an init nobody ever does.
    return state === 'Z' ? null : (more[18] ?? null);
  } catch {
    return null; // it has ended
  }
}
