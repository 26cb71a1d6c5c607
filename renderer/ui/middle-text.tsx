/** Longer names than this are shortened. */
const shortEnough = 18;

/**
 * A name that is shortened in its middle where there is no room: names of one project or team begin alike and differ at
 * their end. Read and copied it is the whole name.
 */
export function MiddleText({ text }: { text: string }) {
  if (text.length <= shortEnough) return <span className="ellipsis">{text}</span>;
  const tail = text.slice(-tailLength(text));
  return (
    <span className="middle" title={text}>
      <span className="ellipsis">{text.slice(0, text.length - tail.length)}</span>
      <span>{tail}</span>
    </span>
  );
}

/** From a separator on where one is near, so that words stay whole. */
function tailLength(text: string): number {
  const end = text.slice(-12);
  const at = end.search(/[-_.:/]/);
  return at >= 0 && end.length - at >= 5 ? end.length - at : 9;
}
