import { isSignificant, keywordOf, lexSql, type SqlToken } from './sql-lexer.ts';

export interface SqlTextStatement {
  /** Without the closing `;`, with the comments before it. */
  readonly tokens: readonly SqlToken[];
  /** The first words in lower case, as many as there are up to six. */
  readonly keywords: readonly string[];
  /** Line of the first token that means something, from 1. */
  readonly line: number;
}

/** Text that must not be run as part of a migration. */
export class RefusedStatementError extends Error {
  override readonly name = 'RefusedStatementError';
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

const TRANSACTION_CONTROL: ReadonlySet<string> = new Set([
  'begin',
  'start',
  'commit',
  'end',
  'abort',
  'rollback',
  'savepoint',
  'release',
]);

/**
 * Splits text at the semicolons that end statements: not those in parentheses (rules) or in `BEGIN ATOMIC … END` bodies.
 * Statements without any word or sign are dropped.
 */
export function splitStatements(text: string): readonly SqlTextStatement[] {
  const statements: SqlTextStatement[] = [];
  let builder = newBuilder(1);
  let line = 1;
  for (const token of lexSql(text)) {
    if (token.text === ';' && builder.parens === 0 && builder.blocks === 0) {
      finish(builder, statements);
      builder = newBuilder(line);
    } else {
      take(builder, token, line);
    }
    line += countLineEnds(token.text);
  }
  finish(builder, statements);
  return statements;
}

/**
 * Refuses what would end the transaction a migration runs in, or change who runs it. What such statements could do from
 * inside a DO block or a function is contained by the login of the run, which is a member of one role only.
 *
 * @throws {RefusedStatementError}
 */
export function refuseTransactionControl(statement: SqlTextStatement): void {
  const [first, second, third] = statement.keywords;
  const refuse = (what: string, why: string): never => {
    throw new RefusedStatementError(`${what} is not allowed in a migration: ${why}`, statement.line);
  };
  if (first !== undefined && TRANSACTION_CONTROL.has(first)) {
    refuse(first.toUpperCase(), 'all of it runs in one transaction that commits at the end');
  }
  if (first === 'prepare' && second === 'transaction') {
    refuse('PREPARE TRANSACTION', 'all of it runs in one transaction that commits at the end');
  }
  const setting = second === 'local' || second === 'session' ? third : second;
  if (
    (first === 'set' || first === 'reset') &&
    (setting === 'role' || setting === 'authorization' || setting === 'session_authorization')
  ) {
    refuse(`${first.toUpperCase()} ${setting.toUpperCase()}`, "it runs as the project's owner role");
  }
  if (first === 'copy' && isCopyOverProtocol(statement)) {
    refuse('COPY … FROM STDIN', 'use INSERT, there is no data stream here');
  }
}

function isCopyOverProtocol({ tokens }: SqlTextStatement): boolean {
  return tokens.some((token) => keywordOf(token) === 'stdin' || keywordOf(token) === 'stdout');
}

interface StatementBuilder {
  tokens: SqlToken[];
  keywords: string[];
  line: number;
  hasContent: boolean;
  parens: number;
  /** The significant token before this one, when it was a word. */
  previous: string | undefined;
  /** Depth of BEGIN ATOMIC and CASE … END inside a function written in the SQL standard's way. */
  blocks: number;
}

function newBuilder(line: number): StatementBuilder {
  return { tokens: [], keywords: [], line, hasContent: false, parens: 0, previous: undefined, blocks: 0 };
}

function finish(builder: StatementBuilder, statements: SqlTextStatement[]): void {
  const { tokens, keywords, line, hasContent } = builder;
  if (hasContent) statements.push({ tokens, keywords, line });
}

function take(builder: StatementBuilder, token: SqlToken, line: number): void {
  builder.tokens.push(token);
  if (!isSignificant(token)) return;
  if (!builder.hasContent) builder.line = line;
  builder.hasContent = true;
  if (token.text === '(') builder.parens++;
  if (token.text === ')' && builder.parens > 0) builder.parens--;
  const keyword = keywordOf(token);
  const { previous } = builder;
  builder.previous = keyword;
  if (keyword === undefined) return;
  if (builder.keywords.length < 6) builder.keywords.push(keyword);
  const opens = builder.blocks === 0 ? previous === 'begin' && keyword === 'atomic' : keyword === 'case';
  if (opens && isRoutineDefinition(builder.keywords)) builder.blocks++;
  else if (keyword === 'end' && builder.blocks > 0) builder.blocks--;
}

/** `CREATE [OR REPLACE] {FUNCTION | PROCEDURE} …` */
export function isRoutineDefinition(keywords: readonly string[]): boolean {
  if (keywords[0] !== 'create') return false;
  const kind = keywords[1] === 'or' && keywords[2] === 'replace' ? keywords[3] : keywords[1];
  return kind === 'function' || kind === 'procedure';
}

/** Line ends in a text: `\n`, `\r\n` and lone `\r`. */
export function countLineEnds(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0;
}
