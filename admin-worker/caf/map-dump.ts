import { quoteIdent } from '../../gateway/platform/sql.ts';
import { JobError } from '../jobs/job.ts';
import { isSignificant, keywordOf, nameOf, type SqlToken } from '../provision/sql-lexer.ts';
import { splitStatements } from '../provision/sql-statements.ts';
import type { TenantRoles } from '../provision/tenant-names.ts';
import { type DumpEntry, DumpTocReader, type TocEntry } from './dump-toc.ts';
import { judgeEntry } from './judge-dump.ts';

/** Role at the origin → role in the archive. */
export type RoleNames = ReadonlyMap<string, string>;

/** How a dump of somebody's database becomes one of a tenant's. */
export interface DumpMapping {
  readonly schemas: readonly string[];
  readonly names: RoleNames;
  readonly roles: TenantRoles;
  /** Rights that its own dump does not speak of, since they are everybody's there: statements, and the tag of an ACL entry of what they are about. */
  readonly rights: readonly { readonly tag: string; readonly statement: string }[];
}

/**
 * A dump in the custom format with the roles of a tenant in place of those at its origin, wherever owners, rights and policies name them. Rights of roles
 * that are not among them are left out, and so are policies that are for such roles alone: nobody could have them. All else stays byte for byte.
 *
 * @throws {JobError} for what a tenant may not have, as a hydration would
 */
export async function* mapDump(
  pieces: AsyncIterable<Uint8Array>,
  mapping: DumpMapping,
): AsyncGenerator<Uint8Array> {
  const toc = new DumpTocReader();
  let lastId = 0;
  let minor = 0;
  const acls = new Map<string, number>();
  for await (const piece of pieces) {
    if (toc.isComplete) {
      yield piece;
      continue;
    }
    const { head, entries, tail } = toc.read(piece);
    if (head !== undefined) {
      minor = head.minor;
      yield Buffer.concat([head.bytes, int(head.entries + mapping.rights.length)]);
    }
    for (const entry of entries) {
      const { id, kind, tag } = entry.entry;
      lastId = Math.max(lastId, id);
      if (kind === 'ACL') acls.set(tag, id);
      yield mapEntry(entry, mapping);
    }
    if (!toc.isComplete) continue;
    for (const { tag, statement } of mapping.rights) {
      // Two connections of pg_restore's that change the rights of one schema at once would fail.
      yield aclEntry({
        id: ++lastId,
        tag,
        statement,
        owner: mapping.roles.owner,
        minor,
        after: acls.get(tag),
      });
    }
    yield tail;
  }
}

function mapEntry({ entry, bytes, definition, owner }: TocEntry, mapping: DumpMapping): Buffer {
  const mapped: DumpEntry = {
    ...entry,
    definition: mapDefinition(entry, mapping.names),
    owner: mapping.names.get(entry.owner) ?? entry.owner,
  };
  judge(mapped, mapping);
  return Buffer.concat([
    bytes.subarray(0, definition.from),
    mapped.definition === entry.definition
      ? bytes.subarray(definition.from, definition.to)
      : text(mapped.definition),
    bytes.subarray(definition.to, owner.from),
    mapped.owner === entry.owner ? bytes.subarray(owner.from, owner.to) : text(mapped.owner),
    bytes.subarray(owner.to),
  ]);
}

/** As a hydration will. @throws {JobError} */
function judge(entry: DumpEntry, mapping: DumpMapping): void {
  try {
    judgeEntry(entry, mapping);
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    const { code, hint, message } = error;
    throw new JobError(message.replace(/^The archive is/, 'An archive of it would be'), {
      code,
      hint: hint ?? 'Drop it, or change it, where the tenant is',
      cause: error,
    });
  }
}

/** An entry without a definition is one that does nothing: the number of entries is written before the first of them. */
function mapDefinition({ kind, definition }: DumpEntry, names: RoleNames): string {
  if (kind !== 'ACL' && kind !== 'DEFAULT ACL' && kind !== 'POLICY') return definition;
  const statements = splitStatements(definition).flatMap(({ tokens, keywords }) => {
    // Rights are given by the owner here, whoever gave them there.
    if (/^(?:set|reset) session authorization/.test(keywords.join(' '))) return [];
    const mapped = mapRoles(tokens, names);
    return mapped === undefined ? [] : [`${mapped.trim()};\n`];
  });
  return statements.join('');
}

/** @returns `undefined` when a list of roles has no role that is known */
function mapRoles(tokens: readonly SqlToken[], names: RoleNames): string | undefined {
  let result = '';
  let depth = 0;
  let previous: string | undefined;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    result += token.text;
    if (!isSignificant(token)) continue;
    if (token.text === '(') depth++;
    if (token.text === ')') depth--;
    const keyword = keywordOf(token);
    const isList = keyword === 'to' || keyword === 'from' || (keyword === 'role' && previous === 'for');
    previous = keyword;
    if (depth > 0 || !isList) continue;
    const { roles, end } = listAfter(tokens, i);
    const known = roles.flatMap((role) => (role === 'public' ? ['PUBLIC'] : mappedName(role, names)));
    if (known.length === 0) return undefined;
    result += ` ${known.join(', ')}`;
    i = end;
  }
  return result;
}

function mappedName(role: string, names: RoleNames): readonly string[] {
  const name = names.get(role);
  return name === undefined ? [] : [quoteIdent(name)];
}

/** The names behind a keyword, `TO acme, other`. @returns with the index of the last token of the list */
function listAfter(tokens: readonly SqlToken[], keywordAt: number): { roles: string[]; end: number } {
  const roles: string[] = [];
  let end = keywordAt;
  let isNameNext = true;
  for (let i = keywordAt + 1; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (!isSignificant(token)) continue;
    if (isNameNext) roles.push(nameOf(token) ?? '');
    else if (token.text !== ',') break;
    end = i;
    isNameNext = !isNameNext;
  }
  return { roles, end };
}

const SECTION_NONE = 1;
/** No rows, hence no place where they begin. */
const NO_OFFSET = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0]);

function aclEntry(acl: {
  readonly id: number;
  readonly tag: string;
  readonly statement: string;
  readonly owner: string;
  readonly minor: number;
  /** Entry that has to be restored before it. */
  readonly after: number | undefined;
}): Buffer {
  return Buffer.concat([
    int(acl.id),
    int(0),
    text('0'),
    text('0'),
    text(acl.tag),
    text('ACL'),
    int(SECTION_NONE),
    text(acl.statement),
    text(''),
    text(undefined),
    text(undefined),
    text(undefined),
    text(undefined),
    ...(acl.minor >= 16 ? [int(0)] : []),
    text(acl.owner),
    text('false'),
    ...(acl.after === undefined ? [] : [text(String(acl.after))]),
    int(-1),
    NO_OFFSET,
  ]);
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = value < 0 ? 1 : 0;
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
}

function text(value: string | undefined): Buffer {
  if (value === undefined) return int(-1);
  const bytes = Buffer.from(value);
  return Buffer.concat([int(bytes.length), bytes]);
}
