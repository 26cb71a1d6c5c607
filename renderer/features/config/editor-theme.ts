/** The editor in the product's tokens: it follows the theme like everything else. */
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

const colors = HighlightStyle.define([
  { tag: tags.definition(tags.propertyName), color: 'var(--accent-strong)' },
  { tag: [tags.string, tags.content], color: 'var(--ok)' },
  { tag: [tags.comment, tags.meta, tags.separator], color: 'var(--text-3)' },
  { tag: [tags.labelName, tags.typeName, tags.keyword], color: 'var(--warn)' },
]);

const look = EditorView.theme({
  '&': { height: '100%', color: 'var(--text-2)', backgroundColor: 'var(--surface)', fontSize: 'var(--text-sm)' },
  '&.cm-focused': { outline: 'none', boxShadow: 'inset 2px 0 0 var(--accent)' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: '1.6', fontVariantLigatures: 'none' },
  '.cm-content': { caretColor: 'var(--text)', padding: '8px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--text-3)', border: 'none' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 10px 0 6px', minWidth: '30px' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--hover) 55%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--accent) 32%, transparent)',
  },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': {
    backgroundColor: 'var(--accent-soft)',
    color: 'var(--text)',
    outline: '1px solid var(--line-strong)',
  },
  '.cm-foldPlaceholder': { background: 'var(--hover)', border: 'none', color: 'var(--text-2)', padding: '0 6px' },
  '.cm-tooltip': {
    background: 'var(--raised)',
    color: 'var(--text)',
    border: '1px solid var(--line-strong)',
    borderRadius: 'var(--radius-md)',
    boxShadow: 'var(--shadow)',
    fontFamily: 'var(--font-ui)',
    maxWidth: '460px',
  },
  '.cm-diagnostic': { padding: '6px 10px', borderLeftWidth: '3px', whiteSpace: 'normal' },
  '.cm-diagnostic b': { fontWeight: '600' },
  '.cm-diagnostic small': { display: 'block', color: 'var(--text-2)', fontSize: 'var(--text-sm)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--error)' },
  '.cm-diagnostic-warning': { borderLeftColor: 'var(--warn)' },
  '.cm-diagnostic-info': { borderLeftColor: 'var(--info)' },
  '.cm-field-help': { padding: '6px 10px' },
  '.cm-field-help b': { fontFamily: 'var(--font-mono)', fontWeight: '600' },
  '.cm-field-help span': { color: 'var(--text-3)', fontSize: 'var(--text-sm)' },
  '.cm-field-help p': { margin: '4px 0 0', color: 'var(--text-2)', whiteSpace: 'normal' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--font-mono)', maxHeight: '16em' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '2px 10px', lineHeight: '1.6' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    background: 'var(--accent-soft)',
    color: 'var(--text)',
  },
  '.cm-completionDetail': { color: 'var(--text-3)', fontStyle: 'normal' },
  '.cm-completionInfo': { padding: '6px 10px', fontFamily: 'var(--font-ui)', whiteSpace: 'normal' },
  '.cm-lintRange': { backgroundImage: 'none', textDecoration: 'underline wavy 1px', textUnderlineOffset: '3px' },
  '.cm-lintRange-error': { textDecorationColor: 'var(--error)' },
  '.cm-lintRange-warning': { textDecorationColor: 'var(--warn)' },
  '.cm-lintRange-info': { textDecorationColor: 'var(--info)' },
  '.cm-lint-marker': { width: '10px', height: '10px', marginTop: '5px', content: 'none' },
  '.cm-lint-marker-error': { background: 'var(--error)', borderRadius: '2px' },
  '.cm-lint-marker-warning': { background: 'var(--warn)', borderRadius: '2px', rotate: '45deg', scale: '0.8' },
  '.cm-lint-marker-info': { background: 'var(--info)', borderRadius: '50%', scale: '0.7' },
  '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--text)', fontFamily: 'var(--font-ui)' },
  '.cm-panels.cm-panels-bottom': { borderTop: '1px solid var(--line)' },
  '.cm-textfield': {
    background: 'var(--bg)',
    border: '1px solid var(--line-strong)',
    borderRadius: 'var(--radius-sm)',
  },
  '.cm-button': {
    background: 'var(--raised)',
    border: '1px solid var(--line-strong)',
    borderRadius: 'var(--radius-sm)',
  },
  '.cm-searchMatch': { backgroundColor: 'var(--warn-soft)', outline: '1px solid var(--warn)' },
  '.cm-searchMatch-selected': { backgroundColor: 'var(--accent-soft)' },
});

export const editorTheme = [look, syntaxHighlighting(colors)];
