import type {
  Field,
  Filter,
  JsonStep,
  LogicTree,
  Operation,
  OrderTerm,
  SelectItem,
} from '../../../api-request/query-params.ts';

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

export function printName(name: string): string {
  return /^[a-z0-9_]+$/.test(name) ? name : quote(name);
}

export function printPath(path: readonly JsonStep[]): string {
  return path
    .map(({ arrow, operand }) => arrow + (operand.kind === 'index' ? operand.index : quote(operand.key)))
    .join('');
}

function printField({ name, path }: Field): string {
  return printName(name) + printPath(path);
}

export function printSelect(items: readonly SelectItem[]): string {
  return items.map(printItem).join(',');
}

function printItem(item: SelectItem): string {
  if (item.kind === 'field') {
    const { alias, field, cast, aggregate, except } = item;
    if (except !== undefined) return ['*', ...except.map((name) => `-${printName(name)}`)].join(',');
    const call = aggregate === undefined ? '' : `.${aggregate.fn}()${printOptional('::', aggregate.cast)}`;
    return `${printAlias(alias)}${printField(field)}${printOptional('::', cast)}${call}`;
  }
  const head = item.kind === 'spread' ? '...' : printAlias(item.alias);
  const params = printOptional('!', item.hint) + printOptional('!', item.join);
  return `${head}${printName(item.name)}${params}(${printSelect(item.select)})`;
}

function printAlias(alias: string | undefined): string {
  return alias === undefined ? '' : `${printName(alias)}:`;
}

function printOptional(prefix: string, text: string | undefined): string {
  return text === undefined ? '' : prefix + text;
}

export function printFilterValue(
  { negated, operation }: Filter,
  printValue = (value: string) => value,
): string {
  return (negated ? 'not.' : '') + printOperation(operation, printValue);
}

function printOperation(operation: Operation, printValue: (value: string) => string): string {
  switch (operation.kind) {
    case 'compare': {
      const quantifier = operation.quantifier === undefined ? '' : `(${operation.quantifier})`;
      return `${operation.operator}${quantifier}.${printValue(operation.value)}`;
    }
    case 'simple':
      return `${operation.operator}.${printValue(operation.value)}`;
    case 'in':
      return `in.(${operation.values.map(quote).join(',')})`;
    case 'is':
      return `is.${operation.value}`;
    case 'isdistinct':
      return `isdistinct.${printValue(operation.value)}`;
    case 'column':
      return `${operation.operator}(${operation.of === 'row' ? 'col' : 'parent'}).${printField(operation.column)}`;
    case 'full-text': {
      const language = operation.language === undefined ? '' : `(${operation.language})`;
      return `${operation.operator}${language}.${printValue(operation.value)}`;
    }
    default:
      return operation satisfies never;
  }
}

/** A group without its operator, as the value of `and=` or `or=`. */
export function printLogic(tree: Extract<LogicTree, { kind: 'logic' }>): string {
  return `(${tree.children.map(printTree).join(',')})`;
}

function printTree(tree: LogicTree): string {
  if (tree.kind === 'filter') return `${printField(tree.field)}.${printFilterValue(tree, quote)}`;
  return `${tree.negated ? 'not.' : ''}${tree.operator}${printLogic(tree)}`;
}

export function printOrder(terms: readonly OrderTerm[]): string {
  return terms
    .map(({ field, relation, direction, nulls }) => {
      const target =
        relation === undefined ? printField(field) : `${printName(relation)}(${printField(field)})`;
      return target + printOptional('.', direction) + printOptional('.nulls', nulls);
    })
    .join(',');
}
