import { proxyCore, startPinned, untilListening } from '../machine/pinned-process.ts';
import type { RunningPeer } from './peer.ts';

export interface ProxyCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where it listens when it is ready. */
  readonly port: number;
}

/** Starts the processes of one peer on the proxy's core, the one that clients connect to last. */
export async function startProxies(commands: readonly ProxyCommand[]): Promise<RunningPeer> {
  const started: Awaited<ReturnType<typeof startPinned>>[] = [];
  const close = async () => {
    await Promise.all(started.map((each) => each.close()));
  };
  try {
    for (const { command, args, env = {}, port } of commands) {
      const one = await startPinned(proxyCore, command, args, env);
      started.push(one);
      await untilListening(port, one, command);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { port: commands.at(-1)?.port ?? 0, pids: started.map(({ pid }) => pid), close };
}
