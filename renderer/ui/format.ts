/**
 * Figures as text. No figure without its unit; `null` is "no data", never a zero. Pure.
 */
export const noData = 'no data';

const finite = (value: number | null | undefined): value is number =>
  typeof value === 'number' && Number.isFinite(value);

/** Three significant digits at most: 0.42, 4.2, 42, 420. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  if (size >= 10) return trim(value.toFixed(1));
  return trim(value.toFixed(size >= 1 ? 1 : 2));
}

const trim = (text: string) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

/** `36 req/s`. */
export function formatRate(value: number | null | undefined): string {
  return finite(value) ? `${formatRateNumber(value)} req/s` : noData;
}

/** `36/s`, for tight places. */
export function formatRateShort(value: number | null | undefined): string {
  return finite(value) ? `${formatRateNumber(value)}/s` : noData;
}

function formatRateNumber(value: number): string {
  if (value >= 10_000) return `${formatNumber(value / 1000)}k`;
  return value >= 10 ? Math.round(value).toLocaleString('en-US') : formatNumber(value);
}

export function formatMs(value: number | null | undefined): string {
  if (!finite(value)) return noData;
  if (value >= 10_000) return `${formatNumber(value / 1000)} s`;
  return `${value >= 10 ? Math.round(value).toLocaleString('en-US') : formatNumber(value)} ms`;
}

export function formatPercent(value: number | null | undefined): string {
  if (!finite(value)) return noData;
  if (value > 99.9 && value < 100) return '> 99.9 %';
  return `${trim(value.toFixed(value >= 10 || value === 0 ? 1 : value < 0.1 ? 2 : 1))} %`;
}

export function formatBytes(value: number | null | undefined): string {
  if (!finite(value)) return noData;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = value;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(size) : formatNumber(size)} ${units[unit]}`;
}

export function formatBytesPerSecond(value: number | null | undefined): string {
  return finite(value) ? `${formatBytes(value)}/s` : noData;
}

/** `11 h 02 m`, `3 m 05 s`, `90 s`; negative spans read as 0 s. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  if (seconds >= 172_800) return `${Math.floor(seconds / 86_400)} d`;
  if (seconds >= 3_600) return `${Math.floor(seconds / 3_600)} h ${two(Math.floor((seconds % 3_600) / 60))} m`;
  if (seconds > 120) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  return `${seconds} s`;
}

/** `60 s`, `7 min`: how far back a chart or a figure goes. */
export function formatWindow(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}

/** `0:42`, `12:05`, for countdowns. */
export function formatCountdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** `21 Nov 01:12`, local time. */
export function formatDate(iso: string): string {
  const date = new Date(iso);
  const time = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  return `${date.getDate()} ${date.toLocaleString('en-GB', { month: 'short' })} ${time}`;
}

/** `4f1c920a` as `4F:1C:92:0A`; text that has colons already stays. */
export function formatFingerprint(hex: string): string {
  if (hex.includes(':')) return hex.toUpperCase();
  return (hex.match(/.{1,2}/g) ?? []).join(':').toUpperCase();
}

/** `name.namespace` without the namespace. */
export function serviceName(key: string): string {
  const dot = key.lastIndexOf('.');
  return dot > 0 ? key.slice(0, dot) : key;
}

/** `1 connection`, `3 connections`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}
