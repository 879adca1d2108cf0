import type { ConfigInput } from '../../../gateway/platform/config-schema.ts';
import type { Stage } from '../support/stage.ts';
import type { Mutants } from './mutants.ts';

/** A change of one of our source files. `OFF` in `instead` is true while the defence is switched off. */
export interface SourceEdit {
  /** From the repository's root. */
  readonly file: string;
  /** Occurs exactly once in the file; the run fails where it does not, so that no edit gets lost when the source changes. */
  readonly part: string;
  readonly instead: string;
}

/** A stage whose gateway, admin API and job runner can be run with any one defence switched off. */
export interface MutableStage extends Stage {
  readonly mutants: Mutants;
}

/** Settings of a gateway. */
export interface MutantGateway {
  readonly config?: ConfigInput;
  /** As behind PgBouncer, which gives each transaction another session. */
  readonly isPooled?: boolean;
}

type Step = (stage: MutableStage) => Promise<unknown>;

/** A defence, how it is switched off in a running system, and an attack that it alone keeps out. */
export interface Mutation {
  /** As the tables in docs/security.md name it. */
  readonly defence: string;
  /** Switches it off in our own code. */
  readonly edits?: readonly SourceEdit[];
  /** The gateway begins anew at each switch, with these settings: what is decided once for a process or a connection. */
  readonly gateway?: MutantGateway;
  /** Brings about what the attack needs: what would be in force, or switched off, anyway. */
  readonly given?: Step;
  /** Takes that back. */
  readonly after?: Step;
  /** Switches it off where it is not in our code, or more than that. */
  readonly off?: Step;
  readonly on?: Step;
  /** Whether the attack has succeeded; `undefined`: this time it cannot be told. */
  attack(stage: MutableStage): Promise<boolean | undefined>;
}

/** Statements of a superuser in the shared database; `@a` and `@b` stand for the two tenants. */
export const superuser =
  (sql: string): Step =>
  (stage) =>
    stage.admin.shared(stage.named(sql));

export const all =
  (...steps: readonly Step[]): Step =>
  async (stage) => {
    for (const step of steps) await step(stage);
  };

/** The answer to the attacker's statements has the part in it. */
export const tells =
  (part: string, ...statements: readonly string[]) =>
  async (stage: MutableStage): Promise<boolean> =>
    (await stage.run(...statements)).text.includes(stage.named(part));

/** What the victim finds in its session after the attacker's request is another than what it found before. */
export const leavesTraces =
  (...statements: readonly string[]) =>
  async (stage: MutableStage): Promise<boolean> => {
    const before = await stage.traces();
    await stage.run(...statements);
    return (await stage.traces()) !== before;
  };

/** The pool's one connection is made anew. */
export const newConnection: Step = superuser(
  `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cascata_sealed' AND datname = current_database()`,
);

/** Changes a tenant through the admin API. @throws {Error} when that is refused */
export async function patch(stage: Stage, id: string, body: object): Promise<void> {
  const { status, text } = await stage.admin.request('PATCH', `/v1/tenants/${id}`, { body });
  if (status !== 200) throw new Error(text);
}

/** For a gateway to hear of a change of the registry. */
export const pause = (ms = 40): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
