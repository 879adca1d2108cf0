import { findEntry, refusalOf } from '../catalogue/catalogue.ts';
import type { CatalogueEntry } from '../catalogue/catalogue-entry.ts';
import { AdminError } from './admin-error.ts';

/** @throws {AdminError} for a name that is not in the catalogue */
export function offered(name: string): CatalogueEntry {
  const entry = findEntry(name);
  if (entry !== undefined) return entry;
  const { message, hint } = refusalOf(name);
  throw new AdminError('invalid_request', message, { hint, details: [{ path: 'name', message }] });
}
