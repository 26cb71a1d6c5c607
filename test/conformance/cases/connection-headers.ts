import { forwarded, get, normalised, post, type RequestCase, refused } from './case.ts';

const hop = 'RFC 9110 7.6.1';
const upgradeRule = 'RFC 9110 7.8';
const expectRule = 'RFC 9110 10.1.1';
const none = { fields: [] };

/** Hop-by-hop headers end here, whatever they carry. */
const hopByHop: readonly RequestCase[] = [
  normalised('Keep-Alive', hop, get('Keep-Alive: timeout=5\r\n'), none),
  normalised('Proxy-Connection', 'RFC 9112 C.2.2', get('Proxy-Connection: keep-alive\r\n'), none),
  normalised('TE without trailers', 'RFC 9110 10.1.4', get('TE: gzip\r\n'), { te: null, fields: [] }),
  normalised('TE: trailers', 'RFC 9110 10.1.4', get('Connection: TE\r\nTE: trailers\r\n'), {
    te: 'trailers',
    fields: [],
  }),
  normalised('TE: trailers among others', 'RFC 9110 10.1.4', get('TE: gzip;q=0.5, trailers\r\n'), {
    te: 'trailers',
    fields: [],
  }),
  normalised('a nominated header', hop, get('Connection: X-A\r\nX-A: 1\r\nX-B: 2\r\n'), { fields: [['x-b', '2']] }),
  normalised('a header nominated behind it', hop, get('X-A: 1\r\nConnection: x-a\r\n'), none),
  normalised('two nominated headers', hop, get('X-A: 1\r\nConnection: x-a, x-b\r\nX-B: 1\r\n'), none),
  normalised('two Connection headers', hop, get('X-A: 1\r\nConnection: x-a\r\nConnection: x-b\r\nX-B: 1\r\n'), none),
  normalised('every line of a nominated name', hop, get('X-A: 1\r\nConnection: x-a\r\nX-A: 2\r\n'), none),
  normalised('empty options', hop, get('Connection: , ,x-a,,\r\nX-A: 1\r\n'), none),
  normalised('an empty Connection', hop, get('Connection:\r\nX-A: 1\r\n'), { fields: [['x-a', '1']] }),
  normalised('a nominated header that is not there', hop, get('Connection: x-nowhere\r\n'), none),
  normalised('a nominated Host is kept', hop, get('Connection: host\r\n'), { host: 'orders' }),
  normalised('a nominated Connection', hop, get('Connection: connection, x-a\r\nX-A: 1\r\n'), none),
  normalised(
    'nominated end-to-end headers go, as the rule says',
    hop,
    get('Connection: cookie\r\nCookie: a=b\r\n'),
    none,
  ),
  normalised('Connection: close, nominated with others', hop, get('Connection: close, x-a\r\nX-A: 1\r\n'), none),
  normalised(
    'a nominated Expect still counts',
    hop,
    post('Connection: expect\r\nExpect: 100-continue\r\nContent-Length: 1\r\n', 'a'),
  ),
  forwarded('Connection: keep-alive', 'RFC 9112 9.3', get('Connection: keep-alive\r\n')),
  forwarded('Connection: close', 'RFC 9112 9.6', get('Connection: close\r\n')),
  forwarded('Connection: CLOSE', 'RFC 9112 9.6', get('Connection: CLOSE\r\n')),
  forwarded('close in the second Connection', 'RFC 9112 9.6', get('Connection: x\r\nConnection: close\r\n')),
  forwarded('close beside keep-alive: close wins', 'RFC 9112 9.3', get('Connection: keep-alive, close\r\n')),
  forwarded('what only begins like close', 'RFC 9112 9.6', get('Connection: closed\r\n')),
  forwarded('Via and Forwarded go on', 'RFC 9110 7.6.3', get('Via: 1.1 a\r\nForwarded: for=a\r\nMax-Forwards: 3\r\n')),
  forwarded('Proxy-Authorization goes on', 'RFC 9110 11.7.2', get('Proxy-Authorization: Basic eDp5\r\n')),
  forwarded('Trailer goes on', 'RFC 9110 6.6.2', get('Trailer: X-T\r\n')),
  forwarded('HTTP2-Settings alone goes on', 'RFC 7540 3.2.1', get('HTTP2-Settings: AAMAAABkAARAAAAA\r\n')),
];

