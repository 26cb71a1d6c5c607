const notices = {
  'no-session': {
    title: 'This page needs the address that Meshdesk printed',
    text: 'Open the address with <code>?token=</code> that <code>meshdesk serve</code> (or <code>npm start</code>) printed. It lets one browser in.',
  },
  'token-used': {
    title: 'This address was used already',
    text: 'Each address lets one browser in, once. If that was this browser, go on at <a href="/">the start page</a>; otherwise ask for a new address:',
  },
  'not-found': {
    title: 'There is nothing here',
    text: 'Go to <a href="/">the start page</a>. If that is missing too, build the UI with <code>npm run build</code>.',
  },
} as const;

/** A page for people who did not get in, that says what to do. No scripts, no outside content. */
export function toNoticePage(kind: keyof typeof notices): string {
  const { title, text } = notices[kind];
  const command = kind === 'token-used' || kind === 'no-session' ? '<pre>npm run meshdesk -- address</pre>' : '';
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Meshdesk</title>
<meta name="color-scheme" content="dark light">
<style>
  body { font: 15px/1.6 system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; margin: 0 1.5rem }
  main { max-width: 34rem }
  h1 { font-size: 1.25rem }
  code, pre { font: 13px ui-monospace, monospace }
</style>
<main>
  <h1>${title}</h1>
  <p>${text}</p>
  ${command}
</main>
</html>
`;
}
