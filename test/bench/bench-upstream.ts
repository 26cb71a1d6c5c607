/**
 * The application behind the proxies: answers `GET /{bytes}/{token}` over keep-alive HTTP/1.1 (see load/payload.ts) and does
 * as little else as possible. With the header that asks for it, one answer in a hundred is 503. Prints its port; ends when stdin does.
 */
import { createServer } from 'node:net';
import { createBody, failHeader, tokenLength } from './load/payload.ts';
import { type LinkOwner, RawLink } from './load/raw-link.ts';

interface Answer {
  readonly bytes: Buffer;
  readonly tokenAt: number;
}

const answers = new Map<number, Answer>();

function answerOf(sizeBytes: number): Answer {
  const known = answers.get(sizeBytes);
  if (known !== undefined) return known;
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${sizeBytes}\r\nX-Token: `;
  const bytes = Buffer.concat([
    Buffer.from(`${head}${'0'.repeat(tokenLength)}\r\n\r\n`, 'latin1'),
    createBody(sizeBytes),
  ]);
  const made = { bytes, tokenAt: head.length };
  answers.set(sizeBytes, made);
  return made;
}

const failure = Buffer.from('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
let asked = 0;

class Server implements LinkOwner {
  readonly link: RawLink;
  #waiting = '';

  constructor(socket: ConstructorParameters<typeof RawLink>[0]) {
    this.link = new RawLink(socket, this);
  }

  onBytes(bytes: Buffer, length: number): void {
    let text = this.#waiting + bytes.toString('latin1', 0, length);
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      const slash = text.indexOf('/', 5);
      if (this.#fails(text.slice(0, end))) {
        this.link.write(failure);
        text = text.slice(end + 4);
        continue;
      }
      const { bytes: answer, tokenAt } = answerOf(Number(text.slice(5, slash)));
      answer.write(text.slice(slash + 1, slash + 1 + tokenLength), tokenAt, 'latin1');
      this.link.write(answer);
      text = text.slice(end + 4);
    }
    this.#waiting = text;
  }

  /** One in a hundred of those that ask for it. */
  #fails(head: string): boolean {
    if (!head.includes(failHeader)) return false;
    asked += 1;
    return asked % 100 === 0;
  }

  onClose(): void {
    this.#waiting = '';
  }
}

const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => new Server(socket));
server.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 0), backlog: 4_096 }, () => {
  const address = server.address();
  if (address !== null && typeof address !== 'string') process.stdout.write(`${address.port}\n`);
});
process.stdin.resume().on('end', () => process.exit(0));
