/**
 * How well a command fits what was typed, 0 (not at all) to 1: every word has to be in its name, a hint, or a keyword,
 * and the start of a word counts more than its middle, an early word more than a late one. Letters that are strewn over a
 * name are no match: Enter runs what stands first. Pure.
 */
export function matchCommand(name: string, search: string, keywords: readonly string[] = []): number {
  const wanted = search.trim().toLowerCase().split(/\s+/);
  const text = name.toLowerCase();
  const other = keywords.join(' ').toLowerCase();
  let sum = 0;
  for (const [place, word] of wanted.entries()) {
    const score = Math.max(place === 0 && text.startsWith(word) ? 1 : scoreIn(text, word), scoreIn(other, word) * 0.5);
    if (score === 0) return 0;
    sum += score;
  }
  return sum / wanted.length;
}

function scoreIn(text: string, word: string): number {
  if (word === '') return 1;
  const at = text.indexOf(word);
  if (at < 0) return 0;
  const startsWord = at === 0 || /[\s./:_→-]/.test(text[at - 1] ?? '');
  return (startsWord ? 0.9 : 0.4) - Math.min(at, 90) / 1_000;
}
