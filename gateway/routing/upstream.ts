import type { Secret } from '../registry/secrets.ts';

/**
 * A place a transaction can run. Equal keys share a pool. The key holds the tenant's epoch for tenants with a place of
 * their own, so that no request reaches the old place after a move.
 */
export interface Upstream {
  /** For logs and metrics; holds no host and no secret: `shared`, `shared-trusted`, `remote:acme`, `database:acme`. */
  readonly name: string;
  readonly key: string;
  readonly role: 'primary' | 'replica';
  readonly connectionString: Secret;
  /**
   * Set where the connection string came with the tenant: it may lead only where the network policy allows, and the server's certificate is
   * checked by this authority (PEM) when there is one.
   */
  readonly foreign?: { readonly caCertificate: string | undefined };
  /** Shared pools live as long as the process; leased ones are opened on demand under the global cap. */
  readonly pooling: 'shared' | 'leased';
  /** Each connection leads to one session of PostgreSQL's for as long as it lasts, so that what was prepared in it is there again. */
  readonly keepsSession?: boolean;
  /** Where the login is a member of no role: what it takes to run a request through the executor of its role. */
  readonly executors?: ExecutorAccess;
}

export interface ExecutorAccess {
  /** The token that the executor of a physical role demands. */
  tokenFor(role: string): string;
  /** Whether a connection always leads to the same session, so that what was prepared in it is there again. */
  readonly keepsSession: boolean;
  /** Where it does not: uses of a statement after which sessions are made to keep it. */
  readonly keptAfterUses?: number | undefined;
}
