/**
 * Somebody who may go away while being served, such as an `AbortSignal`. Whether they did is asked now and then by what serves
 * many at once: making an `AbortController` and listening to it for every request would cost more than it saves.
 */
export interface Abortable {
  readonly aborted: boolean;
  /** It is the server that has gone, not whoever asked: it would hear of no cancel, so its connection is cut at once. */
  readonly isServerGone?: boolean;
}
