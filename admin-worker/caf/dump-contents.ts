import { FENCE_NAME } from '../ejection/fence.ts';
import { JobError } from '../jobs/job.ts';

/*
 * Kinds of entries in a dump that a tenant can have. What runs is not decided here: the login of a restore has the owner's rights and no others. But what is
 * not a tenant's to have is refused before anything is made.
 */
const KINDS: readonly string[] = [
  'ACL',
  'AGGREGATE',
  'CHECK CONSTRAINT',
  'COLLATION',
  'COMMENT',
  'CONSTRAINT',
  'CONVERSION',
  'DEFAULT',
  'DEFAULT ACL',
  'DOMAIN',
  'FK CONSTRAINT',
  'FUNCTION',
  'INDEX',
  'INDEX ATTACH',
  'MATERIALIZED VIEW',
  'MATERIALIZED VIEW DATA',
  'OPERATOR',
  'OPERATOR CLASS',
  'OPERATOR FAMILY',
  'POLICY',
  'PROCEDURE',
  'ROW SECURITY',
  'RULE',
  'SCHEMA',
  'SEQUENCE',
  'SEQUENCE OWNED BY',
  'SEQUENCE SET',
  'SHELL TYPE',
  'STATISTICS',
  'TABLE',
  'TABLE ATTACH',
  'TABLE DATA',
  'TEXT SEARCH CONFIGURATION',
  'TEXT SEARCH DICTIONARY',
  'TRIGGER',
  'TYPE',
  'VIEW',
].toSorted((a, b) => b.length - a.length);

/** Kinds that stand for themselves when they name no schema: `COMMENT - SCHEMA public owner`. */
const ABOUT_SCHEMAS: ReadonlySet<string> = new Set(['SCHEMA', 'ACL', 'COMMENT', 'DEFAULT ACL']);

/**
 * Checks the list that `pg_restore --list` prints and leaves out the schemas themselves, which are there already, and the fence of the place it comes from.
 *
 * @param list lines such as `215; 1259 16386 TABLE public books acme_owner`
 * @returns a list for `--use-list`
 * @throws {JobError} that names an entry that is not the tenant's
 */
export function restorableList(list: string, schemas: readonly string[]): string {
  const kept: string[] = [];
  for (const line of list.split('\n')) {
    const entry = /^\d+; \d+ \d+ (.+)$/.exec(line)?.[1];
    if (entry === undefined) {
      if (line === '' || line.startsWith(';')) continue;
      throw refused(line);
    }
    const kind = KINDS.find((name) => entry.startsWith(`${name} `));
    if (kind === undefined) throw refused(entry);
    const rest = entry.slice(kind.length + 1);
    const isOwn = schemas.some((schema) => rest.startsWith(`${schema} `));
    const isAboutOwnSchema =
      ABOUT_SCHEMAS.has(kind) &&
      schemas.some((schema) => rest.startsWith(kind === 'SCHEMA' ? `- ${schema} ` : `- SCHEMA ${schema} `));
    const isOwnDefault = kind === 'DEFAULT ACL' && rest.startsWith('- DEFAULT PRIVILEGES ');
    if (!isOwn && !isAboutOwnSchema && !isOwnDefault) throw refused(entry);
    // A tenant that is moving was closed to writers while it was dumped.
    const isFence = kind === 'TRIGGER' && rest.includes(` ${FENCE_NAME} `);
    if (kind !== 'SCHEMA' && !isFence) kept.push(line);
  }
  return `${kept.join('\n')}\n`;
}

function refused(entry: string): JobError {
  return new JobError(
    `The archive is refused: its dump holds what is not the tenant's: ${entry.slice(0, 200)}`,
    {
      code: 'foreign-object',
    },
  );
}
