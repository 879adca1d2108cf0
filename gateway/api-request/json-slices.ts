/**
 * Where the values of a JSON text begin and end, so that a value can be handed on byte for byte: parsing it and writing it again would
 * change numbers that JavaScript cannot hold. The text must have been parsed before; nothing is checked here.
 */

const STRUCTURE = /["{}[\]]/g;
const SCALAR = /[^\s,\]}]+/y;

/** Texts of the elements of an array. */
export function arraySlices(text: string): readonly string[] {
  const slices: string[] = [];
  let at = skipBlanks(text, text.indexOf('[') + 1);
  while (text[at] !== ']') {
    const end = valueEnd(text, at);
    slices.push(text.slice(at, end));
    at = nextMember(text, end);
  }
  return slices;
}

/** Text of an object's member; of several with one name the last, as `JSON.parse` has it. `undefined` without one. */
export function memberSlice(text: string, name: string): string | undefined {
  let found: string | undefined;
  let at = skipBlanks(text, text.indexOf('{') + 1);
  while (text[at] !== '}') {
    const keyEnd = valueEnd(text, at);
    const valueAt = skipBlanks(text, text.indexOf(':', keyEnd) + 1);
    const end = valueEnd(text, valueAt);
    // A name may be written with escapes.
    if (JSON.parse(text.slice(at, keyEnd)) === name) found = text.slice(valueAt, end);
    at = nextMember(text, end);
  }
  return found;
}

/** From the end of a value to the next one, or to the closing bracket. */
function nextMember(text: string, end: number): number {
  const at = skipBlanks(text, end);
  return text[at] === ',' ? skipBlanks(text, at + 1) : at;
}

function valueEnd(text: string, at: number): number {
  const first = text[at];
  if (first === '"') return stringEnd(text, at);
  if (first !== '{' && first !== '[') {
    SCALAR.lastIndex = at;
    SCALAR.test(text);
    return SCALAR.lastIndex;
  }
  let depth = 0;
  STRUCTURE.lastIndex = at;
  for (let match = STRUCTURE.exec(text); match !== null; match = STRUCTURE.exec(text)) {
    const character = match[0];
    if (character === '"') STRUCTURE.lastIndex = stringEnd(text, match.index);
    else if (character === '{' || character === '[') depth++;
    else if (--depth === 0) break;
  }
  return STRUCTURE.lastIndex;
}

function stringEnd(text: string, at: number): number {
  for (let quote = text.indexOf('"', at + 1); ; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
}

function skipBlanks(text: string, at: number): number {
  let next = at;
  while (text[next] === ' ' || text[next] === '\n' || text[next] === '\r' || text[next] === '\t') next++;
  return next;
}
