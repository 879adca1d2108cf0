import { expect, test } from 'vitest';
import { scanTargetList } from '../../../schema-cache/node-tree.ts';

// Shortened from PostgreSQL 15: `SELECT id, upper(name), client_id FROM projects ORDER BY name`.
const PG15 =
  '({QUERY :commandType 1 :querySource 0 :canSetTag true :utilityStmt <> :hasSubLinks false :isReturn false :cteList <> ' +
  ':rtable ({RANGETBLENTRY :alias {ALIAS :aliasname old :colnames <>} :eref {ALIAS :aliasname old :colnames ("id" "upper" "client_id")} ' +
  ':rtekind 0 :relid 16850 :relkind v :selectedCols (b) :securityQuals <>} {RANGETBLENTRY :alias <> :eref {ALIAS :aliasname projects ' +
  ':colnames ("id" "name" "client_id")} :rtekind 0 :relid 16398 :relkind r :selectedCols (b 8 9 10) :securityQuals <>}) ' +
  ':jointree {FROMEXPR :fromlist ({RANGETBLREF :rtindex 3}) :quals <>} ' +
  ':targetList ({TARGETENTRY :expr {VAR :varno 3 :varattno 1 :vartype 23 :varlevelsup 0 :location 17} :resno 1 :resname id :ressortgroupref 0 ' +
  ':resorigtbl 16398 :resorigcol 1 :resjunk false} {TARGETENTRY :expr {FUNCEXPR :funcid 871 :args ({VAR :varno 3 :varattno 2 :location 27}) ' +
  ':location 21} :resno 2 :resname upper :ressortgroupref 0 :resorigtbl 0 :resorigcol 0 :resjunk false} {TARGETENTRY :expr {VAR :varno 3 ' +
  ':varattno 3 :location 34} :resno 3 :resname client_id :ressortgroupref 0 :resorigtbl 16398 :resorigcol 3 :resjunk false} {TARGETENTRY ' +
  ':expr {VAR :varno 3 :varattno 2 :location 60} :resno 4 :resname <> :ressortgroupref 1 :resorigtbl 16398 :resorigcol 2 :resjunk true}) ' +
  ':override 0 :onConflict <> :groupClause <> :sortClause ({SORTGROUPCLAUSE :tleSortGroupRef 1 :eqop 98}) :setOperations <> :stmt_len 140})';

test('plain columns are kept with their origin; expressions and sort columns are not', () => {
  expect(scanTargetList(PG15)).toEqual([
    { position: 1, originRelation: '16398', originColumn: 1 },
    { position: 3, originRelation: '16398', originColumn: 3 },
  ]);
});

test('fields of later versions around the target list do no harm', () => {
  const pg17 = PG15.replaceAll(':varlevelsup 0', ':varnullingrels (b 3) :varlevelsup 0').replace(
    ' :jointree',
    ' :rteperminfos ({RTEPERMISSIONINFO :relid 16398 :inh true :requiredPerms 2 :selectedCols (b 8 9 10)}) :jointree',
  );
  const pg18 = pg17
    .replaceAll(':varlevelsup 0', ':varlevelsup 0 :varreturningtype 0')
    .replace(':hasSubLinks false', ':hasSubLinks false :hasGroupRTE true')
    .replace(' :groupClause', ' :returningOldAlias <> :returningNewAlias <> :groupClause');
  expect(scanTargetList(pg17)).toEqual(scanTargetList(PG15));
  expect(scanTargetList(pg18)).toEqual(scanTargetList(PG15));
});

test('target lists of subqueries and CTEs are not taken for the view’s own', () => {
  const inner =
    '{QUERY :targetList ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname x :ressortgroupref 0 :resorigtbl 1 :resorigcol 1 :resjunk false})}';
  const tree =
    `({QUERY :cteList ({COMMONTABLEEXPR :ctename c :ctequery ${inner}}) :rtable ({RANGETBLENTRY :subquery ${inner}}) ` +
    `:targetList ({TARGETENTRY :expr {SUBLINK :subselect ${inner}} :resno 1 :resname s :ressortgroupref 0 :resorigtbl 0 :resorigcol 0 :resjunk false} ` +
    '{TARGETENTRY :expr {VAR :varno 2} :resno 2 :resname y :ressortgroupref 0 :resorigtbl 77 :resorigcol 4 :resjunk false}) :override 0})';
  expect(scanTargetList(tree)).toEqual([{ position: 2, originRelation: '77', originColumn: 4 }]);
});

test('names full of special characters, which are escaped, do not mislead the scan', () => {
  const name = '\\{odd\\}\\ \\:targetList\\ \\(\\ :resno\\ 9\\)\\\\';
  const tree =
    `({QUERY :rtable ({RANGETBLENTRY :eref {ALIAS :aliasname ${name} :colnames ("${name}")}}) :targetList ({TARGETENTRY :expr {VAR :varno 1} ` +
    `:resno 1 :resname ${name} :ressortgroupref 0 :resorigtbl 5 :resorigcol 2 :resjunk false}) :override 0})`;
  expect(scanTargetList(tree)).toEqual([{ position: 1, originRelation: '5', originColumn: 2 }]);
});

test('a set operation has no origins', () => {
  const tree =
    '({QUERY :targetList ({TARGETENTRY :expr {VAR :varno 3} :resno 1 :resname id :ressortgroupref 0 :resorigtbl 0 :resorigcol 0 :resjunk false}) ' +
    ':setOperations {SETOPERATIONSTMT :op 1 :all true}})';
  expect(scanTargetList(tree)).toEqual([]);
});

test('anything else gives nothing', () => {
  for (const text of [
    '',
    '<>',
    '({QUERY :targetList <> :override 0})',
    '({QUERY :targetList (',
    '{{{',
    '\\',
  ]) {
    expect(scanTargetList(text)).toEqual([]);
  }
});
