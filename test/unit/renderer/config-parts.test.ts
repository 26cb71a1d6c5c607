import { Text } from '@codemirror/state';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ConfigFile, FindingView } from '../../../core/contract/config-shapes.ts';
import { parseResources } from '../../../core/model/parse-resources.ts';
import {
  dropDraft,
  editDraft,
  keepDrafts,
  rebaseDraft,
  setDraftFindings,
  useDrafts,
} from '../../../renderer/features/config/drafts.ts';
import { countFindings, mergeDrafts, sortFindings } from '../../../renderer/features/config/edited-files.ts';
import { checkText, toDiagnostics } from '../../../renderer/features/config/editor-findings.ts';
import { buildTree, newPathProblem } from '../../../renderer/features/config/file-tree.ts';
import { diffLines, shortenDiff } from '../../../renderer/features/config/line-diff.ts';
import { templates } from '../../../renderer/features/config/templates.ts';

const finding = (severity: FindingView['severity'], line: number | null = 1, file = 'a.yaml'): FindingView => ({
  code: 'INVALID',
  number: 'MD0103',
  severity,
  file,
  line,
  column: 3,
  message: 'wrong',
  hint: 'do',
});
const file = (path: string, text: string, findings: FindingView[] = []): ConfigFile => ({
  path,
  text,
  findings,
  resources: [],
  isBehind: false,
  appliedText: null,
});
const draftsOf = () => useDrafts.getState().drafts;

beforeEach(() => useDrafts.setState({ drafts: {} }));

describe('drafts of a project', () => {
  function memory(): Storage {
    const kept = new Map<string, string>();
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
      clear: () => kept.clear(),
      key: (index) => [...kept.keys()][index] ?? null,
      get length() {
        return kept.size;
      },
    };
  }
  const never = () => expect.unreachable();

  it('are there again when the window was closed, and not in another project', () => {
    const storage = memory();
    const end = keepDrafts('/shop', storage, never);
    editDraft('a.yaml', 'changed', 'saved');
    end();
    useDrafts.setState({ drafts: {} });
    keepDrafts('/other', storage, never)();
    expect(draftsOf()).toEqual({});
    keepDrafts('/shop', storage, never)();
    expect(draftsOf()).toMatchObject({ 'a.yaml': { text: 'changed', base: 'saved' } });
  });

  it('are gone once they are saved', () => {
    const storage = memory();
    const end = keepDrafts('/shop', storage, never);
    editDraft('a.yaml', 'changed', 'saved');
    rebaseDraft('a.yaml', 'changed');
    end();
    expect(storage.length).toBe(0);
  });

  it('that nobody can read are left out', () => {
    const storage = memory();
    storage.setItem('meshdesk.drafts:/shop', '{"a.yaml": 3');
    keepDrafts('/shop', storage, never)();
    expect(draftsOf()).toEqual({});
  });

  it('that do not fit are told', () => {
    let told = 0;
    const full = {
      ...memory(),
      getItem: () => null,
      setItem: () => {
        throw new DOMException('full', 'QuotaExceededError');
      },
    };
    const end = keepDrafts('/shop', full, () => {
      told += 1;
    });
    editDraft('a.yaml', 'changed', 'saved');
    end();
    expect(told).toBe(1);
    expect(draftsOf()).toMatchObject({ 'a.yaml': { text: 'changed' } });
  });
});

describe('drafts', () => {
  it('begin with the first change and end when the text is as it was', () => {
    editDraft('a', 'old', 'old');
    expect(draftsOf()).toEqual({});
    editDraft('a', 'new', 'old');
    expect(draftsOf()).toEqual({ a: { text: 'new', base: 'old', findings: null } });
    editDraft('a', 'old', 'old');
    expect(draftsOf()).toEqual({});
  });

  it('keep what they began with when the file changes on disk: that is a conflict', () => {
    editDraft('a', 'mine', 'old');
    editDraft('a', 'mine too', 'theirs');
    expect(draftsOf()['a']).toMatchObject({ text: 'mine too', base: 'old' });
    expect(mergeDrafts([file('a', 'theirs')], draftsOf())).toMatchObject([
      { text: 'mine too', saved: 'theirs', isUnsaved: true, isConflicting: true },
    ]);
    expect(mergeDrafts([], draftsOf())).toMatchObject([{ saved: null, isUnsaved: true, isConflicting: true }]);
    expect(mergeDrafts([file('a', 'mine too')], draftsOf())).toMatchObject([
      { isUnsaved: false, isConflicting: false },
    ]);
  });

  it('go on from what was saved when more was typed meanwhile', () => {
    editDraft('a', 'one', 'old');
    editDraft('a', 'one two', 'old');
    rebaseDraft('a', 'one');
    expect(draftsOf()['a']).toMatchObject({ text: 'one two', base: 'one' });
    rebaseDraft('a', 'one two');
    expect(draftsOf()).toEqual({});
    dropDraft('a');
    expect(draftsOf()).toEqual({});
  });

  it('have the findings of their own text only', () => {
    editDraft('a', 'new', 'old');
    setDraftFindings('a', 'newer', [finding('error')]);
    expect(draftsOf()['a']?.findings).toBeNull();
    setDraftFindings('a', 'new', [finding('error')]);
    expect(mergeDrafts([file('a', 'old')], draftsOf())[0]?.findings).toHaveLength(1);
    setDraftFindings('b', 'new', []);
    expect(Object.keys(draftsOf())).toEqual(['a']);
  });

  it('of a new file stand among the others by path', () => {
    editDraft('b.yaml', 'x', null);
    const paths = mergeDrafts([file('a.yaml', ''), file('c.yaml', '')], draftsOf()).map(({ path }) => path);
    expect(paths).toEqual(['a.yaml', 'b.yaml', 'c.yaml']);
  });
});

