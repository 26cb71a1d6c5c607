/** The engine frames stdout and stderr of a container without a terminal: 8 bytes before each piece. */
export function deframe(framed: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= framed.length; ) {
    const length = framed.readUInt32BE(at + 4);
    text += framed.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}
