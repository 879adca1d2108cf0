import { FENCE_NAME } from '../ejection/fence.ts';
import { isSignificant, keywordOf, nameOf, type SqlToken } from '../provision/sql-lexer.ts';
import { type SqlTextStatement, splitStatements } from '../provision/sql-statements.ts';
import type { TenantRoles } from '../provision/tenant-names.ts';
import { FRAME, KINDS, LEFT_OUT } from './dump-kinds.ts';
import type { DumpEntry } from './dump-toc.ts';
import { refused } from './refused.ts';

export interface DumpOwner {
  /** Physical names. */
  readonly schemas: readonly string[];
  readonly roles: TenantRoles;
}

/** Languages whose functions can do what the server's account can. */
const UNTRUSTED = /^(?:c|internal|\w+u)$/;

/**
 * Decides about an entry of a dump by the statements that it holds: they have to be such as pg_dump writes for its kind, about an object in the tenant's schemas, and for
 * its roles. This is the first of two walls; the other is the login of a restore, which has the owner's rights and no others.
 *
 * @returns whether it is to be restored
 * @throws {JobError} that names the entry and says what is wrong with it
 */
export function judgeEntry(entry: DumpEntry, owner: DumpOwner): boolean {
  const frame = FRAME[entry.kind];
  if (frame !== undefined) {
    if (frame.test(entry.definition) && entry.copy === '') return false;
    throw refused('foreign-statement', `${nameOfEntry(entry)} does not say what it has to`);
  }
  if (LEFT_OUT.has(entry.kind) || (entry.schema === '' && entry.tag.startsWith('DATABASE '))) return false;
  // A tenant that is moving was closed to writers while it was dumped.
  if (entry.kind === 'TRIGGER' && entry.tag.endsWith(` ${FENCE_NAME}`)) return false;
  const heads = Object.hasOwn(KINDS, entry.kind) ? KINDS[entry.kind] : undefined;
  if (heads === undefined) throw foreignObject(entry, 'no tenant has such');
  const isPlain = entry.schema === '';
  if (isPlain ? !isAboutSchemas(entry) : !owner.schemas.includes(entry.schema)) {
    throw foreignObject(entry, `it is in the schema '${entry.schema}'`);
  }
  for (const statement of splitStatements(entry.definition)) {
    // With a space at the end, since a name in quotes is not among the words.
    if (!heads.some((head) => head.test(`${headOf(statement)} `))) {
      throw refused(
        'foreign-statement',
        `${nameOfEntry(entry)} holds a statement that does not belong there: ${headOf(statement)}`,
      );
    }
    judgeStatement(statement, entry, owner);
  }
  judgeCopy(entry, owner);
  return true;
}

/** Kinds that are about a schema as a whole, or about none, and name it in their statements. */
function isAboutSchemas({ kind, tag }: DumpEntry): boolean {
  return kind === 'DEFAULT ACL' || ((kind === 'ACL' || kind === 'COMMENT') && tag.startsWith('SCHEMA '));
}

/** The first words of a statement, those that pg_dump writes before any name. @example 'create table' */
function headOf({ keywords }: SqlTextStatement): string {
  return keywords.join(' ');
}

function judgeStatement(statement: SqlTextStatement, entry: DumpEntry, owner: DumpOwner): void {
  const tokens = outsideParentheses(statement.tokens);
  switch (entry.kind) {
    case 'DEFAULT ACL':
      judgeNames(namesAfter(tokens, 'role'), { allowed: Object.values(owner.roles), entry, what: 'role' });
      judgeNames(namesAfter(tokens, 'schema'), { allowed: owner.schemas, entry, what: 'schema' });
      judgeGrantees(tokens, entry, owner);
      return;
    case 'SEQUENCE SET':
      judgeSequence(statement, entry, owner);
      return;
    case 'ACL':
      if (!tokens.some((token) => keywordOf(token) === 'on')) throw foreignRole(entry, 'it grants a role');
      judgeGrantees(tokens, entry, owner);
      break;
    case 'POLICY':
      judgeGrantees(tokens, entry, owner);
      break;
    case 'FUNCTION':
    case 'PROCEDURE':
      judgeRoutine(tokens, entry, owner);
      break;
  }
  if (entry.schema === '') {
    judgeNames(namesAfter(tokens, 'schema'), { allowed: owner.schemas, entry, what: 'schema', atLeast: 1 });
  } else {
    const target = targetSchema(tokens);
    if (target === undefined || !owner.schemas.includes(target)) {
      throw foreignObject(entry, `a statement is about the schema '${target ?? '?'}'`);
    }
  }
}

/** What stands before the first dot: pg_dump qualifies every name of what a statement is about. */
function targetSchema(tokens: readonly SqlToken[]): string | undefined {
  const dot = tokens.findIndex(({ text }) => text === '.');
  return dot < 1 ? undefined : nameOf(tokens[dot - 1]);
}

