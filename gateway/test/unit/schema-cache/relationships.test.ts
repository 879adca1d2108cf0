import { describe, expect, test } from 'vitest';
import { relationKey } from '../../../schema-cache/schema-cache.ts';
import { CatalogBuilder, ref, summarize } from './builders.ts';

describe('foreign keys', () => {
  test('a foreign key is many-to-one one way and one-to-many the other', () => {
    const relationships = new CatalogBuilder()
      .table('clients', ['id', 'name'])
      .table('projects', ['id', 'client_id'])
      .foreignKey('fk', 'projects', ['client_id'], 'clients', ['id'])
      .relationships();
    expect(relationships).toEqual(
      new Map([
        [
          relationKey('api', 'projects'),
          [
            {
              kind: 'foreign-key',
              source: ref('projects'),
              target: ref('clients'),
              isSelf: false,
              cardinality: {
                kind: 'm2o',
                constraint: 'fk',
                columns: [{ source: 'client_id', target: 'id' }],
              },
              sourceIsView: false,
              targetIsView: false,
            },
          ],
        ],
        [
          relationKey('api', 'clients'),
          [
            {
              kind: 'foreign-key',
              source: ref('clients'),
              target: ref('projects'),
              isSelf: false,
              cardinality: {
                kind: 'o2m',
                constraint: 'fk',
                columns: [{ source: 'id', target: 'client_id' }],
              },
              sourceIsView: false,
              targetIsView: false,
            },
          ],
        ],
      ]),
    );
  });

  test('a key over exactly the columns of a unique constraint or primary key is one-to-one, whatever their order', () => {
    const relationships = new CatalogBuilder()
      .table('parents', ['a', 'b'], 2)
      .table('kids', ['id', 'x', 'y'])
      .unique('kids', ['y', 'x'])
      .foreignKey('fk', 'kids', ['x', 'y'], 'parents', ['a', 'b'])
      .relationships();
    expect(summarize(relationships, 'kids')).toEqual(['parents o2o x=a,y=b fk']);
    expect(summarize(relationships, 'parents')).toEqual(['kids o2o a=x,b=y fk parent']);
  });

  test('a key over some columns of a primary key is many-to-one', () => {
    const relationships = new CatalogBuilder()
      .table('parents', ['id'])
      .table('kids', ['parent_id', 'number'], 2)
      .foreignKey('fk', 'kids', ['parent_id'], 'parents', ['id'])
      .relationships();
    expect(summarize(relationships, 'kids')).toEqual(['parents m2o parent_id=id fk']);
  });

  test('a table that refers to itself has both directions', () => {
    const relationships = new CatalogBuilder()
      .table('tree', ['id', 'parent'])
      .foreignKey('fk', 'tree', ['parent'], 'tree', ['id'])
      .relationships();
    expect(summarize(relationships, 'tree')).toEqual([
      'tree o2m id=parent fk self',
      'tree m2o parent=id fk self',
    ]);
  });

  test('a table that is not exposed has no relationships', () => {
    const relationships = new CatalogBuilder()
      .hiddenTable('secrets', ['id'])
      .table('projects', ['id', 'secret_id'])
      .foreignKey('fk', 'projects', ['secret_id'], 'secrets', ['id'])
      .relationships();
    expect(relationships).toEqual(new Map());
  });
});

describe('junctions', () => {
  const users = () => new CatalogBuilder().table('users', ['id']).table('tasks', ['id']);

  test('a table with two foreign keys inside its primary key makes a many-to-many', () => {
    const relationships = users()
      .table('users_tasks', ['user_id', 'task_id'], 2)
      .foreignKey('fk_user', 'users_tasks', ['user_id'], 'users', ['id'])
      .foreignKey('fk_task', 'users_tasks', ['task_id'], 'tasks', ['id'])
      .relationships();
    expect(summarize(relationships, 'users')).toEqual([
      'tasks m2m id=user_id users_tasks id=task_id',
      'users_tasks o2m id=user_id fk_user',
    ]);
    expect(summarize(relationships, 'tasks')).toEqual([
      'users m2m id=task_id users_tasks id=user_id',
      'users_tasks o2m id=task_id fk_task',
    ]);
  });

  test('a foreign key outside of the primary key makes none', () => {
    const relationships = users()
      .table('users_tasks', ['user_id', 'task_id'], 1)
      .foreignKey('fk_user', 'users_tasks', ['user_id'], 'users', ['id'])
      .foreignKey('fk_task', 'users_tasks', ['task_id'], 'tasks', ['id'])
      .relationships();
    expect(summarize(relationships, 'tasks')).toEqual(['users_tasks o2m id=task_id fk_task']);
  });

  test('two keys to the same table make a many-to-many to itself, in both directions', () => {
    const relationships = new CatalogBuilder()
      .table('people', ['id'])
      .table('friends', ['a', 'b'], 2)
      .foreignKey('fk_a', 'friends', ['a'], 'people', ['id'])
      .foreignKey('fk_b', 'friends', ['b'], 'people', ['id'])
      .relationships();
    expect(summarize(relationships, 'people').filter((line) => line.startsWith('people'))).toEqual([
      'people m2m id=a friends id=b self',
      'people m2m id=b friends id=a self',
    ]);
  });

  test('a view with the key of a hidden junction is a junction itself', () => {
    const relationships = users()
      .hiddenTable('pairs', ['user_id', 'task_id'], 2)
      .foreignKey('fk_user', 'pairs', ['user_id'], 'users', ['id'])
      .foreignKey('fk_task', 'pairs', ['task_id'], 'tasks', ['id'])
      .view('pairs_view', { u: 'pairs.user_id', t: 'pairs.task_id' }, ['t', 'u'])
      .relationships();
    expect(summarize(relationships, 'users')).toEqual([
      'pairs_view o2m id=u fk_user to-view',
      'tasks m2m id=u pairs_view id=t',
    ]);
  });
});

