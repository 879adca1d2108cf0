export type AccessMode = 'read only' | 'read write';
export type IsolationLevel = 'read committed' | 'repeatable read' | 'serializable';

/** What the transaction around a plan has to be like. */
export interface TransactionPlan {
  readonly accessMode: AccessMode;
  /** `undefined`: the server's default, which needs no BEGIN. */
  readonly isolationLevel: IsolationLevel | undefined;
  readonly end: 'commit' | 'rollback';
  /** Function-level settings hoisted around a call (C9). */
  readonly settings: Readonly<Record<string, string>>;
}

/** Of a role or routine that sets nothing. One object, so that transactions are seen to be alike. */
export const NO_SETTINGS: Readonly<Record<string, string>> = {};

/** Levels other than the server's default; PostgreSQL takes `read uncommitted` for `read committed`. */
export function parseIsolationLevel(value: string | undefined): IsolationLevel | undefined {
  const level = value?.toLowerCase();
  return level === 'repeatable read' || level === 'serializable' ? level : undefined;
}