function judgeGrantees(tokens: readonly SqlToken[], entry: DumpEntry, { roles }: DumpOwner): void {
  const isGrant = entry.kind !== 'POLICY';
  const grantees = [...namesAfter(tokens, 'to'), ...(isGrant ? namesAfter(tokens, 'from') : [])];
  const allowed = [...Object.values(roles), 'public'];
  judgeNames(grantees, { allowed, entry, what: 'role', atLeast: isGrant ? 1 : 0 });
}

/** The names in a list after a keyword: `TO acme_anon, acme_authenticated`. */
function namesAfter(tokens: readonly SqlToken[], keyword: string): readonly (string | undefined)[] {
  const names: (string | undefined)[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (keywordOf(tokens[i]) !== keyword) continue;
    do names.push(nameOf(tokens[++i]));
    while (tokens[++i]?.text === ',');
    i--;
  }
  return names;
}

interface AllowedNames {
  readonly allowed: readonly string[];
  readonly entry: DumpEntry;
  readonly what: 'role' | 'schema';
  readonly atLeast?: number;
}

function judgeNames(
  names: readonly (string | undefined)[],
  { allowed, entry, what, atLeast = 0 }: AllowedNames,
): void {
  const other = names.find((name) => name === undefined || !allowed.includes(name));
  if (names.length >= atLeast && !names.includes(other)) return;
  const why = `it names the ${what} '${other ?? '?'}'`;
  throw what === 'role' ? foreignRole(entry, why) : foreignObject(entry, why);
}

function judgeRoutine(tokens: readonly SqlToken[], entry: DumpEntry, { roles }: DumpOwner): void {
  const words = tokens.map((token) => keywordOf(token));
  for (const [index, word] of words.entries()) {
    if (word === 'language' && UNTRUSTED.test(nameOf(tokens[index + 1]) ?? 'c')) {
      throw refused('untrusted-language', `${nameOfEntry(entry)} is in a language that is not a tenant's`);
    }
    const isDefiner = word === 'security' && words[index + 1] === 'definer';
    if (isDefiner && !Object.values(roles).includes(entry.owner)) {
      throw foreignRole(entry, `it has the rights of the role '${entry.owner}'`);
    }
  }
}

/** `SELECT pg_catalog.setval('acme.books_id_seq', 7, true)` and nothing else. */
function judgeSequence({ tokens }: SqlTextStatement, entry: DumpEntry, { schemas }: DumpOwner): void {
  const [, , , , , name, ...rest] = tokens.filter(isSignificant);
  const text = rest.map((token) => token.text).join('');
  const quoted = /^'((?:[^']|'')*)'$/.exec(name?.text ?? '')?.[1]?.replaceAll("''", "'");
  const inside = quoted === undefined ? [] : outsideParentheses(splitStatements(quoted)[0]?.tokens ?? []);
  const schema = inside.length === 3 ? targetSchema(inside) : undefined;
  if (!/^,-?\d+,(?:true|false)\)$/.test(text) || schema === undefined) {
    throw refused('foreign-statement', `${nameOfEntry(entry)} does more than to set a sequence`);
  }
  if (!schemas.includes(schema)) throw foreignObject(entry, `it is about the schema '${schema}'`);
}

/** `COPY acme.books (id, title) FROM stdin;` and nothing else. */
function judgeCopy(entry: DumpEntry, { schemas }: DumpOwner): void {
  if (entry.copy === '') return;
  const [statement, ...more] = splitStatements(entry.copy);
  const tokens = outsideParentheses(statement?.tokens ?? []);
  const isOne = more.length === 0 && entry.kind === 'TABLE DATA';
  const words = tokens.map((token) => keywordOf(token));
  const isPlain =
    tokens.length === 6 &&
    words[0] === 'copy' &&
    tokens[2]?.text === '.' &&
    words[4] === 'from' &&
    words[5] === 'stdin';
  if (!isOne || !isPlain) {
    throw refused('foreign-statement', `${nameOfEntry(entry)} does more than to take its rows`);
  }
  const schema = targetSchema(tokens);
  if (schema === undefined || !schemas.includes(schema)) {
    throw foreignObject(entry, `rows go into the schema '${schema ?? '?'}'`);
  }
}

function outsideParentheses(tokens: readonly SqlToken[]): readonly SqlToken[] {
  let depth = 0;
  return tokens.filter((token) => {
    if (!isSignificant(token)) return false;
    if (token.text === '(') depth++;
    const isOutside = depth === 0;
    if (token.text === ')' && depth > 0) depth--;
    return isOutside;
  });
}

function foreignObject(entry: DumpEntry, why: string): Error {
  return refused('foreign-object', `its dump holds what is not the tenant's: ${nameOfEntry(entry)}; ${why}`);
}

function foreignRole(entry: DumpEntry, why: string): Error {
  return refused('foreign-role', `${nameOfEntry(entry)} reaches beyond the tenant's roles: ${why}`);
}

function nameOfEntry({ kind, schema, tag }: DumpEntry): string {
  return `${kind} ${schema === '' ? '' : `${schema}.`}${tag}`.slice(0, 200);
}
