/** Entry of renderer/dev.html: the real UI on the fake control plane. `?scene=empty|detached|attached`. */
import { startApp } from '../../renderer/app/start-app.tsx';
import { FakeControlPlane } from './fake-control-plane.ts';

const scene = new URLSearchParams(window.location.search).get('scene');
const fake = new FakeControlPlane({ scene: scene === 'empty' || scene === 'detached' ? scene : 'attached' });
setInterval(() => fake.tick(), 1_000);
startApp(document.getElementById('root') ?? document.body, fake, { kind: 'browser' });
