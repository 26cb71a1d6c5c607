import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { ArrowDown, ArrowUp, Copy, X } from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { ContractClient } from '../../../core/contract/client.ts';
import { messageOf, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { closeTerminal, type Navigation, openTerminal } from '../../state/navigation.ts';
import { showToast } from '../../state/toasts.ts';
import { IconButton } from '../../ui/button.tsx';
import { SearchBox, Segmented } from '../../ui/controls.tsx';
import { onThemeChange, tokenColor } from '../../ui/theme.ts';

type TerminalOf = NonNullable<Navigation['terminal']>;

/** Logs or a shell of a workload or its sidecar, below the list. Its upper edge can be dragged or moved with arrow keys. */
export function TerminalPanel({ of }: { of: TerminalOf }) {
  const { client } = useAccess();
  const name = useMesh((data) => data.workloads.find(({ id }) => id === of.workload)?.name ?? of.workload);
  const host = useRef<HTMLDivElement>(null);
  const session = useRef<{ terminal: Terminal; search: SearchAddon } | null>(null);
  const [height, setHeight] = useState(280);
  const [query, setQuery] = useState('');

  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const opened = startTerminal(element, client, of);
    session.current = opened;
    return () => opened.close();
  }, [client, of]);

  const find = useCallback((text: string, back = false) => {
    const search = session.current?.search;
    if (text) back ? search?.findPrevious(text) : search?.findNext(text, { incremental: true });
    else search?.clearDecorations();
  }, []);

  const copy = () => {
    const terminal = session.current?.terminal;
    if (!terminal) return;
    if (!terminal.hasSelection()) terminal.selectAll();
    navigator.clipboard.writeText(terminal.getSelection()).then(
      () => showToast('ok', 'Terminal text copied'),
      () => showToast('error', 'The clipboard is not available'),
    );
  };

  return (
    <section className="terminal-panel" style={{ height }} aria-label={`${of.kind} of ${name}`}>
      <Divider height={height} onChange={setHeight} />
      <div className="terminal-bar">
        <b className="strong ellipsis">{name}</b>
        <Segmented
          label="Where"
          value={of.target}
          options={[
            { value: 'workload', label: 'workload' },
            { value: 'sidecar', label: 'sidecar' },
          ]}
          onChange={(target) => openTerminal({ ...of, target })}
        />
        <Segmented
          label="What"
          value={of.kind}
          options={[
            { value: 'logs', label: 'logs' },
            { value: 'shell', label: 'shell' },
          ]}
          onChange={(kind) => openTerminal({ ...of, kind })}
        />
        <span className="push" />
        <form
          className="inline"
          onSubmit={(event) => {
            event.preventDefault();
            find(query);
          }}
        >
          <SearchBox
            label="Search in the terminal"
            placeholder="Search"
            value={query}
            onChange={(text) => {
              setQuery(text);
              find(text);
            }}
          />
        </form>
        <IconButton label="Previous match" icon={ArrowUp} onClick={() => find(query, true)} />
        <IconButton label="Next match" icon={ArrowDown} onClick={() => find(query)} />
        <IconButton label="Copy selection, or everything" icon={Copy} onClick={copy} />
        <IconButton label="Close terminal" icon={X} onClick={closeTerminal} />
      </div>
      <div ref={host} className="terminal-host" />
    </section>
  );
}

function Divider({ height, onChange }: { height: number; onChange(height: number): void }) {
  const clamp = (value: number) => Math.max(120, Math.min(window.innerHeight - 220, value));
  return (
    // biome-ignore lint/a11y/useSemanticElements: an <hr> cannot be a focusable splitter
    <div
      className="terminal-divider"
      role="separator"
      aria-label="Height of the terminal"
      aria-orientation="horizontal"
      aria-valuenow={height}
      aria-valuemin={120}
      aria-valuemax={900}
      tabIndex={0}
      onKeyDown={({ key }) => {
        if (key === 'ArrowUp') onChange(clamp(height + 24));
        if (key === 'ArrowDown') onChange(clamp(height - 24));
      }}
      onPointerDown={(event) => {
        const from = event.clientY;
        const target = event.currentTarget;
        target.setPointerCapture(event.pointerId);
        target.onpointermove = (move) => onChange(clamp(height + from - move.clientY));
        target.onpointerup = () => {
          target.onpointermove = null;
        };
      }}
    />
  );
}

