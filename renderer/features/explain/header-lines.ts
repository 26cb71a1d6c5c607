/** Lines of `name: value` as headers; empty lines count for nothing. The first line that is none is the problem. */
export function parseHeaderLines(text: string): {
  readonly headers: { name: string; value: string }[];
  readonly problem: string | null;
} {
  const headers: { name: string; value: string }[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const [, name, value] = /^\s*([^:\s]+):\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || value === undefined)
      return { headers, problem: `“${line.trim()}” is no header; write name: value` };
    headers.push({ name, value });
  }
  return { headers, problem: null };
}
