import { maxHeadBytes } from '../http/codec.ts';
import type { FrameWriter } from './frame-writer.ts';
import { connectionWindow, defaultWindow, maxConcurrentStreams, preface, setting, streamWindow } from './protocol.ts';

/** What a session sends first: its settings, and a connection window above the default. A server takes requests, a client no pushes. */
export function greet(writer: FrameWriter, isServer: boolean): void {
  if (!isServer) writer.raw(preface);
  writer.settings([
    isServer ? [setting.enableConnectProtocol, 1] : [setting.enablePush, 0],
    [setting.maxConcurrentStreams, isServer ? maxConcurrentStreams : 0],
    [setting.initialWindowSize, streamWindow],
    [setting.maxHeaderListSize, maxHeadBytes],
  ]);
  writer.windowUpdate(0, connectionWindow - defaultWindow);
}
