/** The smallest TLS ClientHello that says these things, in one record (RFC 8446, 4.1.2). */
export function clientHello({ alpn, serverName }: { alpn: readonly string[]; serverName: string }): Buffer {
  const u8 = (bytes: Buffer) => Buffer.concat([Buffer.of(bytes.length), bytes]);
  const u16 = (bytes: Buffer) => Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
  const extension = (type: number, data: Buffer) => Buffer.concat([Buffer.of(type >> 8, type & 0xff), u16(data)]);
  const names = u16(Buffer.concat([Buffer.of(0), u16(Buffer.from(serverName, 'latin1'))]));
  const protocols = u16(Buffer.concat(alpn.map((name) => u8(Buffer.from(name, 'latin1')))));
  const body = Buffer.concat([
    Buffer.of(3, 3),
    Buffer.alloc(32, 7),
    u8(Buffer.alloc(0)),
    u16(Buffer.of(0x13, 0x01)),
    u8(Buffer.of(0)),
    u16(Buffer.concat([extension(0, names), extension(16, protocols)])),
  ]);
  const message = Buffer.concat([Buffer.of(1, 0, body.length >> 8, body.length & 0xff), body]);
  return Buffer.concat([Buffer.of(22, 3, 1), u16(message)]);
}
