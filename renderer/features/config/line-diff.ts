/** What differs between two texts, line by line. Pure. */
export interface DiffLine {
  readonly kind: 'same' | 'added' | 'removed' | 'gap';
  readonly text: string;
  /** Line numbers from 1; `null` where the line is not there. */
  readonly before: number | null;
  readonly after: number | null;
}

/** More comparisons than this are not made; then everything counts as replaced. */
const mostComparisons = 4_000_000;

const linesOf = (text: string): string[] => {
  const lines = text.split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
};

/** Shortest edit by longest common subsequence, removed lines before added ones. */
export function diffLines(before: string, after: string): DiffLine[] {
  const [left, right] = [linesOf(before), linesOf(after)];
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head += 1;
  let tail = 0;
  const most = Math.min(left.length, right.length) - head;
  while (tail < most && left[left.length - 1 - tail] === right[right.length - 1 - tail]) tail += 1;
  const middle = diffMiddle(left.slice(head, left.length - tail), right.slice(head, right.length - tail));
  const steps: { kind: 'same' | 'added' | 'removed'; text: string }[] = [
    ...left.slice(0, head).map((text) => ({ kind: 'same' as const, text })),
    ...middle,
    ...left.slice(left.length - tail).map((text) => ({ kind: 'same' as const, text })),
  ];
  let [beforeLine, afterLine] = [0, 0];
  return steps.map(({ kind, text }) => {
    if (kind !== 'added') beforeLine += 1;
    if (kind !== 'removed') afterLine += 1;
    return {
      kind,
      text,
      before: kind === 'added' ? null : beforeLine,
      after: kind === 'removed' ? null : afterLine,
    };
  });
}

function diffMiddle(left: readonly string[], right: readonly string[]) {
  const removed = (text: string) => ({ kind: 'removed' as const, text });
  const added = (text: string) => ({ kind: 'added' as const, text });
  if (left.length * right.length > mostComparisons) return [...left.map(removed), ...right.map(added)];
  const width = right.length + 1;
  const common = new Uint32Array((left.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = left[i] === right[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const steps: { kind: 'same' | 'added' | 'removed'; text: string }[] = [];
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    const [a, b] = [left[i], right[j]];
    if (a !== undefined && a === b) {
      steps.push({ kind: 'same', text: a });
      i += 1;
      j += 1;
    } else if (a !== undefined && (b === undefined || at(i + 1, j) >= at(i, j + 1))) {
      steps.push(removed(a));
      i += 1;
    } else if (b !== undefined) {
      steps.push(added(b));
      j += 1;
    }
  }
  return steps;
}

/** Leaves out what is the same, but for `context` lines around each change; `gap` lines say how many. */
export function shortenDiff(lines: readonly DiffLine[], context = 3): DiffLine[] {
  const isNear = lines.map((_, index) =>
    lines.slice(Math.max(0, index - context), index + context + 1).some(({ kind }) => kind !== 'same'),
  );
  const shown: DiffLine[] = [];
  let hidden = 0;
  const close = () => {
    if (hidden > 0)
      shown.push({ kind: 'gap', text: `${hidden} line${hidden === 1 ? '' : 's'} the same`, before: null, after: null });
    hidden = 0;
  };
  for (const [index, line] of lines.entries()) {
    if (isNear[index]) {
      close();
      shown.push(line);
    } else hidden += 1;
  }
  close();
  return shown;
}
