/**
 * Conventions between a process of ours and the one that started it (`npm start` → gateway, admin worker → api, runner …):
 *
 * - The starter spawns with an IPC channel (`stdio: [..., 'ipc']`), in a process group of its own (`detached: true`, so that Ctrl-C
 *   in a terminal reaches only the starter, which ends its children in order), and sets `CASCATA_PARENT_WATCH=1`.
 * - The started one calls `watchParent(shutdown)`: the channel closes however the starter ends, `kill -9` included, and then it has
 *   nobody left to stop it.
 * - Once it serves, it calls `announceListening(port)`; this is how a starter that asked for port 0 learns the real one.
 * - It ends on SIGTERM. A process that starts others ends them before itself.
 */
export const PARENT_WATCH_VARIABLE = 'CASCATA_PARENT_WATCH';

/** What `announceListening` sends. */
export interface ListeningMessage {
  readonly kind: 'listening';
  readonly port: number;
}

/**
 * Calls `onGone` once when the process that started this one has gone. Does nothing for a process started in another way. The
 * watch by itself does not keep the process alive.
 */
export function watchParent(onGone: () => void): void {
  if (process.env[PARENT_WATCH_VARIABLE] !== '1') return;
  if (process.channel === undefined && process.send === undefined) return;
  if (!process.connected) {
    queueMicrotask(onGone);
    return;
  }
  process.once('disconnect', onGone);
  process.channel?.unref();
}

/** Tells the starter, when it listens, which port this process serves on. */
export function announceListening(port: number): void {
  tellStarter({ kind: 'listening', port } satisfies ListeningMessage);
}

/** The same for a process that works without a port: it is ready. */
export function announceReady(): void {
  tellStarter({ kind: 'ready' });
}

function tellStarter(message: object): void {
  if (process.send === undefined || !process.connected) return;
  // A starter that goes away at this moment is noticed by `watchParent`.
  process.send(message, undefined, undefined, () => {});
}

/** The port in a message from a child; `undefined` for any other message. */
export function parseListeningMessage(message: unknown): number | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  if (!('kind' in message) || message.kind !== 'listening' || !('port' in message)) return undefined;
  return typeof message.port === 'number' ? message.port : undefined;
}
