import { Command } from 'cmdk';
import { useMesh } from '../state/mesh-context.tsx';
import { setPaletteOpen, useNavigation } from '../state/navigation.ts';
import { usePaletteActions } from './actions.tsx';
import { matchCommand } from './match-command.ts';
import type { PaletteAction } from './palette-action.ts';

/** Ctrl/Cmd+K: every action of every view, by name. */
export function Palette() {
  const open = useNavigation((state) => state.paletteOpen);
  return open ? <PaletteDialog /> : null;
}

function PaletteDialog() {
  const actions = usePaletteActions();
  const connected = useMesh((data) => data.connection === 'connected');
  const groups = [...new Set(actions.map(({ group }) => group))];
  const run = (action: PaletteAction) => {
    setPaletteOpen(false);
    action.run();
  };
  return (
    <Command.Dialog
      open
      onOpenChange={setPaletteOpen}
      label="Search or run a command"
      filter={matchCommand}
      contentClassName="palette"
      overlayClassName="backdrop"
    >
      <Command.Input placeholder="Search or run a command" aria-label="Command" />
      <Command.List>
        <Command.Empty>
          {connected ? 'Nothing has that name.' : 'Not connected: only views can be opened.'}
        </Command.Empty>
        {groups.map((group) => (
          <Command.Group key={group} heading={group}>
            {actions
              .filter((action) => action.group === group)
              .map((action) => (
                <Command.Item
                  key={`${action.name} ${action.hint ?? ''}`}
                  value={`${action.name} ${action.hint ?? ''}`.trim()}
                  keywords={[...(action.keywords ?? [])]}
                  onSelect={() => run(action)}
                >
                  <action.icon size={15} strokeWidth={1.7} aria-hidden />
                  <span className="ellipsis">{action.name}</span>
                  {action.hint && <span className="hint">{action.hint}</span>}
                </Command.Item>
              ))}
          </Command.Group>
        ))}
      </Command.List>
    </Command.Dialog>
  );
}
