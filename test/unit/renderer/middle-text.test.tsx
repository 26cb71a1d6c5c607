// @vitest-environment happy-dom
import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, describe, expect, it } from 'vitest';
import { MiddleText } from '../../../renderer/ui/middle-text.tsx';

afterEach(cleanup);

describe('a name that is shortened in its middle', () => {
  it('is one text while it is short', () => {
    render(<MiddleText text="shop-web-1" />);
    expect(screen.getByText('shop-web-1')).toBeTruthy();
  });

  it.each([
    ['production-eu-central-1-payments-v2', 'payments-v2'],
    ['averylongnamewithoutanyseparatoratall', 'toratall'],
  ])('keeps what tells %s apart, and is read as a whole', (name, end) => {
    const { container } = render(<MiddleText text={name} />);
    const kept = container.querySelector('.middle > span:last-child')?.textContent ?? '';
    expect(kept.endsWith(end) || end.endsWith(kept)).toBe(true);
    expect(container.textContent).toBe(name);
    expect(screen.getByTitle(name)).toBeTruthy();
  });
});