describe('views', () => {
  const base = () =>
    new CatalogBuilder()
      .table('clients', ['id', 'name'])
      .table('projects', ['id', 'client_id'])
      .foreignKey('fk', 'projects', ['client_id'], 'clients', ['id']);

  test('a view with the key’s columns takes part on either side, under its own names', () => {
    const relationships = base()
      .view('projects_view', { pid: 'projects.id', cid: 'projects.client_id' })
      .view('clients_view', { key: 'clients.id' })
      .relationships();
    expect(summarize(relationships, 'projects')).toEqual([
      'clients m2o client_id=id fk',
      'clients_view m2o client_id=key fk to-view',
    ]);
    expect(summarize(relationships, 'projects_view')).toEqual([
      'clients m2o cid=id fk from-view',
      'clients_view m2o cid=key fk from-view to-view',
    ]);
    expect(summarize(relationships, 'clients_view')).toEqual([
      'projects o2m key=client_id fk from-view',
      'projects_view o2m key=cid fk from-view to-view',
    ]);
  });

  test('a view without all of the key’s columns takes no part', () => {
    const relationships = new CatalogBuilder()
      .table('parents', ['a', 'b'], 2)
      .table('kids', ['id', 'x', 'y'])
      .foreignKey('fk', 'kids', ['x', 'y'], 'parents', ['a', 'b'])
      .view('half', { x: 'kids.x', y: undefined })
      .relationships();
    expect(summarize(relationships, 'half')).toEqual([]);
  });

  test('a column shown twice gives a relationship each', () => {
    const relationships = base()
      .view('twice', { one: 'projects.client_id', two: 'projects.client_id' })
      .relationships();
    expect(summarize(relationships, 'twice')).toEqual([
      'clients m2o one=id fk from-view',
      'clients m2o two=id fk from-view',
    ]);
  });

  test('a view of both tables refers to itself', () => {
    const relationships = base()
      .view('both', { cid: 'projects.client_id', id: 'clients.id' })
      .relationships();
    expect(summarize(relationships, 'both')).toContain('both m2o cid=id fk self from-view to-view');
  });

  test('views connect tables that are not exposed', () => {
    const relationships = new CatalogBuilder()
      .hiddenTable('clients', ['id'])
      .hiddenTable('projects', ['id', 'client_id'])
      .foreignKey('fk', 'projects', ['client_id'], 'clients', ['id'])
      .view('c', { id: 'clients.id' })
      .view('p', { client: 'projects.client_id' })
      .relationships();
    expect(summarize(relationships, 'p')).toEqual(['c m2o client=id fk from-view to-view']);
    expect(summarize(relationships, 'c')).toEqual(['p o2m id=client fk from-view to-view']);
  });
});

describe('functions', () => {
  test('a function connects two relations under its own name', () => {
    const relationships = new CatalogBuilder()
      .table('games', ['id'])
      .table('designers', ['id'])
      .function('made_by', 'games', 'designers', true)
      .relationships();
    expect(relationships.get(relationKey('api', 'games'))).toEqual([
      {
        kind: 'computed',
        source: ref('games'),
        target: ref('designers'),
        isSelf: false,
        function: ref('made_by'),
        toOne: true,
        argumentType: ref('games'),
      },
    ]);
  });

  test('a function called like a relation takes the place of the relationships to it, from that side only', () => {
    const relationships = new CatalogBuilder()
      .table('designers', ['id'])
      .table('games', ['id', 'designer_id'])
      .foreignKey('fk', 'games', ['designer_id'], 'designers', ['id'])
      .function('designers', 'games', 'designers', true)
      .relationships();
    expect(summarize(relationships, 'games')).toEqual(['designers one by designers()']);
    expect(summarize(relationships, 'designers')).toEqual(['games o2m id=designer_id fk']);
  });
});

test('relationships are ordered by target, cardinality, then name; functions last', () => {
  const relationships = new CatalogBuilder()
    .table('b', ['id', 'a_id', 'a_one'])
    .unique('b', ['a_one'])
    .table('a', ['id', 'b_id'])
    .table('j2', ['a_id', 'b_id'], 2)
    .table('j1', ['a_id', 'b_id'], 2)
    .foreignKey('one', 'b', ['a_one'], 'a', ['id'])
    .foreignKey('z', 'a', ['b_id'], 'b', ['id'])
    .foreignKey('y', 'b', ['a_id'], 'a', ['id'])
    .foreignKey('j1a', 'j1', ['a_id'], 'a', ['id'])
    .foreignKey('j1b', 'j1', ['b_id'], 'b', ['id'])
    .foreignKey('j2a', 'j2', ['a_id'], 'a', ['id'])
    .foreignKey('j2b', 'j2', ['b_id'], 'b', ['id'])
    .function('aaa', 'a', 'b')
    .relationships();
  expect(summarize(relationships, 'a')).toEqual([
    'b o2m id=a_id y',
    'b m2o b_id=id z',
    'b o2o id=a_one one parent',
    'b m2m id=a_id j1 id=b_id',
    'b m2m id=a_id j2 id=b_id',
    'j1 o2m id=a_id j1a',
    'j2 o2m id=a_id j2a',
    'b many by aaa()',
  ]);
});
