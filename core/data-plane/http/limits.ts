/**
 * Times and sizes at every stage of HTTP, with where they come from. Deadlines of connections are looked at once a second,
 * so that they cost nothing per request; they may be up to a second late.
 */

/** A client that has begun a head must finish it within this time: 408. As nginx (`client_header_timeout`). */
export const headTimeoutMs = 60_000;
/** A client connection without a request is closed after this time. Envoy's and Istio's default for HTTP connections. */
export const idleClientMs = 3_600_000;
/** A client connection without a request for this long gives back the memory that requests need. */
export const quietClientMs = 1_000;
/**
 * A client that we wait for in the middle of its request's body: 408, or the end of the answer under way; flag `SI`. Envoy's
 * stream idle timeout; for responses and tunnels it stays off, as in Istio, so that long polls and streams live on.
 */
export const bodyStallMs = 300_000;
/** Bytes of further requests that are kept while one is being answered. */
export const maxPipelinedBytes = 64 * 1024;
/** A body up to this size is awaited before an answer of our own, so that the connection survives it ... */
export const smallBodyBytes = 64 * 1024;
/** ... for this long; after that the connection ends with the answer. */
export const maxHoldMs = 1_000;
/** A request's body up to this size can be sent a second time. */
export const maxReplayBytes = 64 * 1024;
/** An unfinished head is parsed again when a line has ended or it has grown by this much. */
export const reparseBytes = 4 * 1024;
/** Node's servers close idle connections after 5 s and say so only in some versions. */
export const defaultReuseMs = 4_000;
/** Between sidecars nobody closes early. */
export const meshReuseMs = 60_000;
export const maxReuseMs = 60_000;
/** A connection that the server will close soon is not worth keeping. */
export const keepAliveMarginMs = 1_000;
export const maxIdlePerEndpoint = 1_024;
/** Answers of 1xx before the final one; more are no answer but a flood. */
export const maxInterimAnswers = 64;
