/** DNS messages, written and read by other code than the sidecar's. */

export interface QueryOptions {
  readonly id?: number;
  readonly type?: number;
  readonly udpBytes?: number | null;
}

export function toQuery(name: string, { id = 0x1234, type = 1, udpBytes = null }: QueryOptions = {}): Buffer {
  const head = Buffer.from([id >> 8, id & 0xff, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, udpBytes === null ? 0 : 1]);
  const labels = name === '' ? [] : name.split('.');
  const encoded = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]));
  const opt = udpBytes === null ? [] : [Buffer.from([0, 0, 41, udpBytes >> 8, udpBytes & 0xff, 0, 0, 0, 0, 0, 0])];
  return Buffer.concat([head, ...encoded, Buffer.from([0, type >> 8, type & 0xff, 0, 1]), ...opt]);
}

export interface ReadAnswer {
  readonly id: number;
  readonly code: number;
  readonly truncated: boolean;
  readonly authoritative: boolean;
  readonly name: string;
  readonly hasOpt: boolean;
  readonly records: readonly { readonly type: number; readonly ttlSeconds: number; readonly address: string }[];
}

/** Throws when the message is not what it says. */
export function readAnswer(message: Buffer): ReadAnswer {
  const labels: string[] = [];
  let at = 12;
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  at += 5;
  const records: { type: number; ttlSeconds: number; address: string }[] = [];
  for (let left = message.readUInt16BE(6); left > 0; left -= 1) {
    if (message.readUInt16BE(at) !== 0xc00c) throw new Error('the record is of another name');
    const bytes = message.subarray(at + 12, at + 12 + message.readUInt16BE(at + 10));
    records.push({
      type: message.readUInt16BE(at + 2),
      ttlSeconds: message.readUInt32BE(at + 6),
      address: bytes.length === 4 ? [...bytes].join('.') : bytes.toString('hex'),
    });
    at += 12 + bytes.length;
  }
  const hasOpt = message.readUInt16BE(10) === 1;
  if (hasOpt) at += 11;
  if (at !== message.length) throw new Error(`${message.length - at} bytes are left over`);
  const flags = message.readUInt16BE(2);
  if ((flags & 0x8000) === 0) throw new Error('no answer');
  return {
    id: message.readUInt16BE(0),
    code: flags & 15,
    truncated: (flags & 0x0200) !== 0,
    authoritative: (flags & 0x0400) !== 0,
    name: labels.join('.'),
    hasOpt,
    records,
  };
}
