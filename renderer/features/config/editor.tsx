import { autocompletion, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from '@codemirror/language';
import { forceLinting, linter, lintGutter, lintKeymap } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { useEffect, useRef } from 'react';
import type { FindingView } from '../../../core/contract/config-shapes.ts';
import { checkText, toDiagnostics } from './editor-findings.ts';
import { completeYaml, fieldHover } from './editor-help.ts';
import { editorTheme } from './editor-theme.ts';

export interface EditorPlace {
  readonly line: number | null;
  readonly column: number;
}

export interface EditorProps {
  readonly path: string;
  readonly text: string;
  /** What the control plane says of the text as it is saved; `null` while it is not what is shown. */
  readonly known: readonly FindingView[] | null;
  /** Where to put the cursor; a new object goes there again. */
  readonly goTo: EditorPlace | null;
  onChange(text: string): void;
  /** Of this text by itself. */
  onFindings(text: string, findings: readonly FindingView[]): void;
}

const checkAfterMs = 250;
/** What can be undone by Ctrl/Cmd+Z, and the cursor, outlive a look at another file; so does whom a state calls back. */
const states = new Map<string, EditorState>();
const callbacks = new Map<string, { current: EditorProps }>();

/** Places that the cursor was put to: not again when the editor comes back. */
const visited = new WeakSet<EditorPlace>();

function callbacksOf(props: EditorProps): { current: EditorProps } {
  const known = callbacks.get(props.path) ?? { current: props };
  known.current = props;
  callbacks.set(props.path, known);
  return known;
}

/** A YAML editor with errors at their place, completion and words on each field. Tab indents; Escape, then Tab, leaves it. */
export default function Editor(props: EditorProps) {
  const { path, text, known, goTo } = props;
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = callbacksOf(props);

  // biome-ignore lint/correctness/useExhaustiveDependencies: one editor per path (its `key`); the rest is read through `latest`
  useEffect(() => {
    if (!host.current) return undefined;
    const state =
      states.get(path) ?? EditorState.create({ doc: latest.current.text, extensions: createExtensions(path, latest) });
    const editor = new EditorView({ state, parent: host.current });
    view.current = editor;
    return () => {
      states.set(path, editor.state);
      editor.destroy();
      view.current = null;
    };
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === text) return;
    editor.dispatch({ changes: changeBetween(editor.state.doc.toString(), text) });
  }, [text]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: what the control plane found is read through `latest`
  useEffect(() => {
    if (view.current) forceLinting(view.current);
  }, [known]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || !goTo || visited.has(goTo)) return;
    visited.add(goTo);
    const line = editor.state.doc.line(Math.min(Math.max(1, goTo.line ?? 1), editor.state.doc.lines));
    const anchor = Math.min(line.to, line.from + Math.max(0, goTo.column - 1));
    editor.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: 'center' }) });
    editor.focus();
  }, [goTo]);

  return <div className="config-editor" ref={host} />;
}

function createExtensions(path: string, latest: { readonly current: EditorProps }): Extension {
  return [
    lineNumbers(),
    foldGutter(),
    highlightSpecialChars(),
    history(),
    drawSelection(),
    indentOnInput(),
    bracketMatching(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    search({ top: false }),
    yaml(),
    autocompletion({ override: [completeYaml], icons: false }),
    fieldHover,
    indentUnit.of('  '),
    editorTheme,
    lintGutter(),
    linter(
      ({ state }) => {
        const text = state.doc.toString();
        const own = checkText(text, path);
        latest.current.onFindings(text, own);
        return toDiagnostics(latest.current.known ?? own, state.doc);
      },
      { delay: checkAfterMs },
    ),
    keymap.of([
      ...completionKeymap,
      ...lintKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...foldKeymap,
      ...defaultKeymap,
      indentWithTab,
    ]),
    EditorView.contentAttributes.of({
      'aria-label': `Text of ${path}`,
      'aria-description': 'Tab indents; press Escape and then Tab to leave the editor.',
    }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) latest.current.onChange(update.state.doc.toString());
    }),
  ];
}

/** The one stretch that differs: the cursor stays where it is outside of it. */
function changeBetween(before: string, after: string): { from: number; to: number; insert: string } {
  let from = 0;
  const most = Math.min(before.length, after.length);
  while (from < most && before[from] === after[from]) from += 1;
  let tail = 0;
  while (tail < most - from && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  return { from, to: before.length - tail, insert: after.slice(from, after.length - tail) };
}
