import type { ClientBase } from 'pg';

/** Who asked for a change. */
export interface Actor {
  /** First digits of the SHA-256 of the token. */
  readonly fingerprint: string;
  readonly address: string | undefined;
}

export interface AuditEntry {
  readonly actor: Actor;
  /** `tenant.create`, `keys.rotate` … */
  readonly action: string;
  readonly tenantId: string | undefined;
  /** What was and what is, without secrets. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Writes one line of the audit log, in the transaction of the change itself. */
export async function recordAudit(client: Pick<ClientBase, 'query'>, entry: AuditEntry): Promise<void> {
  const { actor, action, tenantId, before, after } = entry;
  await client.query(
    `INSERT INTO control.audit_log (actor, address, action, tenant_id, before, after) VALUES ($1, $2, $3, $4, $5, $6)`,
    [
      actor.fingerprint,
      actor.address ?? null,
      action,
      tenantId ?? null,
      before === undefined ? null : JSON.stringify(before),
      after === undefined ? null : JSON.stringify(after),
    ],
  );
}
