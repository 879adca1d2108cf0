import { TextScanner } from './text-scanner.ts';

/** Picks nodes of a JSON value, in document order. */
export type JsonPath = (root: unknown) => readonly unknown[];

type Step = (node: unknown, root: unknown) => readonly unknown[];
type Test = (node: unknown, root: unknown) => boolean;
/** A side of a comparison; `undefined` is RFC 9535's "Nothing". */
type Operand = (node: unknown, root: unknown) => unknown;

// Paths with several `..` can multiply nodes; nobody's role is that far away.
const MAX_NODES = 10_000;

/**
 * Parses a JSONPath query (RFC 9535): names, indexes, slices, wildcards, `..`, unions and filters. Not supported: function
 * extensions.
 *
 * @example parseJsonPath('$.roles[?@ == "admin"]')({ roles: ['x', 'admin'] }) // ['admin']
 * @throws {SyntaxError}
 */
export function parseJsonPath(text: string): JsonPath {
  const scanner = new TextScanner(text.trim());
  scanner.expect('$');
  const steps = parseSteps(scanner);
  if (!scanner.isAtEnd) scanner.fail('unexpected text');
  return (root) => run(steps, root, root);
}

function run(steps: readonly Step[], from: unknown, root: unknown): readonly unknown[] {
  let nodes: readonly unknown[] = [from];
  for (const step of steps) nodes = nodes.flatMap((node) => step(node, root)).slice(0, MAX_NODES);
  return nodes;
}

function parseSteps(scanner: TextScanner): readonly Step[] {
  const steps: Step[] = [];
  for (;;) {
    if (scanner.take('..')) {
      const select = scanner.startsWith('[') ? parseBrackets(scanner) : parseDotName(scanner);
      steps.push((node, root) => descendants(node).flatMap((inner) => select(inner, root)));
    } else if (scanner.take('.')) {
      steps.push(parseDotName(scanner));
    } else if (scanner.startsWith('[')) {
      steps.push(parseBrackets(scanner));
    } else {
      return steps;
    }
  }
}

