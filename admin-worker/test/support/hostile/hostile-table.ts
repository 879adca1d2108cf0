import { HOSTILE_BYTES } from './hostile-bytes.ts';
import { HOSTILE_DOCUMENTS } from './hostile-documents.ts';
import { HOSTILE_SQL } from './hostile-sql.ts';

const BEGIN = '<!-- hostile archives -->\n';
const END = '<!-- /hostile archives -->';

/** A document with the table of all cases between its two marks. */
export function withHostileTable(document: string): string {
  const [before, rest] = document.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error('the document has no place for the table');
  const rows = [...HOSTILE_BYTES, ...HOSTILE_DOCUMENTS, ...HOSTILE_SQL].map(
    ({ name, code }) => `| ${name} | \`${code}\` |\n`,
  );
  return `${before}${BEGIN}| archive | refused with |\n|---|---|\n${rows.join('')}${END}${after}`;
}
