import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The real Istio, found through the environment only:
 * - `MESHDESK_ISTIOCTL`: the program `istioctl`, or the folder it is in;
 * - `MESHDESK_ISTIO_RUNTIME`: a program that is called as `PROGRAM run DIR --http-proxy PORT --admin PORT --workload W`
 *   and runs istiod and one Envoy sidecar on the YAML files of DIR until it is interrupted.
 */
export function findIstioctl(): string | null {
  const given = process.env.MESHDESK_ISTIOCTL;
  if (given === undefined || given === '') return null;
  const inFolder = join(given, 'istioctl');
  return existsSync(inFolder) ? inFolder : given;
}

export function findIstioRuntime(): string | null {
  const given = process.env.MESHDESK_ISTIO_RUNTIME;
  return given === undefined || given === '' ? null : given;
}
