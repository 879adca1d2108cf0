/** Who a request is, after its token or key was verified. */
export interface AuthResult {
  /** Logical role: the token's role claim, the key's role, or `db-anon-role`. */
  readonly role: string;
  /** Name of the role in the database. */
  readonly physicalRole: string;
  /** `request.jwt.claims`: JSON text of the claims with `role` inserted; `{"role":"anon"}` without a token. */
  readonly claimsJson: string;
  /** The token's `sub`. */
  readonly subject?: string | undefined;
  /**
   * The role is another than `db-anon-role`; decides 401 or 403 for SQLSTATE 42501. As in PostgREST, a token that names the
   * anonymous role (such as the `anon` key) counts as none.
   */
  readonly isAuthenticated: boolean;
}
