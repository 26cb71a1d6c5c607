// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, describe, expect, it } from 'vitest';
import { nextPlace } from '../../../renderer/app/arrow-keys.ts';
import { handleKey } from '../../../renderer/app/keyboard.ts';
import { useNavigation } from '../../../renderer/state/navigation.ts';

afterEach(() => {
  cleanup();
  window.removeEventListener('keydown', handleKey);
});

function showList() {
  window.addEventListener('keydown', handleKey);
  render(
    <>
      <nav data-arrows="vertical">
        <button type="button">one</button>
        <button type="button" disabled>
          off
        </button>
        <button type="button">two</button>
        <input aria-label="field" />
      </nav>
      <button type="button">beside</button>
    </>,
  );
}

const press = (key: string) => fireEvent.keyDown(document.activeElement ?? document.body, { key });

describe('arrow keys', () => {
  it('move the focus within a list and stop at its ends', () => {
    showList();
    screen.getByText('one').focus();
    press('ArrowDown');
    expect(document.activeElement?.textContent).toBe('two');
    press('ArrowDown');
    expect(document.activeElement?.textContent).toBe('two');
    press('Home');
    expect(document.activeElement?.textContent).toBe('one');
  });

  it('are left to fields, and do nothing outside of a list', () => {
    showList();
    screen.getByLabelText('field').focus();
    press('ArrowUp');
    expect(document.activeElement).toBe(screen.getByLabelText('field'));
    screen.getByText('beside').focus();
    press('ArrowUp');
    expect(document.activeElement?.textContent).toBe('beside');
  });

  it('go left and right in a row, not up and down', () => {
    expect(nextPlace('ArrowRight', true, 0, 3)).toBe(1);
    expect(nextPlace('ArrowDown', true, 0, 3)).toBeNull();
    expect(nextPlace('End', true, 0, 3)).toBe(2);
    expect(nextPlace('ArrowLeft', false, 1, 3)).toBeNull();
  });
});

describe('Escape', () => {
  it('closes the details beside a view, whichever they are', () => {
    window.addEventListener('keydown', handleKey);
    useNavigation.setState({ selected: { kind: 'node', id: 'a' }, certificate: 'b', panel: 'history', dialog: null });
    press('Escape');
    expect(useNavigation.getState()).toMatchObject({ selected: null, certificate: null, panel: null });
  });

  it('leaves what is not beside the view', () => {
    window.addEventListener('keydown', handleKey);
    useNavigation.setState({ panel: 'yaml' });
    press('Escape');
    expect(useNavigation.getState().panel).toBe('yaml');
  });
});
