import { BrowserWindow, dialog, type OpenDialogOptions, type WebContents } from 'electron';

/** Asks for a folder to write an export to; `null` when the user cancels. */
export async function chooseFolder(asker: WebContents): Promise<string | null> {
  const options: OpenDialogOptions = {
    title: 'Choose a folder for the export',
    buttonLabel: 'Export here',
    properties: ['openDirectory', 'createDirectory', 'promptToCreate'],
  };
  const window = BrowserWindow.fromWebContents(asker);
  const { canceled, filePaths } = window
    ? await dialog.showOpenDialog(window, options)
    : await dialog.showOpenDialog(options);
  return canceled ? null : (filePaths[0] ?? null);
}
