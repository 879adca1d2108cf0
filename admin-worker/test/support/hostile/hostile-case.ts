import type { ArchiveParts } from '../archive-parts.ts';
import { anEntry, editDump, type RawEntry } from '../dump-edit.ts';

/** What a hostile archive is made of: a good one, and the tenant that it is aimed at. */
export interface HostileGround {
  /** Well-formed, of a tenant that can be hydrated. */
  readonly archive: Buffer;
  /** Id and prefix of the names of that tenant. */
  readonly id: string;
  /** A tenant that lives where the archive is to be hydrated. */
  readonly victim: string;
  /** Content of the good archive, to be changed. */
  parts(): ArchiveParts;
  /** A well-sealed archive of such content. */
  seal(parts: ArchiveParts): Promise<Buffer>;
}

export interface HostileCase {
  readonly name: string;
  /** `error.code` of the job, or the reason for which the request is refused. */
  readonly code: string;
  /** Default: the tenant's own code runs while rows come in, or the restore is over, before it can be told. */
  make(ground: HostileGround): Promise<Buffer> | Buffer;
}

/** A case whose content is changed before it is sealed. */
export function content(
  name: string,
  code: string,
  change: (parts: ArchiveParts, ground: HostileGround) => void,
): HostileCase {
  return {
    name,
    code,
    make(ground) {
      const parts = ground.parts();
      change(parts, ground);
      return ground.seal(parts);
    },
  };
}

/** A case whose dump has other entries. */
export function dump(
  name: string,
  code: string,
  change: (entries: RawEntry[], ground: HostileGround) => RawEntry[],
): HostileCase {
  return content(name, code, (parts, ground) => {
    parts.dump = editDump(parts.dump, (entries) => change(entries, ground));
  });
}

/** A case whose dump has one entry more, the first one after what sets the session up. */
export function added(
  name: string,
  code: string,
  entry: (ground: HostileGround) => Partial<RawEntry>,
): HostileCase {
  return dump(name, code, (entries, ground) => {
    const owner = `${ground.id}_owner`;
    const at = entries.findIndex(({ kind }) => kind === 'SCHEMA') + 1;
    return entries.toSpliced(at, 0, anEntry({ schema: ground.id, owner, ...entry(ground) }));
  });
}

/** A case in which SQL stands behind what makes a table, where pg_restore runs it along. */
export function hidden(name: string, code: string, sql: (ground: HostileGround) => string): HostileCase {
  return dump(name, code, (entries, ground) =>
    entries.map((entry) =>
      entry.kind === 'TABLE' && entry.tag === 'notes'
        ? { ...entry, definition: `${entry.definition}\n${sql(ground)}` }
        : entry,
    ),
  );
}

/** A case in which the function of a check, which runs for each row that comes in, does this. @param body of a PL/pgSQL function */
export function whileRowsComeIn(
  name: string,
  code: string,
  body: (ground: HostileGround) => string,
): HostileCase {
  return dump(name, code, (entries, ground) =>
    entries.map((entry) =>
      entry.kind === 'FUNCTION' && entry.tag.startsWith('guard(')
        ? {
            ...entry,
            definition: `CREATE FUNCTION ${ground.id}.guard(id integer) RETURNS boolean LANGUAGE plpgsql AS $body$ BEGIN ${body(ground)} RETURN true; END $body$;\n`,
          }
        : entry,
    ),
  );
}
