/** Whether this engine can carry a mesh, and what to do where it can not. */
import type Docker from 'dockerode';
import type { DoctorCheck, EngineStatus } from '../../../contract/shapes.ts';
import { engineMessage } from './engine-error.ts';
import { listOwn, type OwnContainer } from './own-containers.ts';
import { runRules } from './run-rules.ts';

const oldestApi = 1.41; // Docker Engine 20.10
const maxClockSkewMs = 2_000;

export interface DoctorInput {
  readonly status: EngineStatus;
  readonly docker: Docker | null;
  readonly owner: string;
  /** Tag of the image, made when it is missing. */
  readonly image: () => Promise<string>;
}

type Check = (docker: Docker, input: DoctorInput) => Promise<DoctorCheck[]>;

const ok = (name: string, message: string): DoctorCheck => ({ name, status: 'ok', message, fix: null });
const bad = (name: string, status: 'warn' | 'fail', message: string, fix: string): DoctorCheck => ({
  name,
  status,
  message,
  fix,
});

const checkVersion: Check = async (docker) => {
  const { Version: version, ApiVersion: api } = await docker.version();
  if (Number.parseFloat(api) >= oldestApi) return [ok('engine version', `${version} (API ${api})`)];
  return [
    bad(
      'engine version',
      'warn',
      `${version} (API ${api}) is older than what was tested.`,
      'Use Docker Engine 20.10 or newer.',
    ),
  ];
};

const checkClock: Check = async (docker) => {
  const before = Date.now();
  const info = (await docker.info()) as { SystemTime?: string };
  const engineMs = Date.parse(info.SystemTime ?? '');
  if (Number.isNaN(engineMs))
    return [{ name: 'clock', status: 'skipped', message: 'The engine does not tell its time.', fix: null }];
  const skewMs = Math.round(engineMs - (before + Date.now()) / 2);
  if (Math.abs(skewMs) <= maxClockSkewMs) return [ok('clock', `the engine's clock differs by ${Math.abs(skewMs)} ms`)];
  return [
    bad(
      'clock',
      'warn',
      `The engine's clock differs by ${skewMs} ms, which can make certificates look expired.`,
      "Restart the engine's virtual machine, or synchronise its clock.",
    ),
  ];
};

/** Installs the rules in an empty namespace of our own: proves nat, REDIRECT and the owner match on this kernel. */
const checkRules: Check = async (docker, { image, owner }) => {
  let tag: string;
  try {
    tag = await image();
  } catch (error) {
    return [
      bad(
        'sidecar image',
        'fail',
        engineMessage(error),
        'Set MESHDESK_BASE_IMAGE to an image with Node and iptables that your engine has or can pull.',
      ),
    ];
  }
  const found = ok('sidecar image', tag);
  try {
    const printed = await runRules(docker, 'install', {
      image: tag,
      networkMode: 'none',
      purpose: { owner, role: 'check', workloadId: 'doctor', incarnation: 'doctor' },
      name: 'an empty namespace',
    });
    const hasNoV6 = /IPv6/.test(printed);
    return [
      found,
      ok('kernel: nat (IPv4)', 'redirect rules can be installed'),
      hasNoV6
        ? bad(
            'kernel: nat (IPv6)',
            'warn',
            printed,
            'Load ip6table_nat on the engine host if your containers use IPv6.',
          )
        : ok('kernel: nat (IPv6)', 'redirect rules can be installed'),
    ];
  } catch (error) {
    return [
      found,
      bad('kernel: nat (IPv4)', 'fail', engineMessage(error), 'Load iptable_nat and xt_REDIRECT on the engine host.'),
    ];
  }
};

const checkLeftOvers: Check = async (docker) => {
  const own = await listOwn(docker);
  const targets = new Set((await docker.listContainers()).map(({ Id }) => Id));
  const isInUse = ({ role, workloadId }: OwnContainer) =>
    role === 'sidecar' ? targets.has(workloadId) : role === 'gateway' || role === 'relay' || role === 'hold';
  const lost = own.filter((container) => !container.running || !isInUse(container));
  if (lost.length === 0)
    return [ok('left-overs', own.length === 0 ? 'none' : `none; ${own.length} containers of ours in use`)];
  return [
    bad(
      'left-overs',
      'warn',
      `${lost.length} containers of ours serve nobody: ${lost.map(({ name }) => name).join(', ')}.`,
      'Run `meshdesk cleanup`.',
    ),
  ];
};

const checks: readonly (readonly [string, Check])[] = [
  ['engine version', checkVersion],
  ['clock', checkClock],
  ['sidecar image', checkRules],
  ['left-overs', checkLeftOvers],
];

export async function examineEngine(input: DoctorInput): Promise<DoctorCheck[]> {
  const { docker, status } = input;
  if (docker === null) {
    const why = status.message ?? 'it does not answer';
    return [bad('engine', 'fail', `No container engine: ${why}.`, 'Start Docker, or set DOCKER_HOST to its socket.')];
  }
  const results = [ok('engine', `${status.name ?? 'engine'} at ${status.endpoint ?? 'its default address'}`)];
  for (const [name, check] of checks) {
    try {
      results.push(...(await check(docker, input)));
    } catch (error) {
      results.push(bad(name, 'fail', engineMessage(error), 'Look at the log of the engine.'));
    }
  }
  return results;
}
