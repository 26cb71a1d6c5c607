import { useMesh } from '../state/mesh-context.tsx';
import { navigate, useNavigation } from '../state/navigation.ts';
import { plural } from '../ui/format.ts';
import { shortcutLabel } from './keyboard.ts';
import { views } from './views.tsx';

export function Rail() {
  const current = useNavigation((state) => state.view);
  const faults = useMesh((data) => data.faults.filter(({ enabled }) => enabled).length);
  const errors = useMesh((data) => data.configErrors ?? 0);
  return (
    <nav className="rail" aria-label="Views" data-arrows="vertical">
      {views.map(({ name, label, icon: Icon }, place) => (
        <a
          key={name}
          href={`#/${name}`}
          aria-label={label}
          aria-current={name === current ? 'page' : undefined}
          title={`${label} (${shortcutLabel(String(place + 1))})`}
          onClick={(event) => {
            event.preventDefault();
            navigate(name);
          }}
        >
          <Icon size={18} strokeWidth={1.6} aria-hidden />
          {label}
          {name === 'config' && errors > 0 && (
            <span className="count error" role="img" aria-label={plural(errors, 'error')}>
              {errors}
            </span>
          )}
          {name === 'faults' && faults > 0 && (
            <span className="count" aria-hidden>
              {faults}
            </span>
          )}
        </a>
      ))}
    </nav>
  );
}
