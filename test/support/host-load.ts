import { Agent, get } from 'node:http';

/** Calls `url` from this machine every `everyMs` over keep-alive connections until stopped; what failed is told at the end. */
export function startHostLoad(
  url: string,
  everyMs: number,
): { answers(): number; stop(): Promise<{ answers: number; failures: string[] }> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const failures: string[] = [];
  const running = new Set<Promise<void>>();
  let answers = 0;
  const call = (): Promise<void> =>
    new Promise((resolve) => {
      const fail = (why: string) => {
        failures.push(why);
        resolve();
      };
      get(url, { agent }, (response) => {
        response.resume();
        response.on('error', (error) => fail(error.message));
        response.on('end', () => {
          if (response.statusCode === 200) answers += 1;
          else failures.push(`status ${response.statusCode}`);
          resolve();
        });
      }).on('error', (error) => fail(error.message));
    });
  const timer = setInterval(() => {
    const one = call().finally(() => running.delete(one));
    running.add(one);
  }, everyMs);
  return {
    answers: () => answers,
    stop: async () => {
      clearInterval(timer);
      await Promise.all(running);
      agent.destroy();
      return { answers, failures };
    },
  };
}
