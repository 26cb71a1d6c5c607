/** The Huffman code of HPACK, RFC 7541 appendix B. Only decoded here: our own strings leave as they are (hpack-encoder.ts). */

/** Bits of the code of each octet, then of EOS. The code is canonical, so the lengths say everything. */
// biome-ignore format: sixteen octets a row
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const endOfString = 256;

/**
 * Four bits at a time: `steps[state * 16 + bits]` is the next state in the low 10 bits, then one flag each for "a symbol
 * ended here", "the text may end here" (what is left is at most seven one bits) and "no code", and the symbol.
 */
const emits = 1 << 10;
const mayEnd = 1 << 11;
const invalid = 1 << 12;
const symbolShift = 13;
let steps: Int32Array | null = null;

interface Node {
  readonly next: (Node | number)[];
  readonly state: number;
  /** Reached from the root by at most seven one bits. */
  readonly isPadding: boolean;
}

/** The code as a tree: a leaf is its symbol. Built on first use, so that a sidecar without HTTP/2 starts without it. */
function buildTree(): Node[] {
  const states: Node[] = [];
  const addNode = (isPadding: boolean): Node => {
    const node = { next: [], state: states.length, isPadding };
    states.push(node);
    return node;
  };
  const root = addNode(true);
  const symbols = lengths.map((_, symbol) => symbol);
  symbols.sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b);
  let code = 0;
  let bits = 0;
  for (const symbol of symbols) {
    const length = lengths[symbol] ?? 0;
    code *= 2 ** (length - bits);
    bits = length;
    let node = root;
    for (let at = length - 1; at > 0; at -= 1) {
      const bit = Math.floor(code / 2 ** at) % 2;
      const known = node.next[bit];
      const depth = length - at;
      const next = typeof known === 'object' ? known : addNode(bit === 1 && node.isPadding && depth <= 7);
      node.next[bit] = next;
      node = next;
    }
    node.next[code % 2] = symbol;
    code += 1;
  }
  return states;
}

function buildSteps(): Int32Array {
  const states = buildTree();
  const table = new Int32Array(states.length * 16);
  for (const from of states) {
    for (let nibble = 0; nibble < 16; nibble += 1) {
      let node = from;
      let step = 0;
      for (let at = 3; at >= 0; at -= 1) {
        const next = node.next[(nibble >> at) & 1];
        if (next === undefined || next === endOfString) {
          step |= invalid;
          break;
        }
        // No code is shorter than five bits: four bits end at most one.
        if (typeof next === 'number') step |= emits | (next << symbolShift);
        node = typeof next === 'number' ? (states[0] ?? from) : next;
      }
      table[from.state * 16 + nibble] = step | node.state | (node.isPadding ? mayEnd : 0);
    }
  }
  return table;
}

/**
 * Decodes `input[start, end)` into `output` from `at` on; returns the index after the last octet written, -1 for a text
 * that is not encoded as it must be, -2 when it would pass `limit`.
 */
export function decodeHuffman(
  input: Uint8Array,
  start: number,
  end: number,
  output: Uint8Array,
  at: number,
  limit: number,
): number {
  if (steps === null) steps = buildSteps();
  const table = steps;
  let state = 0;
  let step = mayEnd;
  let to = at;
  for (let from = start; from < end; from += 1) {
    const octet = input[from] ?? 0;
    step = table[state * 16 + (octet >> 4)] ?? 0;
    if ((step & (emits | invalid)) !== 0) {
      if ((step & invalid) !== 0) return -1;
      if (to >= limit) return -2;
      output[to] = step >> symbolShift;
      to += 1;
    }
    step = table[(step & 0x3ff) * 16 + (octet & 15)] ?? 0;
    if ((step & (emits | invalid)) !== 0) {
      if ((step & invalid) !== 0) return -1;
      if (to >= limit) return -2;
      output[to] = step >> symbolShift;
      to += 1;
    }
    state = step & 0x3ff;
  }
  return (step & mayEnd) !== 0 ? to : -1;
}
