import { ATTACK_GROUPS } from '../cases/all-groups.ts';

const BEGIN = '<!-- attacks: written by test/attacks/write-report.ts -->';
const END = '<!-- end of attacks -->';

/** The document with the table of all attacks in its place. @throws {Error} when it has no place for it */
export function withAttackTable(document: string): string {
  const [before, rest] = document.split(BEGIN, 2);
  const after = rest?.split(END, 2)[1];
  if (before === undefined || after === undefined) throw new Error('no place for the table');
  return `${before}${BEGIN}\n\n${attackTable()}\n\n${END}${after}`;
}

function attackTable(): string {
  const count = ATTACK_GROUPS.reduce((sum, { attacks }) => sum + attacks.length, 0);
  const groups = ATTACK_GROUPS.map(({ title, attacks }) => {
    const rows = attacks.map(({ name, tried, back }) => `| ${name} | ${tried} | ${back} | nothing |`);
    return [
      `**${title}**`,
      '',
      '| attack | tried | came back | left behind |',
      '|---|---|---|---|',
      ...rows,
    ].join('\n');
  });
  return [`${count} attacks, each on both servers:`, ...groups].join('\n\n');
}

/** The defences that the document's tables name, in their order. */
export function namedDefences(document: string): readonly string[] {
  const section = /^## Defences$([\s\S]*?)^## /m.exec(document)?.[1] ?? '';
  return [...section.matchAll(/^\| (.+?) \| .+ \|$/gm)]
    .map((row) => row[1]!)
    .filter((name) => name !== 'defence');
}
