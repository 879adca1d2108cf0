/** Channel on which PostgREST's users ask for a reload (X4). */
export const RELOAD_CHANNEL = 'pgrst';

/** Settings are read together with the schema, so that each payload asks for the same. Others are nobody's business here. */
const PAYLOADS: ReadonlySet<string> = new Set(['', 'reload schema', 'reload config']);

export function asksForReload(payload: string): boolean {
  return PAYLOADS.has(payload);
}
