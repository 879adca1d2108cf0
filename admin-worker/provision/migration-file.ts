import { createHash } from 'node:crypto';
import { lexSql } from './sql-lexer.ts';
import { countLineEnds } from './sql-statements.ts';

/** A versioned migration as it was posted. */
export interface MigrationFile {
  /** `YYYYMMDDHHMM__name.sql` */
  readonly name: string;
  readonly sql: string;
}

export const MIGRATION_NAME: RegExp = /^\d{12}__[A-Za-z0-9][A-Za-z0-9._-]{0,150}\.sql$/;

const MARKER = /^--\s*(up|down)(?:\s+migration)?\s*$/i;

/** SHA-256 of the file's text, 64 hexadecimal digits; line ends count as `\n`, so that a checkout on Windows is the same. */
export function migrationChecksum(sql: string): string {
  return createHash('sha256').update(sql.replaceAll('\r\n', '\n')).digest('hex');
}

/**
 * What is to be run of a file: all but what stands between the comment lines `-- DOWN` and the next `-- UP` or the end. Lines
 * keep their numbers. Markers inside literals, function bodies and block comments are text.
 */
export function upSection(sql: string): string {
  let up = '';
  let isUp = true;
  for (const { kind, text } of lexSql(sql)) {
    const marker = kind === 'comment' ? MARKER.exec(text)?.[1]?.toLowerCase() : undefined;
    if (marker !== undefined) isUp = marker === 'up';
    up += isUp ? text : '\n'.repeat(countLineEnds(text));
  }
  return up;
}
