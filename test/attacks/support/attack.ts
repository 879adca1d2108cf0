import type { Stage } from './stage.ts';

/** One attack: what is tried, and what has to come back. */
export interface Attack {
  readonly name: string;
  /** For the report; Markdown. */
  readonly tried: string;
  /** Statements that the attacker has a function of its own run in one request, one after the other; `@a` and `@b` stand for the two tenants. */
  readonly sql?: readonly string[];
  /** Anything else. The answers, as `summaryOf` tells them; none of them may show anything of the victim's. */
  readonly run?: (stage: Stage) => Promise<Told>;
  /** What has to come back, as in `summaryOf`; several requests are joined by a comma. */
  readonly back: string;
}

export interface Told {
  readonly back: string;
  /** Everything that was received, to be searched for what is the victim's. */
  readonly received: string;
}

export interface AttackGroup {
  readonly title: string;
  /** Where the attacks were described or which defence they test. */
  readonly attacks: readonly Attack[];
}