const settings = 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n';
const noUpgrade = { upgrade: null, fields: [] };

/** An upgrade is offered to the upstream only when Connection nominates it; the upstream of these cases declines. */
const upgrades: readonly RequestCase[] = [
  forwarded('an upgrade to WebSocket', upgradeRule, get('Connection: Upgrade\r\nUpgrade: websocket\r\n')),
  forwarded(
    'an upgrade among other options',
    upgradeRule,
    get('Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n'),
  ),
  forwarded('an upgrade to something unknown', upgradeRule, get('Connection: upgrade\r\nUpgrade: foo/2\r\n')),
  forwarded(
    'an upgrade with a body',
    upgradeRule,
    post('Connection: upgrade\r\nUpgrade: foo\r\nContent-Length: 2\r\n', 'ab'),
  ),
  forwarded(
    'a declined upgrade leaves the connection HTTP',
    upgradeRule,
    `${get('Connection: Upgrade\r\nUpgrade: websocket\r\n')}${get('', '/next')}`,
  ),
  normalised('Upgrade without Connection', upgradeRule, get('Upgrade: websocket\r\n'), noUpgrade),
  normalised('Connection: upgrade without Upgrade', upgradeRule, get('Connection: upgrade\r\n'), noUpgrade),
  normalised(
    'h2c',
    'RFC 9113 3.1',
    get(`Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n${settings}`),
    noUpgrade,
  ),
  normalised(
    'h2c in upper case',
    'RFC 9113 3.1',
    get(`Connection: Upgrade, HTTP2-Settings\r\nUpgrade: H2C\r\n${settings}`),
    noUpgrade,
  ),
  normalised('h2c in a list', 'RFC 9113 3.1', get('Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n'), noUpgrade),
  normalised(
    'h2c in a list without blanks',
    'RFC 9113 3.1',
    get('Connection: Upgrade\r\nUpgrade: foo,h2c,bar\r\n'),
    noUpgrade,
  ),
  normalised('h2c without its settings', 'RFC 9113 3.1', get('Connection: Upgrade\r\nUpgrade: h2c\r\n'), noUpgrade),
  normalised('h2c that Connection does not name', 'RFC 9113 3.1', get('Upgrade: h2c\r\n'), noUpgrade),
  refused('two Upgrade headers', upgradeRule, get('Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n')),
  refused(
    'two Upgrade headers, h2c first',
    upgradeRule,
    get('Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n'),
  ),
  refused('two Upgrade headers of one value', upgradeRule, get('Connection: upgrade\r\nUpgrade: a\r\nUpgrade: a\r\n')),
];

const expects: readonly RequestCase[] = [
  forwarded('Expect: 100-continue', expectRule, post('Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello')),
  forwarded('Expect: 100-CONTINUE', expectRule, post('Expect: 100-CONTINUE\r\nContent-Length: 5\r\n', 'hello')),
  forwarded(
    'Expect with chunks',
    expectRule,
    post('Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n', '2\r\nab\r\n0\r\n\r\n'),
  ),
  forwarded('Expect without a body', expectRule, get('Expect: 100-continue\r\n')),
  normalised(
    'Expect in HTTP/1.0 is nobody’s',
    expectRule,
    'POST / HTTP/1.0\r\nHost: orders\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab',
    { fields: [] },
  ),
  refused('another expectation', expectRule, post('Expect: 200-ok\r\nContent-Length: 0\r\n'), 417),
  refused('100-continue with a parameter', expectRule, post('Expect: 100-continue;a\r\nContent-Length: 0\r\n'), 417),
  refused('100-continue in a list', expectRule, post('Expect: 100-continue, x\r\nContent-Length: 0\r\n'), 417),
  refused('100-continue disguised', expectRule, post('Expect: y 100-continue\r\nContent-Length: 0\r\n'), 417),
  refused('an empty Expect', expectRule, post('Expect:\r\nContent-Length: 0\r\n'), 417),
  refused(
    'a second Expect that is another',
    expectRule,
    post('Expect: 100-continue\r\nExpect: x\r\nContent-Length: 0\r\n'),
    417,
  ),
  refused('an expectation with a smuggled body', expectRule, post('Expect: x\r\nContent-Length: 4\r\n', 'GET '), 417),
];

export const connectionHeaders: readonly RequestCase[] = [...hopByHop, ...upgrades, ...expects];
