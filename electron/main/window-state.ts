/** Where the window was, remembered between runs; a place that no display shows any more is forgotten. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Logger } from '../../core/shared/logger.ts';

export const Rectangle = z.strictObject({ x: z.number(), y: z.number(), width: z.number(), height: z.number() });
export type Rectangle = z.infer<typeof Rectangle>;

const WindowState = z.strictObject({ version: z.literal(1), bounds: Rectangle, maximized: z.boolean() });
export type WindowState = z.infer<typeof WindowState>;

export const minimumSize = { width: 960, height: 620 };
const defaultSize = { width: 1320, height: 860 };
/** At least this much of the title bar has to be reachable. */
const reachablePx = 80;

const isReachable = (bounds: Rectangle, area: Rectangle) =>
  bounds.x + bounds.width - reachablePx >= area.x &&
  bounds.x + reachablePx <= area.x + area.width &&
  bounds.y >= area.y - 1 &&
  bounds.y + reachablePx <= area.y + area.height;

/** The bounds to open with: those remembered when a display still shows them, else the default size in its middle. */
export function placeWindow(
  remembered: WindowState | null,
  areas: readonly Rectangle[],
): { bounds: Partial<Rectangle>; maximized: boolean } {
  const first = areas[0];
  const fallback = {
    width: Math.min(defaultSize.width, first?.width ?? defaultSize.width),
    height: Math.min(defaultSize.height, first?.height ?? defaultSize.height),
  };
  if (remembered === null) return { bounds: fallback, maximized: false };
  const { bounds, maximized } = remembered;
  const area = areas.find((candidate) => isReachable(bounds, candidate));
  if (area === undefined) return { bounds: fallback, maximized };
  const width = Math.max(minimumSize.width, Math.min(bounds.width, area.width));
  const height = Math.max(minimumSize.height, Math.min(bounds.height, area.height));
  return { bounds: { x: bounds.x, y: bounds.y, width, height }, maximized };
}

export function readWindowState(file: string): WindowState | null {
  try {
    return WindowState.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // Missing, or of another version: the window opens at its default place.
    return null;
  }
}

export function writeWindowState(file: string, state: WindowState, log: Logger): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(state));
  } catch (error) {
    log.warn(`the window's place cannot be remembered: ${error instanceof Error ? error.message : error}`);
  }
}
