/**
 * Assembly of the desktop's page: styles, transport -> client -> store -> views. `app/` is the frame and knows every
 * feature; features know `state/`, `client/` and `ui/`, never each other: what one opens of another goes through navigation.
 */
import '@fontsource-variable/inter/index.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import './styles/tokens.css';
import './styles/base.css';
import '../ui/ui.css';
import './styles/frame.css';
import { createRoot } from 'react-dom/client';
import { createContractClient } from '../../core/contract/client.ts';
import type { Transport } from '../../core/contract/contract.ts';
import type { Platform } from '../client/transport.ts';
import { MeshProvider } from '../state/mesh-context.tsx';
import { createMeshFeed } from '../state/mesh-store.ts';
import { showToast } from '../state/toasts.ts';
import { restoreTheme } from '../ui/theme.ts';
import { App } from './app.tsx';
import { followAddress } from './follow-address.ts';

export function startApp(root: HTMLElement, transport: Transport, platform: Platform): { close(): void } {
  restoreTheme();
  const client = createContractClient(transport);
  const feed = createMeshFeed(client);
  const stopAddress = followAddress(window);
  const stopNotices = client.on('notice', ({ level, code, message }) => showToast(level, message, code));
  const react = createRoot(root);
  react.render(
    <MeshProvider access={{ client, feed, platform }}>
      <App />
    </MeshProvider>,
  );
  return {
    close() {
      react.unmount();
      stopNotices();
      stopAddress();
      feed.close();
    },
  };
}
