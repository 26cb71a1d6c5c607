import { describe, expect, it } from 'vitest';
import { pauseAfter, UnseenCount } from '../../../core/data-plane/telemetry/unseen-connections.ts';

const own = { uid: 1337, outboundPort: 15_001, inboundPort: 15_006 };
const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
const app = '020012AC'; // 172.18.0.2
const other = '030012AC';
const row = (local: string, remote: string, uid: number, state = '01') =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 1 1\n`;
const v6 = (ip: string) => `0000000000000000FFFF0000${ip}`;

/** The count, which must not depend on how the tables are cut into pieces. */
function countUnseen(tables: readonly string[]): number {
  const counts = [1, 7, 150, 65_536].map((size) => {
    const unseen = new UnseenCount(own);
    for (const table of tables) {
      for (let at = 0; at < table.length; at += size) unseen.take(table.slice(at, at + size));
    }
    return unseen.count;
  });
  expect(new Set(counts).size).toBe(1);
  return counts[0] ?? -1;
}

describe('UnseenCount', () => {
  it('counts connections of the application that were open before, in both directions', () => {
    const table =
      header +
      row(`${app}:${hex(40_000)}`, `${other}:${hex(5432)}`, 0) +
      row(`${app}:${hex(80)}`, `${other}:${hex(50_000)}`, 0);
    expect(countUnseen([table])).toBe(2);
  });

  it('leaves out what passes the sidecar, loopback, and sockets that are not established', () => {
    const table =
      header +
      row('00000000:3A99', '00000000:0000', 1337, '0A') +
      // An outbound connection that is redirected: the application's row and the sidecar's rows.
      row(`${app}:${hex(40_000)}`, `${other}:${hex(80)}`, 0) +
      row(`${app}:${hex(40_002)}`, `${other}:${hex(80)}`, 1337) +
      // An inbound one: the sidecar's row, and both ends of its connection to the application.
      row(`${app}:3A9E`, `${other}:${hex(50_000)}`, 1337) +
      row(`${app}:${hex(41_000)}`, `${app}:${hex(80)}`, 1337) +
      row(`${app}:${hex(80)}`, `${app}:${hex(41_000)}`, 0) +
      row(`0100007F:${hex(42_000)}`, `0100007F:${hex(9000)}`, 0) +
      row(`${app}:${hex(43_000)}`, `${other}:${hex(80)}`, 0, '06');
    const table6 = header + row(`${v6('0100007F')}:3A99`, `${v6(app)}:${hex(40_000)}`, 1337);
    expect(countUnseen([table, table6])).toBe(0);
  });

  it('counts IPv6 and v4-mapped sockets too, without their loopback', () => {
    const far = '000080FE00000000000000000100000A';
    const here = '000080FE00000000000000000200000A';
    const loopback = '00000000000000000000000001000000';
    const table6 =
      header +
      row(`${here}:${hex(40_000)}`, `${far}:${hex(5432)}`, 0) +
      row(`${v6(app)}:${hex(80)}`, `${v6(other)}:${hex(50_000)}`, 0) +
      row(`${loopback}:${hex(80)}`, `${loopback}:${hex(50_000)}`, 0);
    expect(countUnseen([header, table6])).toBe(2);
  });
});

describe('pauseAfter', () => {
  it('reads small tables every time, and those of many connections seldom, but once a minute', () => {
    expect([0, 100_000, 150_000, 1_500_000, 1e9].map(pauseAfter)).toEqual([0, 0, 1, 11, 60]);
  });
});
