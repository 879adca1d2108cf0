const NONE: readonly never[] = [];

/** Which of a pool's sessions have statements prepared for which role: one look-up, where asking each of them costs each request as many. */
export class RoleSessions<S> {
  readonly #byRole = new Map<string, S[]>();

  /** Sessions that know the role, the one that has known it longest first. The list changes with them, until nobody knows the role. */
  of(role: string): readonly S[] {
    return this.#byRole.get(role) ?? NONE;
  }

  learnt(role: string, session: S): void {
    const sessions = this.#byRole.get(role);
    if (sessions === undefined) this.#byRole.set(role, [session]);
    else sessions.push(session);
  }

  forgotten(role: string, session: S): void {
    const sessions = this.#byRole.get(role);
    const index = sessions?.indexOf(session) ?? -1;
    if (sessions === undefined || index < 0) return;
    sessions.splice(index, 1);
    if (sessions.length === 0) this.#byRole.delete(role);
  }
}
