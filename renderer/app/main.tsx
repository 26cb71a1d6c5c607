import { chooseTransport } from '../client/transport.ts';
import { startApp } from './start-app.tsx';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
const { transport, platform } = chooseTransport(window);
startApp(root, transport, platform);
