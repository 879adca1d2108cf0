import type { Preferences } from '../api-request/preferences.ts';
import { GatewayError } from '../errors/gateway-error.ts';

/** @throws {GatewayError} PGRST122 for an unknown preference with `handling=strict` (P5) */
export function checkPreferences(preferences: Preferences): void {
  if (preferences.handling !== 'strict' || preferences.invalid.length === 0) return;
  throw new GatewayError('PGRST122', { details: `Invalid preferences: ${preferences.invalid.join(', ')}` });
}

/** `max-affected` counts only with `handling=strict` (P8). */
export function strictMaxAffected(preferences: Preferences): number | undefined {
  return preferences.handling === 'strict' ? preferences.maxAffected : undefined;
}
