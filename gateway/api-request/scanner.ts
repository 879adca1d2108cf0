import { GatewayError } from '../errors/gateway-error.ts';
import { type Failure, failureDetails, mergeFailures, position, showChar, showText } from './scan-failure.ts';

/** What a rule returns when it does not match. Whether it had consumed input shows in `Scanner.pos`. */
export const FAIL: unique symbol = Symbol('no match');

export type Scanned<T> = T | typeof FAIL;

/** Reads a part of the text from `scanner.pos` on. */
export type Rule<T> = (scanner: Scanner) => Scanned<T>;

/**
 * Embeds and logic groups may nest this deep. PostgREST has no bound; here one protects the stack of this and of every
 * later stage, far beyond what PostgreSQL itself would plan.
 */
export const MAX_NESTING = 500;

const END_OF_INPUT = '';

/** Explaining takes some microseconds a character. Beyond any URL: only a query in a body has longer parameters. */
const MAX_EXPLAINED_LENGTH = 16_384;
const SHOWN_LENGTH = 200;

/**
 * A cursor over one parameter's text, with the semantics of PostgREST's parser combinators: an alternative is tried only
 * when the one before failed without consuming, unless that one was wrapped in `attempt`.
 *
 * It runs in two modes. The first pass only matches, which is what valid requests pay for. When it fails, `parseText`
 * runs the same rules again while `isExplaining`, collecting what was expected where, to word the error as PostgREST does.
 */
export class Scanner {
  readonly text: string;
  readonly what: string;
  readonly isExplaining: boolean;
  pos = 0;
  #failure: Failure | undefined;
  #depth = 0;

  constructor(text: string, what: string, isExplaining: boolean) {
    this.text = text;
    this.what = what;
    this.isExplaining = isExplaining;
  }

  /** UTF-16 code at the cursor; `NaN` at the end. */
  peek(): number {
    return this.text.charCodeAt(this.pos);
  }

  /** Moves past what was matched. What was expected before it no longer matters. */
  advanceTo(pos: number): void {
    this.pos = pos;
    if (this.isExplaining) this.#failure = undefined;
  }

  /** Matches one ASCII character. */
  char(char: string): boolean {
    if (this.text.startsWith(char, this.pos)) {
      this.advanceTo(this.pos + 1);
      return true;
    }
    if (this.isExplaining) this.expected(showText(char));
    return false;
  }

  /** Matches ASCII text. A partial match counts as consumed input, and is reported at its start. */
  literal(literal: string): boolean {
    const { text, pos } = this;
    if (text.startsWith(literal, pos)) {
      this.advanceTo(pos + literal.length);
      return true;
    }
    let matched = 0;
    while (text.charCodeAt(pos + matched) === literal.charCodeAt(matched)) matched++;
    if (matched > 0) this.advanceTo(pos + matched);
    if (this.isExplaining) {
      this.#note({ pos, found: this.#shownAt(pos + matched), unexpected: [], expected: [showText(literal)] });
    }
    return false;
  }

  /** Runs a rule; when it fails, nothing counts as consumed. */
  attempt<T>(rule: Rule<T>): Scanned<T> {
    const { pos } = this;
    if (this.isExplaining) return this.#explainedAttempt(rule);
    const result = rule(this);
    if (result === FAIL) this.pos = pos;
    return result;
  }