describe('findings', () => {
  it('are sorted errors first, then by place, and counted', () => {
    const all = [
      finding('info'),
      finding('warning', 9),
      finding('error', 7),
      finding('error', 2),
      finding('warning', 1, 'b'),
    ];
    expect(sortFindings(all).map(({ severity, line }) => `${severity} ${line}`)).toEqual([
      'error 2',
      'error 7',
      'warning 9',
      'warning 1',
      'info 1',
    ]);
    expect(countFindings(all)).toBe('2 errors, 2 warnings');
    expect(countFindings([finding('info')])).toBe('');
  });

  it('are marked under the word at their place, also when the text has become shorter', () => {
    const doc = Text.of(['kind: X', '  rout: 3']);
    const marks = toDiagnostics([finding('error', 2), finding('warning', 99), finding('info', null)], doc);
    expect(marks).toMatchObject([
      { from: 10, to: 14, severity: 'error', message: 'MD0103 wrong. do' },
      { from: 10, to: 14, severity: 'warning' },
    ]);
    expect(toDiagnostics([finding('error', 1)], Text.of(['']))).toMatchObject([{ from: 0, to: 0 }]);
  });

  it('of a text are those that the control plane would tell', () => {
    const text = 'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: x}\nspec: {hosst: a}\n';
    expect(checkText(text, 'x.yaml')).toContainEqual(
      expect.objectContaining({ number: 'MD0104', file: 'x.yaml', line: 4 }),
    );
  });
});

describe('the tree', () => {
  it('has folders before files, numbers in their order', () => {
    const tree = buildTree(['z.yaml', 'a/10.yaml', 'a/9.yaml', 'a/b/c.yaml'].map((path) => ({ path })));
    expect(tree.folders.map(({ path }) => path)).toEqual(['a']);
    expect(tree.files.map(({ name }) => name)).toEqual(['z.yaml']);
    expect(tree.folders[0]?.files.map(({ name }) => name)).toEqual(['9.yaml', '10.yaml']);
    expect(tree.folders[0]?.folders[0]).toMatchObject({ name: 'b', path: 'a/b', files: [{ name: 'c.yaml' }] });
  });

  it.each([
    ['traffic/new.yaml', null],
    ['x.yml', null],
    ['', 'A file needs a name.'],
    ['x.txt', 'The name must end in .yaml or .yml.'],
    ['../x.yaml', 'Use plain names with "/" between folders.'],
    ['a//x.yaml', 'Use plain names with "/" between folders.'],
    ['a/b/c/d/x.yaml', 'At most three folders deep.'],
    ['taken.yaml', 'There is such a file already.'],
  ])('takes %j as a new name, or says why not', (path, problem) => {
    expect(newPathProblem(path, ['taken.yaml'])).toBe(problem);
  });

  it.each(templates.map(({ kind, text }) => [kind, text]))('begins a %s that is valid', (kind, text) => {
    const { resources, findings } = parseResources(text, null);
    expect(resources.map((resource) => resource.kind)).toEqual([kind]);
    expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
  });
});

describe('a diff', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 });
  it('leads from one text to the other', () => {
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const [left, right] = [`${before.join('\n')}\n`, `${after.join('\n')}\n`];
        const diff = diffLines(left, right);
        const side = (skip: string) => diff.filter(({ kind }) => kind !== skip).map(({ text }) => text);
        expect(`${side('added').join('\n')}\n`).toBe(left);
        expect(`${side('removed').join('\n')}\n`).toBe(right);
      }),
    );
  });

  it('numbers the lines of both sides and keeps what is common', () => {
    expect(diffLines('a\nb\nc\n', 'a\nx\nc\n').map(({ kind, before, after }) => [kind, before, after])).toEqual([
      ['same', 1, 1],
      ['removed', 2, null],
      ['added', null, 2],
      ['same', 3, 3],
    ]);
  });

  it('leaves out what is far from a change', () => {
    const text = Array.from({ length: 20 }, (_, line) => `${line}`);
    const shown = shortenDiff(diffLines(text.join('\n'), text.with(10, 'x').join('\n')), 1);
    expect(shown.map(({ kind, text: line }) => `${kind} ${line}`)).toEqual([
      'gap 9 lines the same',
      'same 9',
      'removed 10',
      'added x',
      'same 11',
      'gap 8 lines the same',
    ]);
    expect(shortenDiff(diffLines('a\n', 'a\n'))).toMatchObject([{ kind: 'gap', text: '1 line the same' }]);
  });
});
