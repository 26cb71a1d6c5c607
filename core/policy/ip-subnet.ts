/** Whether an address lies in a block (`10.0.0.0/8`, `fd00::/8`) or is the address itself. Other families never match. */
export function isInSubnet(address: string, subnet: string): boolean {
  const slash = subnet.indexOf('/');
  const base = toBits(slash === -1 ? subnet : subnet.slice(0, slash));
  const asked = toBits(address);
  if (base === null || asked === null || base.length !== asked.length) return false;
  const length = slash === -1 ? base.length : Number(subnet.slice(slash + 1));
  return base.slice(0, length) === asked.slice(0, length);
}

/** `null` for what is no address. An IPv4 address in IPv6 form (`::ffff:10.0.0.1`) is the IPv4 address. */
function toBits(address: string): string | null {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  const text = mapped?.[1] ?? address;
  if (!text.includes(':')) {
    const octets = text.split('.').map(Number);
    if (octets.length !== 4 || octets.some((octet) => !(octet >= 0 && octet <= 255))) return null;
    return octets.map((octet) => octet.toString(2).padStart(8, '0')).join('');
  }
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const before = groups(head);
  const after = groups(tail ?? '');
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const all = [...before, ...Array.from({ length: missing }, () => '0'), ...after];
  if (all.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return null;
  return all.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('');
}