function startTerminal(element: HTMLElement, client: ContractClient, of: TerminalOf) {
  const terminal = new Terminal({
    fontFamily: '"JetBrains Mono Variable", monospace',
    fontSize: 12,
    lineHeight: 1.3,
    scrollback: 10_000,
    cursorBlink: of.kind === 'shell',
    disableStdin: of.kind === 'logs',
    convertEol: true,
    allowProposedApi: true,
    theme: terminalTheme(),
  });
  const fit = new FitAddon();
  const search = new SearchAddon();
  terminal.loadAddon(fit);
  terminal.loadAddon(search);
  terminal.loadAddon(new WebLinksAddon());
  terminal.open(element);
  fit.fit();
  const connection = connectTerminal(terminal, client, of);
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(element);
  const stopTheme = onThemeChange(() => {
    terminal.options.theme = terminalTheme();
  });
  if (of.kind === 'shell') terminal.focus();
  return {
    terminal,
    search,
    close() {
      observer.disconnect();
      stopTheme();
      connection.close();
      terminal.dispose();
    },
  };
}

/** Output that arrives before the id is known is held: events may overtake the answer of `terminal.open`. */
function connectTerminal(terminal: Terminal, client: ContractClient, of: TerminalOf) {
  let id: string | null = null;
  let closed = false;
  const early = new Map<string, string[]>();
  const warn = (error: unknown) => closed || terminal.writeln(`\r\n\x1b[31m${messageOf(error)}\x1b[0m`);
  const stops = [
    client.on('terminal.data', (event) => {
      if (id === null) early.set(event.id, [...(early.get(event.id) ?? []), event.data].slice(-500));
      else if (event.id === id) terminal.write(event.data);
    }),
    client.on('terminal.exit', (event) => {
      if (event.id === id)
        terminal.writeln(`\r\n\x1b[90mended${event.code === null ? '' : ` with code ${event.code}`}\x1b[0m`);
    }),
  ];
  client.call('terminal.open', { ...of, columns: terminal.cols, rows: terminal.rows }).then((opened) => {
    if (closed) return void client.call('terminal.close', { id: opened.id }).catch(warn);
    id = opened.id;
    for (const data of early.get(opened.id) ?? []) terminal.write(data);
    early.clear();
    return undefined;
  }, warn);
  // One call at a time: calls that run side by side can arrive in another order than the keys were pressed.
  let typed = '';
  let sending = false;
  const send = async () => {
    if (sending) return;
    sending = true;
    while (typed !== '' && id !== null) {
      const data = typed;
      typed = '';
      await client.call('terminal.input', { id, data }).catch(warn);
    }
    sending = false;
  };
  const input = terminal.onData((data) => {
    if (id === null) return;
    typed += data;
    void send();
  });
  const resize = terminal.onResize(
    ({ cols, rows }) => id !== null && void client.call('terminal.resize', { id, columns: cols, rows }).catch(warn),
  );
  return {
    close() {
      closed = true;
      for (const stop of stops) stop();
      input.dispose();
      resize.dispose();
      if (id !== null) client.call('terminal.close', { id }).catch(warn);
    },
  };
}

function terminalTheme() {
  const background = tokenColor('--surface');
  return {
    background,
    foreground: tokenColor('--text'),
    cursor: tokenColor('--accent'),
    cursorAccent: background,
    selectionBackground: tokenColor('--line-strong'),
    black: tokenColor('--text-3'),
    red: tokenColor('--error'),
    green: tokenColor('--ok'),
    yellow: tokenColor('--warn'),
    blue: tokenColor('--info'),
    magenta: tokenColor('--fault'),
    cyan: tokenColor('--accent'),
    white: tokenColor('--text'),
    brightBlack: tokenColor('--text-3'),
    brightRed: tokenColor('--error'),
    brightGreen: tokenColor('--ok'),
    brightYellow: tokenColor('--warn'),
    brightBlue: tokenColor('--info'),
    brightMagenta: tokenColor('--fault'),
    brightCyan: tokenColor('--accent-strong'),
    brightWhite: tokenColor('--text'),
  };
}
