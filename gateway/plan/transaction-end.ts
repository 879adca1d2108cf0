import type { Preferences } from '../api-request/preferences.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';

/** G6: the setting decides; the client only where the setting allows an override. */
export function planTransactionEnd(
  settings: PostgrestSettings,
  preferences: Preferences,
): 'commit' | 'rollback' {
  switch (settings.dbTxEnd) {
    case 'commit':
      return 'commit';
    case 'rollback':
      return 'rollback';
    case 'commit-allow-override':
      return preferences.tx ?? 'commit';
    case 'rollback-allow-override':
      return preferences.tx ?? 'rollback';
  }
}
