import { describe, expect, it } from 'vitest';
import { isAppUrl, isLocalRequest, isTrustedSender } from '../../../electron/main/trust.ts';

const foreign = [
  'https://example.com/',
  'http://app/',
  'meshdesk://app.example.com/',
  'meshdesk://other/index.html',
  'meshdesk://user@app/',
  'file:///index.html',
  'about:blank',
  'app',
  '',
];

describe('whom the main process trusts', () => {
  it.each(['meshdesk://app/', 'meshdesk://app/index.html#/faults', 'meshdesk://app/assets/x.js?y'])(
    '%s is the page',
    (url) => {
      expect(isAppUrl(url)).toBe(true);
      expect(isTrustedSender({ url, parent: null })).toBe(true);
    },
  );

  it.each(foreign)('%j is not the page', (url) => {
    expect(isAppUrl(url)).toBe(false);
    expect(isTrustedSender({ url, parent: null })).toBe(false);
  });

  it('takes no request from a frame within the page, or from one that is gone', () => {
    expect(isTrustedSender({ url: 'meshdesk://app/index.html', parent: {} })).toBe(false);
    expect(isTrustedSender(null)).toBe(false);
  });

  it.each(['http://127.0.0.1/', 'https://example.com', 'ws://127.0.0.1:1/', 'file:///etc/passwd', 'ftp://x/'])(
    'lets no request out to %s',
    (url) => {
      expect(isLocalRequest(url)).toBe(false);
    },
  );

  it.each(['data:image/png;base64,AA==', 'blob:meshdesk://app/1', 'devtools://devtools/x.html'])(
    'lets %s stay in',
    (url) => {
      expect(isLocalRequest(url)).toBe(true);
    },
  );
});
