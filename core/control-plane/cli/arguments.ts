/** Arguments of commands as values. What does not fit is a usage error (exit code 2). */
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../../model/duration.ts';

/** `400ms`, `30s`, `2m`, `1h`; a plain number is seconds. Milliseconds, whole. */
export function parseTime(text: string): number {
  const milliseconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1_000 : parseDuration(text);
  if (milliseconds === null || !Number.isFinite(milliseconds) || milliseconds < 0) {
    throw new InvalidArgumentError('write a time like 400ms, 30s, 5m or 1h');
  }
  return Math.round(milliseconds);
}

function parseNumber(text: string, low: number, high: number, what: string): number {
  const value = Number(text.replace(/%$/, ''));
  if (text === '' || !Number.isFinite(value) || value < low || value > high) {
    throw new InvalidArgumentError(`write ${what} between ${low} and ${high}`);
  }
  return value;
}

function whole(value: number): number {
  if (!Number.isInteger(value)) throw new InvalidArgumentError('write a whole number');
  return value;
}

export const parsePercent = (text: string) => parseNumber(text, 0, 100, 'a percentage');
export const parsePort = (text: string) => whole(parseNumber(text, 0, 65_535, 'a port'));
export const parseCount = (text: string) => whole(parseNumber(text, 0, Number.MAX_SAFE_INTEGER, 'a number'));

/** A whole number from 1 on. */
export const parseNumberUpTo = (high: number) => (text: string) => whole(parseNumber(text, 1, high, 'a number'));

/** `name:value`, as many as are given. */
export function parseHeader(
  text: string,
  before: readonly { name: string; value: string }[] = [],
): { name: string; value: string }[] {
  const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError(`'${text}': write NAME:VALUE, like x-user:alice`);
  return [...before, { name, value }];
}

/** `v1=90`. */
export function parseWeight(text: string): { subset: string; weight: number } {
  const [, subset, weight] = /^([^=\s]+)=(\d+)%?$/.exec(text) ?? [];
  if (subset === undefined || weight === undefined)
    throw new InvalidArgumentError(`'${text}': write VERSION=WEIGHT, like v1=90`);
  return { subset, weight: whole(parseNumber(weight, 0, 100, 'a weight')) };
}

/** `name=value:v2`; the value may hold colons, the version may not. */
export function parsePin(text: string): { name: string; value: string; subset: string } {
  const [, name, value, subset] = /^([^=\s]+)=(.*):([^:\s]+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined || subset === undefined) {
    throw new InvalidArgumentError(`'${text}': write NAME=VALUE:VERSION, like x-beta=1:v2`);
  }
  return { name: name.toLowerCase(), value, subset };
}

/** A combination of arguments that makes no sense; exit code 2. */
export function usage(message: string): never {
  throw new InvalidArgumentError(message);
}
