/** Entry of renderer/dev.html: the real UI on the fake control plane. `?scene=empty|detached|attached|large`. */
import { startApp } from '../../renderer/app/start-app.tsx';
import { FakeControlPlane } from './fake-control-plane.ts';

const scene = new URLSearchParams(window.location.search).get('scene');
const scenes = ['empty', 'detached', 'attached', 'large'] as const;
const fake = new FakeControlPlane({ scene: scenes.find((name) => name === scene) ?? 'attached' });
setInterval(() => fake.tick(), 1_000);
startApp(document.getElementById('root') ?? document.body, fake, { kind: 'browser' });
