import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Relative base: the same build is served over http, from Electron's own scheme and from a file. */
export default defineConfig({
  base: './',
  plugins: [react()],
  resolve: { alias: { '@dev': fileURLToPath(new URL('../test/support/renderer-dev.tsx', import.meta.url)) } },
  server: { fs: { allow: ['..'] } },
  build: {
    target: 'chrome130',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2_000,
    modulePreload: { polyfill: false },
  },
});
