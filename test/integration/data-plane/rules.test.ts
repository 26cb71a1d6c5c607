/** The redirect rules in a network namespace of their own; needs Linux, root and iptables. */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const rules = fileURLToPath(new URL('../../../core/data-plane/image/rules.sh', import.meta.url));
const canRun =
  process.platform === 'linux' &&
  spawnSync('unshare', ['-n', 'sh', '-c', 'iptables-save -t nat && ip6tables-save -t nat']).status === 0;

/** Runs a script in a fresh namespace and gives its output by the marks `== name` in it. */
function inNamespace(script: string): Record<string, string> {
  const output = execFileSync(
    'unshare',
    ['-n', 'sh', '-ec', `rules=${rules}\nexport MESHDESK_RESOLV_CONF=/dev/null\n${script}`],
    { encoding: 'utf8' },
  );
  const parts = output.split(/^== (.*)\n/m);
  const sections: Record<string, string> = {};
  for (let at = 1; at < parts.length; at += 2) {
    sections[parts[at] ?? ''] = (parts[at + 1] ?? '').replace(/^#.*\n/gm, '');
  }
  return sections;
}

const dockerDns = (tool: string) => `
  ${tool} -t nat -N DOCKER_OUTPUT
  ${tool} -t nat -A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
  ${tool} -t nat -A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:40000`;

describe.skipIf(!canRun)('rules.sh', () => {
  it.each(['iptables-nft', 'iptables-legacy'])(
    'installs once, however often it is asked to, next to rules of %s',
    (tool) => {
      const save = `${tool}-save -t nat`;
      const seen = inNamespace(`${dockerDns(tool)}
      echo "== before"; ${save}
      sh $rules install; echo "== once"; ${save}
      sh $rules install; echo "== twice"; ${save}
      sh $rules remove; echo "== after"; ${save}
      sh $rules remove; echo "== again"; ${save}`);
      expect(seen.once).toContain('-A MESHDESK_OUTPUT -d 127.0.0.0/8 -j RETURN');
      expect(seen.once).toContain('-A MESHDESK_REDIRECT -p tcp -j REDIRECT --to-ports 15001');
      expect(seen.twice).toBe(seen.once);
      expect(seen.after).toBe(seen.before);
      expect(seen.again).toBe(seen.before);
      const output = (seen.once ?? '').split('\n').filter((line) => line.startsWith('-A OUTPUT'));
      expect(output.map((line) => line.split(' -j ')[1])).toEqual(['DOCKER_OUTPUT', 'MESHDESK_OUTPUT']);
    },
  );

  it.each(['iptables-nft', 'iptables-legacy'])(
    'brings questions to the resolvers of the application to the sidecar, before Docker sees them (%s)',
    (tool) => {
      const save = `${tool}-save -t nat`;
      const seen = inNamespace(`${dockerDns(tool)}
      file=$(mktemp)
      printf 'search example.com\nnameserver 127.0.0.11\nnameserver fd00::53\nnameserver fe80::1%%eth0\nnameserver dns.example\nnameserver 10.0.0.2' > $file
      export MESHDESK_RESOLV_CONF=$file
      echo "== before"; ${save}
      sh $rules install; sh $rules install; echo "== rules"; ${save}; echo "== raw"; ${tool}-save -t raw
      echo "== v6"; ip6tables-save -t nat
      printf 'nameserver 999.0.0.1' > $file
      sh $rules install 2>/dev/null; echo "== odd"; ${save}
      sh $rules remove; echo "== after"; ${save}; echo "== raw after"; ${tool}-save -t raw
      rm $file`);
      const output = (seen.rules ?? '').split('\n').filter((line) => line.startsWith('-A OUTPUT'));
      const targets = output.map((line) => line.split(' -j ')[1]);
      expect(targets).toEqual(['MESHDESK_DNS', 'MESHDESK_DNS', 'DOCKER_OUTPUT', 'MESHDESK_OUTPUT']);
      const captured = (seen.rules ?? '').split('\n').filter((line) => line.startsWith('-A MESHDESK_DNS'));
      expect(captured).toEqual([
        '-A MESHDESK_DNS -m owner --uid-owner 1337 -j RETURN',
        '-A MESHDESK_DNS -m owner --gid-owner 1337 -j RETURN',
        ...['127.0.0.11', '10.0.0.2'].flatMap((server) =>
          ['udp', 'tcp'].map((kind) => `-A MESHDESK_DNS -d ${server}/32 -p ${kind} -j REDIRECT --to-ports 15053`),
        ),
      ]);
      const captured6 = (seen.v6 ?? '').split('\n').filter((line) => line.includes('-j REDIRECT --to-ports 15053'));
      expect(captured6).toHaveLength(2);
      expect(seen.v6).toContain('-d fd00::53/128 -p udp');
      expect(seen.odd).not.toContain('MESHDESK_DNS -d');
      expect(seen.odd).toContain('-j MESHDESK_OUTPUT');
      expect(seen.after).toBe(seen.before);
      const tracked = (seen.raw ?? '').split('\n').filter((line) => line.startsWith('-A'));
      expect(tracked).toEqual([
        '-A OUTPUT -p udp -m udp --dport 53 -j MESHDESK_DNS',
        '-A MESHDESK_DNS -m owner --uid-owner 1337 -j RETURN',
        '-A MESHDESK_DNS -m owner --gid-owner 1337 -j RETURN',
        ...['127.0.0.11', '10.0.0.2'].map(
          (server) => `-A MESHDESK_DNS -d ${server}/32 -p udp -m udp --dport 53 -j CT --zone-orig 1337`,
        ),
      ]);
      expect(seen['raw after']).not.toContain('MESHDESK');
    },
  );

  it('covers IPv6 and shows what is installed', () => {
    const seen = inNamespace(`sh $rules install
      echo "== v6"; ip6tables-save -t nat
      echo "== show"; sh $rules show
      sh $rules remove; echo "== left"; sh $rules show; ip6tables-save -t nat`);
    expect(seen.v6).toContain('-A MESHDESK_OUTPUT -d ::1/128 -j RETURN');
    expect(seen.v6).toContain('-A MESHDESK_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006');
    expect(seen.show).toContain('MESHDESK_INBOUND');
    expect(seen.left).not.toContain('MESHDESK');
  });

  it('only ever takes the first packet of a connection, so that open ones are left alone', () => {
    const seen = inNamespace('sh $rules install; echo "== rules"; iptables-save -t nat');
    const jumps = (seen.rules ?? '').split('\n').filter((line) => /^-A (OUTPUT|PREROUTING)/.test(line));
    expect(jumps).toHaveLength(2);
    for (const jump of jumps) expect(jump).toContain('--tcp-flags FIN,SYN,RST,ACK SYN');
  });

  it('says how it is used', () => {
    const { status, stderr } = spawnSync('sh', [rules, 'destroy'], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain('install|remove|show');
  });
});
