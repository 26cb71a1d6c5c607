/** What the kernel knows of processes and cores (Linux /proc). Times are milliseconds. */
import { readFileSync } from 'node:fs';

/** USER_HZ: 100 on every architecture Node runs on. */
const tickMs = 10;

/** User and system time of a process; 0 when it is gone. */
export const cpuMsOf = (pid: number): number => readTimes(pid, [11, 12]);

/** The same with its children that have ended. */
export const cpuMsWithChildrenOf = (pid: number): number => readTimes(pid, [11, 12, 13, 14]);

/** `fields` of /proc/PID/stat, counted from the one after the name. */
function readTimes(pid: number, fields: readonly number[]): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const values = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields.reduce((total, field) => total + Number(values[field]) * tickMs, 0);
  } catch {
    return 0; // ended
  }
}

/** Time that all cores were busy or stolen by the host, since the machine started. */
export function busyMs(): number {
  const [cpu = ''] = readFileSync('/proc/stat', 'latin1').split('\n');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = cpu
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softIrq + steal) * tickMs;
}

/** Resident memory in bytes; 0 when the process is gone. */
export function rssBytesOf(pid: number): number {
  try {
    const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return Number(kb ?? 0) * 1_024;
  } catch {
    return 0; // ended
  }
}
