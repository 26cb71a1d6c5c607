import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeAt } from '../../../core/model/yaml-cursor.ts';

/** The place at `|` in a text. */
function at(text: string) {
  const offset = text.indexOf('|');
  return placeAt(text.replace('|', ''), offset);
}

const head = 'apiVersion: networking.istio.io/v1\nkind: VirtualService\n';

describe('the place of the cursor in YAML', () => {
  it.each([
    ['the first line', 'ki|', [], 'key'],
    ['a key below another', `${head}spec:\n  ho|`, ['spec'], 'key'],
    ['an empty line, by its column', `${head}spec:\n  http:\n  - match: []\n    |`, ['spec', 'http', 0], 'key'],
    ['an empty line between', `${head}spec:\n  |\n  hosts: [a]\n`, ['spec'], 'key'],
    ['a list item', `${head}spec:\n  http:\n  - ma|`, ['spec', 'http', 0], 'key'],
    ['the second item', `${head}spec:\n  http:\n  - timeout: 1s\n  - ma|`, ['spec', 'http', 1], 'key'],
    ['a list further in than its key', `${head}spec:\n  http:\n    - name: a\n      ti|`, ['spec', 'http', 0], 'key'],
    [
      'an item in an item',
      `${head}spec:\n  http:\n  - match:\n    - uri:\n        ex|`,
      ['spec', 'http', 0, 'match', 0, 'uri'],
      'key',
    ],
    ['a key behind a list', `${head}spec:\n  http:\n  - name: a\n  ho|`, ['spec'], 'key'],
    ['a value', `${head}spec:\n  location: MESH|`, ['spec', 'location'], 'value'],
    ['a value that is not begun', `${head}spec:\n  http:\n  - timeout: |`, ['spec', 'http', 0, 'timeout'], 'value'],
    ['a scalar in a list', `${head}spec:\n  gateways:\n  - me|`, ['spec', 'gateways', 0], 'key'],
    [
      'a key behind a text of several lines',
      `${head}spec:\n  a: |-\n    b: c\n  ho|`.replace('|-', '>-'),
      ['spec'],
      'key',
    ],
  ])('knows %s', (_, text, path, where) => {
    expect(at(text)).toMatchObject({ path, at: where });
  });

  it('knows kind and version of its own document, wherever they stand', () => {
    const text = `${head}---\nspec:\n  host: a\n  tr|\nkind: DestinationRule\napiVersion: networking.istio.io/v1beta1\n---\nkind: Sidecar\n`;
    expect(at(text)).toMatchObject({ kind: 'DestinationRule', apiVersion: 'networking.istio.io/v1beta1' });
  });

  it('lists what the object has already, without the word at the cursor', () => {
    const place = at(`${head}spec:\n  http:\n  - timeout: 1s\n    re|\n    match: []\n  - rewrite: {}\n  hosts: []\n`);
    expect([...(place?.siblings ?? [])].sort()).toEqual(['match', 'timeout']);
    expect(place?.from).toBe(`${head}spec:\n  http:\n  - timeout: 1s\n    `.length);
  });

  it.each([
    ['a comment', `${head}# spec|`],
    ['flow style', `${head}spec: {ho|`],
    ['a text of several lines', `${head}spec:\n  body: >\n    some te|`],
    ['a separator', `${head}---|\n`],
  ])('has no answer in %s', (_, text) => {
    expect(at(text)).toBeNull();
  });

  it('never fails, whatever is written', () => {
    const piece = fc.constantFrom('a: ', '- ', '  ', '\n', 'b', ':', '#', '---', '"', '|', '{', 'kind: X\n');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), fc.nat(200), (pieces, offset) => {
        const text = pieces.join('');
        const place = placeAt(text, Math.min(offset, text.length));
        expect(place === null || place.from <= text.length).toBe(true);
      }),
    );
  });
});
