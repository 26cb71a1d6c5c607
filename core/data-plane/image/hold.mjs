// Stops processes for as long as somebody says so, and lets them go whatever happens to that somebody:
//   node hold.mjs process PID LEASE_MS DURATION_MS|0         stops PID
//   node hold.mjs container PID LEASE_MS DURATION_MS|0 ID    stops all processes of the container ID, of which PID is one
//   node hold.mjs release PID - - ID                         only lets go what an earlier run has left stopped in it
// A line on standard input renews the lease. They go on when standard input ends, the lease or the duration is over, or on
// SIGTERM. Prints `held` once they are stopped. In a container it needs the host's process ids and the right to signal.
import { readdirSync, readFileSync } from 'node:fs';

const [mode, pidText, leaseText, durationText, id = ''] = process.argv.slice(2);
const root = Number(pidText);
const scanEveryMs = 250;

const read = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended
  }
};
/** Where the kernel keeps a process: unified hierarchy, else the one that counts processes. */
const groupOf = (pid) => {
  const lines = read(`/proc/${pid}/cgroup`).split('\n');
  const line = lines.find((one) => one.startsWith('0::/') && one !== '0::/') ?? lines.find((one) => /:pids:/.test(one));
  return line?.replace(/^[^/]*/, '') ?? '';
};
const isStopped = (pid) => /^State:\s+T/m.test(read(`/proc/${pid}/status`));
/** Up to the part that names the container: its first process may be in a group of its own below. */
const containerOf = (group) => {
  const parts = group.split('/');
  const last = id === '' ? -1 : parts.findIndex((part) => part.includes(id));
  return last < 0 ? group : parts.slice(0, last + 1).join('/');
};
const rootGroup = mode === 'process' ? '' : containerOf(groupOf(root));

function members() {
  if (mode === 'process') return [root];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const group = groupOf(pid);
      return group === rootGroup || group.startsWith(`${rootGroup}/`);
    });
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if (error.code === 'ESRCH') return false; // it has ended
    throw error;
  }
}

if (!(root > 0) || (mode !== 'process' && (rootGroup === '' || rootGroup === '/'))) {
  process.stderr.write(`hold: process ${pidText} is not here, or in no container of its own\n`);
  process.exit(2);
}

if (mode === 'release') {
  for (const pid of members()) if (isStopped(pid)) signal(pid, 'SIGCONT');
  process.exit(0);
}

const held = new Set();
/** New ones may have been started meanwhile; those that were stopped before are not ours. */
function stopAll() {
  for (const pid of members()) {
    if (held.has(pid) || isStopped(pid)) continue;
    held.add(pid);
    signal(pid, 'SIGSTOP');
  }
}

let isOver = false;
function letGo() {
  if (isOver) return;
  isOver = true;
  for (const pid of held) if (members().includes(pid)) signal(pid, 'SIGCONT');
  process.stdout.write('released\n', () => process.exit(0));
  setTimeout(() => process.exit(0), 1_000);
}

try {
  stopAll();
} catch (error) {
  letGo();
  process.stderr.write(`hold: ${error.message}\n`);
  process.exit(3);
}
let lease = setTimeout(letGo, Number(leaseText));
setInterval(stopAll, scanEveryMs);
if (Number(durationText) > 0) setTimeout(letGo, Number(durationText));
process.stdin.on('data', () => {
  clearTimeout(lease);
  lease = setTimeout(letGo, Number(leaseText));
});
for (const event of ['end', 'close', 'error']) process.stdin.on(event, letGo);
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, letGo);
process.stdout.on('error', () => undefined);
process.stdout.write('held\n');