  #explainedAttempt<T>(rule: Rule<T>): Scanned<T> {
    const { pos } = this;
    const before = this.#failure;
    this.#failure = undefined;
    const result = rule(this);
    if (result === FAIL) this.pos = pos;
    if (this.pos === pos) this.#failure = mergeFailures(before, this.#failure);
    return result;
  }

  /** Succeeds, without moving, when a literal stands here. */
  isAt(literal: string): boolean {
    if (!this.isExplaining) return this.text.startsWith(literal, this.pos);
    const { pos } = this;
    const before = this.#failure;
    this.#failure = undefined;
    const isMatch = this.literal(literal);
    this.pos = pos;
    this.#failure = isMatch ? before : mergeFailures(before, this.#failure);
    return isMatch;
  }

  /** Runs a rule, naming what it expects by one label when it consumed nothing. */
  labelled<T>(rule: Rule<T>, label: string): Scanned<T> {
    if (!this.isExplaining) return rule(this);
    const { pos } = this;
    const before = this.#failure;
    this.#failure = undefined;
    const result = rule(this);
    if (this.pos !== pos) return result;
    const own: Failure | undefined = this.#failure;
    const renamed = own === undefined && result === FAIL ? this.#emptyFailure() : own;
    this.#failure = mergeFailures(before, renamed && { ...renamed, expected: [label] });
    return result;
  }

  /** `undefined` when the rule fails without consuming. */
  optional<T>(rule: Rule<T>): Scanned<T | undefined> {
    const { pos } = this;
    const result = rule(this);
    return result === FAIL && this.pos === pos ? undefined : result;
  }

  /**
   * One or more of `rule` with `separator` between them. A separator that fails without consuming ends the list.
   */
  separated<T>(rule: Rule<T>, separator: (scanner: Scanner) => boolean): Scanned<readonly T[]> {
    const first = rule(this);
    if (first === FAIL) return FAIL;
    const items: T[] = [first];
    for (;;) {
      const { pos } = this;
      if (!separator(this)) return this.pos === pos ? items : FAIL;
      const item = rule(this);
      if (item === FAIL) return FAIL;
      items.push(item);
      this.forget();
    }
  }

  /** Drops what could have continued the repetition just completed: PostgREST's messages tell only of the next one. */
  forget(): void {
    this.#failure = undefined;
  }

  /** Fails when the next character is one that `matches`, else succeeds; never moves. `label` is what `matches` is called. */
  notFollowedBy(matches: (code: number) => boolean, label?: string): boolean {
    const code = this.peek();
    if (Number.isNaN(code) || !matches(code)) {
      if (this.isExplaining) this.expected(label);
      return true;
    }
    if (this.isExplaining) {
      this.#note({
        pos: this.pos + 1,
        found: undefined,
        unexpected: [showChar(this.text, this.pos)],
        expected: [],
      });
    }
    return false;
  }

  /** Matches the end of the text. */
  end(): boolean {
    const { pos } = this;
    if (pos >= this.text.length) {
      if (this.isExplaining) this.expected('end of input');
      return true;
    }
    if (this.isExplaining) {
      this.#note({
        pos,
        found: undefined,
        unexpected: [showChar(this.text, pos)],
        expected: ['end of input'],
      });
    }
    return false;
  }

  /** Skips spaces and tabs. */
  skipBlanks(): void {
    let { pos } = this;
    for (let code = this.text.charCodeAt(pos); code === 32 || code === 9; code = this.text.charCodeAt(pos))
      pos++;
    if (pos > this.pos) this.advanceTo(pos);
    if (this.isExplaining) this.expected();
  }

  /** A comma with blanks around it. */
  spacedComma(): boolean {
    this.skipBlanks();
    if (!this.char(',')) return false;
    this.skipBlanks();
    return true;
  }

  /** Notes that the text ended or had another character here where one of `labels` could have stood. */
  expected(...labels: readonly (string | undefined)[]): void {
    const expected = labels.filter((label) => label !== undefined);
    this.#note({ pos: this.pos, found: this.#shownAt(this.pos), unexpected: [], expected });
  }

  /**
   * Runs a rule one level of nesting deeper.
   *
   * @throws {GatewayError} PGRST100 beyond `MAX_NESTING`
   */
  nested<T>(rule: Rule<T>): Scanned<T> {
    if (++this.#depth > MAX_NESTING) {
      this.#failure = undefined;
      throw this.#error(`nested more than ${MAX_NESTING} levels deep`);
    }
    const result = rule(this);
    this.#depth--;
    return result;
  }

  /** The error for what was noted. Meaningful after a failed run while `isExplaining`. */
  error(): GatewayError {
    return this.#error(this.#failure === undefined ? 'unknown parse error' : failureDetails(this.#failure));
  }

  #error(details: string): GatewayError {
    const { line, column } = position(this.text, this.#failure?.pos ?? this.pos);
    return new GatewayError('PGRST100', {
      message: `"${this.what}" (line ${line}, column ${column})`,
      details,
    });
  }

  #note(failure: Failure): void {
    this.#failure = mergeFailures(this.#failure, failure);
  }

  #emptyFailure(): Failure {
    return { pos: this.pos, found: undefined, unexpected: [], expected: [] };
  }

  #shownAt(pos: number): string {
    return pos >= this.text.length
      ? END_OF_INPUT
      : showText(String.fromCodePoint(this.text.codePointAt(pos)!));
  }
}

/**
 * Parses a parameter's text. Text after the part that `rule` reads is ignored, as PostgREST does; rules that must reach
 * the end say so themselves.
 *
 * @param what how the error names the text, e.g. `failed to parse order (name.foo)`
 * @throws {GatewayError} PGRST100
 */
export function parseText<T>(text: string, rule: Rule<T>, what: string): T {
  const result = rule(new Scanner(text, what, false));
  if (result !== FAIL) return result;
  if (text.length > MAX_EXPLAINED_LENGTH) {
    const message = `"${what.slice(0, SHOWN_LENGTH)}…"`;
    throw new GatewayError('PGRST100', {
      message,
      details: 'The text is too long to say where it goes wrong',
    });
  }
  const explainer = new Scanner(text, what, true);
  rule(explainer);
  throw explainer.error();
}
