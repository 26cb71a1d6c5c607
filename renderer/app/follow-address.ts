import { navigate, useNavigation, type ViewName, viewNames } from '../state/navigation.ts';

const isView = (name: string): name is ViewName => (viewNames as readonly string[]).includes(name);

/** Keeps the view's name in the address (`#/faults`), so that reload, back and forward work. */
export function followAddress(window: Window): () => void {
  const read = () => {
    const name = window.location.hash.slice(2);
    if (isView(name) && name !== useNavigation.getState().view) navigate(name);
  };
  read();
  window.addEventListener('hashchange', read);
  const stop = useNavigation.subscribe(({ view }) => {
    if (window.location.hash !== `#/${view}`) window.location.hash = `/${view}`;
  });
  return () => {
    window.removeEventListener('hashchange', read);
    stop();
  };
}
