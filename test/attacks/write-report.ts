import { readFile, writeFile } from 'node:fs/promises';
import { withAttackTable } from './support/attack-table.ts';

/** Writes the table of attacks in docs/security.md anew: `node test/attacks/write-report.ts`. */
const file = new URL('../../docs/security.md', import.meta.url);
await writeFile(file, withAttackTable(await readFile(file, 'utf8')));
