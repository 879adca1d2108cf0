import type { Pair } from './differences.ts';
import { KNOWN_DIFFERENCES, type KnownDifference } from './known-differences.ts';
import type { Answer } from './send.ts';

/** Longest part of a body that is printed. */
const SHOWN_CHARACTERS = 600;

/** A pair for people: the request as it can be sent again, then both answers cut down to where they differ. */
export function describePair({ request, ours, theirs, differences }: Pair): string {
  const lines = [
    `${request.name}${request.as === undefined ? '' : ` (as ${request.as})`}`,
    `  ${request.method} ${request.path}`,
  ];
  for (const [name, value] of Object.entries(request.headers)) lines.push(`  ${name}: ${value}`);
  if (request.body !== undefined) lines.push(`  ${cut(request.body)}`);
  lines.push(`  differ in ${[...differences].join(', ')}`);
  lines.push(
    `  ours:   ${describeAnswer(ours, differences)}`,
    `  theirs: ${describeAnswer(theirs, differences)}`,
  );
  return lines.join('\n');
}

function describeAnswer(answer: Answer, differences: ReadonlySet<string>): string {
  const headers = [...differences]
    .filter((name) => name.startsWith('header '))
    .map((name) => name.slice('header '.length))
    .map((name) => `${name}: ${answer.headers[name] ?? '(none)'}`);
  const body = differences.has('body') ? [cut(answer.text)] : [];
  return [String(answer.status), ...headers, ...body].join(' | ');
}

function cut(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

/** How many pairs each known difference explains; those that explain none are left out. */
export function describeExplained(counts: ReadonlyMap<KnownDifference, number>): string {
  return KNOWN_DIFFERENCES.filter((known) => counts.has(known))
    .map(
      (known) =>
        `${String(counts.get(known)).padStart(6)}  ${known.kind.padEnd(7)}  ${known.id}: ${known.reason}`,
    )
    .join('\n');
}

/** The known differences as the table of `docs/compatibility.md`. */
export function renderKnownDifferences(): string {
  const rows = KNOWN_DIFFERENCES.map(
    ({ id, kind, reason }) => `| ${id} | ${kind === 'version' ? 'later PostgREST' : 'ours'} | ${reason} |`,
  );
  return `| | Whose | Difference |\n|---|---|---|\n${rows.join('\n')}`;
}
