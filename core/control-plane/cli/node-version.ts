/**
 * What to do about a Node that is too old; `null` when it will do.
 * @param version such as `20.19.1`
 * @param engines what the package asks for, `>=MAJOR.MINOR`
 */
export function nodeProblem(version: string, engines: string): string | null {
  const wanted = engines.replace('>=', '');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return null;
  return `Meshdesk needs Node ${wanted} or newer; this is Node ${version}. Install a newer one (https://nodejs.org) and try again.`;
}
