import { useEffect, useRef } from 'react';
import { FirstStart } from '../features/first-start/first-start.tsx';
import { useMesh } from '../state/mesh-context.tsx';
import type { MeshData } from '../state/mesh-store.ts';
import { useNavigation } from '../state/navigation.ts';
import { ToastList } from '../ui/toast-list.tsx';
import { Banners } from './banners.tsx';
import { OpenDialogs } from './dialogs.tsx';
import { handleKey } from './keyboard.ts';
import { Palette } from './palette.tsx';
import { Rail } from './rail.tsx';
import { StatusBar } from './status-bar.tsx';
import { TitleBar } from './title-bar.tsx';
import { views } from './views.tsx';

/** Nothing runs, or the sample shop is on its way up and its graph is still empty. */
function isEmpty({ workloads, status, topology }: MeshData): boolean {
  return workloads.length === 0 || (status?.sample === 'starting' && (topology?.edges.length ?? 0) === 0);
}

export function App() {
  const view = useNavigation((state) => state.view);
  const loaded = useMesh((data) => data.loaded);
  const nothing = useMesh(isEmpty);
  const entry = views.find(({ name }) => name === view) ?? views[0];
  const Component = entry?.component;
  const main = useRef<HTMLElement>(null);

  useEffect(() => {
    window.addEventListener('keydown', handleKey);
    return () => window.removeEventListener('keydown', handleKey);
  }, []);
  useEffect(() => {
    document.title = `${entry?.label ?? ''} · Meshdesk`;
  }, [entry]);

  return (
    <div className="frame">
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        Skip to {entry?.label ?? 'the view'}
      </button>
      <TitleBar />
      <Rail />
      <main ref={main} tabIndex={-1} aria-label={entry?.label}>
        <Banners />
        <div className="view" style={{ flex: 1 }}>
          {!loaded || (nothing && view !== 'export' && view !== 'config') ? <FirstStart /> : Component && <Component />}
        </div>
      </main>
      <StatusBar />
      <Palette />
      <OpenDialogs />
      <ToastList />
    </div>
  );
}
