import { expect, test } from 'vitest';
import { editHead } from '../../../core/data-plane/http/edit-head.ts';
import { createHttpCodec } from '../../../core/data-plane/http/head-parser.ts';

function edited(text: string, droppedLines: readonly number[]): string {
  const codec = createHttpCodec();
  const bytes = Buffer.from(text, 'latin1');
  expect(codec.parseRequest(bytes, 0, bytes.length)).toBe('complete');
  for (const index of droppedLines) codec.request.dropped[index] = 1;
  const operations = [{ remove: [], set: [['x-new', '1']] as [string, string][], add: [] }];
  return editHead(bytes, codec.request, operations, (value) => value).toString('latin1');
}

test('a line that does not go on does not come back with the change of another', () => {
  // As HTTP/2 leaves them: cookies one by one and joined.
  const cookies = 'cookie: a=1\r\ncookie: b=2\r\ncookie: a=1; b=2\r\n';
  expect(edited(`GET / HTTP/1.1\r\nhost: h\r\n${cookies}\r\n`, [1, 2])).toBe(
    'GET / HTTP/1.1\r\nhost: h\r\ncookie: a=1; b=2\r\nx-new: 1\r\n\r\n',
  );
});

test('what says how the connection goes on stays to be read again', () => {
  const text = 'GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\nte: trailers\r\n';
  expect(edited(`${text}\r\n`, [])).toBe(`${text}x-new: 1\r\n\r\n`);
});
