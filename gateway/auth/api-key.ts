import { createHash, timingSafeEqual } from 'node:crypto';
import type { ApiKey, Tenant } from '../registry/tenant.ts';

const PREFIX = 'sb_';

/** Opaque keys (`sb_publishable_…`, `sb_secret_…`) are told from tokens by their prefix. */
export function isOpaqueKey(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** Finds a tenant's key by its text. All keys are compared, each in constant time, so that timing tells nothing. */
export function findApiKey(text: string, tenant: Tenant): ApiKey | undefined {
  const digest = createHash('sha256').update(text).digest();
  let found: ApiKey | undefined;
  for (const key of tenant.apiKeys) {
    const stored = Buffer.from(key.sha256, 'hex');
    if (stored.length === digest.length && timingSafeEqual(stored, digest)) found = key;
  }
  return found;
}
