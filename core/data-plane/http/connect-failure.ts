import type { UpstreamError } from '../connection.ts';

const before = 'upstream connect error or disconnect/reset before headers. reset reason:';

/** What a client reads when no connection to the endpoint came about: Envoy's words, with our reason where Envoy has its own. */
export function connectFailureBody({ failure }: UpstreamError): string {
  if (failure.kind === 'timeout') return `${before} connection timeout`;
  return `${before} remote connection failure, transport failure reason: ${failure.message}`;
}
