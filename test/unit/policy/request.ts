import type { RequestView } from '../../../core/policy/request-view.ts';

/** A request for tests of routing; everything that is not given is the plainest there is. */
export function request(
  given: Partial<Omit<RequestView, 'header'>> & { headers?: Readonly<Record<string, string>> } = {},
): RequestView {
  const { headers = {}, ...rest } = given;
  return {
    method: 'GET',
    path: '/',
    query: '',
    host: 'payments',
    port: 80,
    scheme: 'http',
    ...rest,
    header: (name) => headers[name],
  };
}
