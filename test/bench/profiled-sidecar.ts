/**
 * The shipped sidecar with a CPU profile around it, for `--profile`: starts as the sidecar does and, when it ends, writes
 * profiles/sidecar-PID.cpuprofile next to this program (Chrome's developer tools open it).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.setSamplingInterval', { interval: 500 });
session.post('Profiler.start');

process.once('exit', () => {
  session.post('Profiler.stop', (error, stopped) => {
    if (error !== null) return;
    mkdirSync(join(here, 'profiles'), { recursive: true });
    writeFileSync(join(here, 'profiles', `sidecar-${process.pid}.cpuprofile`), JSON.stringify(stopped.profile));
  });
});

await import(pathToFileURL(join(here, '..', '..', 'dist', 'sidecar', 'sidecar.mjs')).href);
