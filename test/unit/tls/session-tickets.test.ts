import { describe, expect, it } from 'vitest';
import { SessionTickets, sessionLifetimeMs } from '../../../core/data-plane/tls/session-tickets.ts';

const peer = { host: '10.0.0.1', port: 80, spiffeId: 'spiffe://cluster.local/ns/shop/sa/orders', offers: ['a', 'b'] };
const far = 10 * sessionLifetimeMs;

describe('SessionTickets', () => {
  it('offers the newest ticket of a peer until a connection with it failed', () => {
    const tickets = new SessionTickets();
    tickets.keep(peer, Buffer.from('1'), far, 1, 0);
    tickets.keep(peer, Buffer.from('2'), far, 1, 0);
    expect([tickets.find(peer, 1, 1)?.toString(), tickets.find(peer, 1, 1)?.toString()]).toEqual(['2', '2']);
    tickets.forget(peer);
    expect(tickets.find(peer, 1, 1)).toBeNull();
  });

  it.each([
    ['address', { host: '10.0.0.2' }],
    ['port', { port: 81 }],
    ['identity', { spiffeId: 'spiffe://cluster.local/ns/shop/sa/web' }],
    ['offers', { offers: ['a'] }],
  ])('has none for another %s', (_, change) => {
    const tickets = new SessionTickets();
    tickets.keep(peer, Buffer.from('1'), far, 1, 0);
    expect(tickets.find({ ...peer, ...change }, 1, 1)).toBeNull();
    expect(tickets.find(peer, 1, 1)).not.toBeNull();
  });

  it('forgets all of an older generation, and takes none from it', () => {
    const tickets = new SessionTickets();
    tickets.keep(peer, Buffer.from('1'), far, 1, 0);
    expect(tickets.find(peer, 2, 1)).toBeNull();
    tickets.keep(peer, Buffer.from('late'), far, 1, 1);
    expect(tickets.find(peer, 2, 2)).toBeNull();
    expect(tickets.find(peer, 1, 2)).toBeNull();
  });

  it('ends a ticket with the certificate, or with its lifetime', () => {
    const tickets = new SessionTickets();
    tickets.keep(peer, Buffer.from('1'), 100, 1, 0);
    expect(tickets.find(peer, 1, 100)).toBeNull();
    tickets.keep(peer, Buffer.from('2'), far, 1, 0);
    expect(tickets.find(peer, 1, sessionLifetimeMs)).toBeNull();
  });

  it('keeps those of a bounded number of peers', () => {
    const tickets = new SessionTickets();
    for (let port = 0; port < 600; port += 1) tickets.keep({ ...peer, port }, Buffer.from('x'), far, 1, 0);
    expect(tickets.find({ ...peer, port: 0 }, 1, 1)).toBeNull();
    expect(tickets.find({ ...peer, port: 599 }, 1, 1)).not.toBeNull();
  });
});
