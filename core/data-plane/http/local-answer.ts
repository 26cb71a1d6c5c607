/** Answers that the mesh gives by itself. They carry `server: meshdesk` and, with a flag, `x-mesh-error`. */

const reasonPhrases: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  417: 'Expectation Failed',
  418: "I'm a teapot",
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

export interface AnswerOptions {
  readonly status: number;
  /** Envoy's response flag; '' for none. */
  readonly flag: string;
  /** One octet per character. */
  readonly body: string;
  /** More lines; lower-case names. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
  readonly connection: 'close' | 'keep-alive' | null;
  /** The request was HEAD: Content-Length as usual, no body. */
  readonly headOnly: boolean;
}

export function writeAnswer({ status, flag, body, headers = [], connection, headOnly }: AnswerOptions): Buffer {
  const bodiless = status === 204 || status === 304;
  let head = `HTTP/1.1 ${status} ${reasonPhrases[status] ?? 'Status'}\r\nserver: meshdesk\r\n`;
  if (flag !== '') head += `x-mesh-error: ${flag}\r\n`;
  if (status === 405) head += 'allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n';
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
  if (!bodiless && body !== '' && !headers.some(([name]) => name === 'content-type')) {
    head += 'content-type: text/plain; charset=utf-8\r\n';
  }
  if (!bodiless) head += `content-length: ${body.length}\r\n`;
  if (connection !== null) head += `connection: ${connection}\r\n`;
  return Buffer.from(`${head}\r\n${bodiless || headOnly ? '' : body}`, 'latin1');
}

/** To a request that cannot be understood; the connection ends with it. */
export function writeRefusal(status: number, flag: string, reason: string): Buffer {
  return writeAnswer({ status, flag, body: `the request has ${reason}\n`, connection: 'close', headOnly: false });
}