function parseDotName(scanner: TextScanner): Step {
  if (scanner.take('*')) return children;
  const name = scanner.match(/[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*/y) ?? scanner.fail('expected a name');
  return (node) => child(node, name);
}

function parseBrackets(scanner: TextScanner): Step {
  scanner.expect('[');
  const selectors: Step[] = [];
  do {
    scanner.skipSpace();
    selectors.push(parseSelector(scanner));
    scanner.skipSpace();
  } while (scanner.take(','));
  scanner.expect(']');
  return selectors.length === 1
    ? selectors[0]!
    : (node, root) => selectors.flatMap((select) => select(node, root));
}

function parseSelector(scanner: TextScanner): Step {
  if (scanner.take('*')) return children;
  if (scanner.startsWith('"') || scanner.startsWith("'")) {
    const name = scanner.quoted();
    return (node) => child(node, name);
  }
  if (scanner.take('?')) {
    const test = parseOr(scanner);
    return (node, root) => children(node).filter((inner) => test(inner, root));
  }
  const range = scanner.match(/-?\d*\s*:\s*-?\d*(?:\s*:\s*-?\d*)?/y);
  if (range !== undefined) return slice(range);
  const index = Number(scanner.match(/-?\d+/y) ?? scanner.fail('expected a selector'));
  return (node) => (Array.isArray(node) && node.at(index) !== undefined ? [node.at(index)] : []);
}

function parseOr(scanner: TextScanner): Test {
  const tests = [parseAnd(scanner)];
  while (scanner.take('||')) tests.push(parseAnd(scanner));
  return (node, root) => tests.some((test) => test(node, root));
}

function parseAnd(scanner: TextScanner): Test {
  const tests = [parseBasic(scanner)];
  while (scanner.take('&&')) tests.push(parseBasic(scanner));
  return (node, root) => tests.every((test) => test(node, root));
}

function parseBasic(scanner: TextScanner): Test {
  scanner.skipSpace();
  if (scanner.take('!')) {
    const test = parseBasic(scanner);
    return (node, root) => !test(node, root);
  }
  if (scanner.take('(')) {
    const test = parseOr(scanner);
    scanner.expect(')');
    scanner.skipSpace();
    return test;
  }
  const { operand, isQuery } = parseOperand(scanner);
  scanner.skipSpace();
  const operator = scanner.match(/[=!<>]=|[<>]/y);
  if (operator === undefined) {
    if (!isQuery) scanner.fail('expected a comparison');
    return (node, root) => operand(node, root) !== undefined;
  }
  scanner.skipSpace();
  const right = parseOperand(scanner).operand;
  scanner.skipSpace();
  return (node, root) => compare(operator, operand(node, root), right(node, root));
}

function parseOperand(scanner: TextScanner): { readonly operand: Operand; readonly isQuery: boolean } {
  if (scanner.startsWith('@') || scanner.startsWith('$')) {
    const isRelative = scanner.take('@');
    if (!isRelative) scanner.expect('$');
    const steps = parseSteps(scanner);
    return { operand: (node, root) => run(steps, isRelative ? node : root, root)[0], isQuery: true };
  }
  if (scanner.startsWith('"') || scanner.startsWith("'")) {
    const text = scanner.quoted();
    return { operand: () => text, isQuery: false };
  }
  const literal =
    scanner.match(/true|false|null|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/y) ?? scanner.fail('expected a value');
  const value: unknown = JSON.parse(literal);
  return { operand: () => value, isQuery: false };
}

function compare(operator: string, left: unknown, right: unknown): boolean {
  switch (operator) {
    case '==':
      return isEqual(left, right);
    case '!=':
      return !isEqual(left, right);
    case '<':
      return isLess(left, right);
    case '<=':
      return isLess(left, right) || isEqual(left, right);
    case '>':
      return isLess(right, left);
    default:
      return isLess(right, left) || isEqual(left, right);
  }
}

function isEqual(left: unknown, right: unknown): boolean {
  return typeof left === 'object' && typeof right === 'object' && left !== null && right !== null
    ? JSON.stringify(left) === JSON.stringify(right)
    : left === right;
}

function isLess(left: unknown, right: unknown): boolean {
  return (
    (typeof left === 'number' && typeof right === 'number' && left < right) ||
    (typeof left === 'string' && typeof right === 'string' && left < right)
  );
}

function children(node: unknown): readonly unknown[] {
  if (Array.isArray(node)) return node;
  return typeof node === 'object' && node !== null ? Object.values(node) : [];
}

function child(node: unknown, name: string): readonly unknown[] {
  if (typeof node !== 'object' || node === null || Array.isArray(node) || !Object.hasOwn(node, name))
    return [];
  return [(node as Record<string, unknown>)[name]];
}

function descendants(node: unknown): readonly unknown[] {
  const found: unknown[] = [];
  const queue: unknown[] = [node];
  while (queue.length > 0 && found.length < MAX_NODES) {
    const next = queue.shift();
    found.push(next);
    queue.unshift(...children(next));
  }
  return found;
}

function slice(text: string): Step {
  const [start, end, step] = text.split(':').map((part) => (part.trim() === '' ? undefined : Number(part)));
  const by = step ?? 1;
  return (node) => {
    if (!Array.isArray(node) || by === 0) return [];
    const size = node.length;
    const bound = (index: number, low: number, high: number) =>
      Math.min(Math.max(index < 0 ? size + index : index, low), high);
    const picked: unknown[] = [];
    if (by > 0) {
      const last = bound(end ?? size, 0, size);
      for (let i = bound(start ?? 0, 0, size); i < last; i += by) picked.push(node[i]);
    } else {
      const last = end === undefined ? -1 : bound(end, -1, size - 1);
      for (let i = bound(start ?? size - 1, -1, size - 1); i > last; i += by) picked.push(node[i]);
    }
    return picked;
  };
}
