import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { findRelationship } from '../../../schema-cache/find-relationship.ts';
import type { Relationship, SchemaCache } from '../../../schema-cache/schema-cache.ts';
import { CatalogBuilder, ref, summarize } from './builders.ts';

function find(cache: SchemaCache, source: string, embed: string): string {
  const [target = '', hint] = embed.split('!');
  const found: Relationship = findRelationship(cache, { source: ref(source), schema: 'api', target, hint });
  return summarize(new Map([[`api\0${source}`, [found]]]), source)[0]!;
}

function errorOf(run: () => unknown): Pick<GatewayError, 'code' | 'status' | 'message' | 'details' | 'hint'> {
  try {
    run();
  } catch (error) {
    if (error instanceof GatewayError) {
      const { code, status, message, details, hint } = error;
      return { code, status, message, details, hint };
    }
  }
  throw new Error('no GatewayError');
}

const projects = new CatalogBuilder()
  .table('clients', ['id', 'name'])
  .table('projects', ['id', 'client_id'])
  .foreignKey('projects_client_id_fkey', 'projects', ['client_id'], 'clients', ['id'])
  .cache();

describe('an embed may name', () => {
  test('the table', () => {
    expect(find(projects, 'projects', 'clients')).toBe('clients m2o client_id=id projects_client_id_fkey');
    expect(find(projects, 'clients', 'projects')).toBe('projects o2m id=client_id projects_client_id_fkey');
  });

  test('the foreign key, from both sides', () => {
    expect(find(projects, 'projects', 'projects_client_id_fkey')).toMatch(/^clients m2o/);
    expect(find(projects, 'clients', 'projects_client_id_fkey')).toMatch(/^projects o2m/);
  });

  test('the column of the side it starts from', () => {
    expect(find(projects, 'projects', 'client_id')).toMatch(/^clients m2o/);
    expect(errorOf(() => find(projects, 'clients', 'client_id')).code).toBe('PGRST200');
  });

  test('a hint: the foreign key, a column of either side', () => {
    for (const hint of ['projects_client_id_fkey', 'client_id', 'id']) {
      expect(find(projects, 'projects', `clients!${hint}`)).toMatch(/^clients m2o/);
    }
  });

  test('a junction as hint', () => {
    const cache = new CatalogBuilder()
      .table('users', ['id'])
      .table('tasks', ['id'])
      .table('pairs', ['user_id', 'task_id'], 2)
      .foreignKey('fk_user', 'pairs', ['user_id'], 'users', ['id'])
      .foreignKey('fk_task', 'pairs', ['task_id'], 'tasks', ['id'])
      .cache();
    expect(find(cache, 'users', 'tasks!pairs')).toBe('tasks m2m id=user_id pairs id=task_id');
  });

  test('a view by its name alone: the key’s names stand for the tables', () => {
    const cache = new CatalogBuilder()
      .table('clients', ['id'])
      .table('projects', ['id', 'client_id'])
      .foreignKey('fk', 'projects', ['client_id'], 'clients', ['id'])
      .view('clients_view', { key: 'clients.id' })
      .cache();
    expect(find(cache, 'projects', 'clients_view')).toBe('clients_view m2o client_id=key fk to-view');
    expect(find(cache, 'projects', 'fk')).toBe('clients m2o client_id=id fk');
    expect(find(cache, 'projects', 'client_id')).toBe('clients m2o client_id=id fk');
    expect(find(cache, 'projects', 'clients_view!fk')).toBe('clients_view m2o client_id=key fk to-view');
  });

  test('a function', () => {
    const cache = new CatalogBuilder()
      .table('a', ['id'])
      .table('b', ['id'])
      .function('nearest', 'a', 'b', true)
      .cache();
    expect(find(cache, 'a', 'nearest')).toBe('b one by nearest()');
    expect(errorOf(() => find(cache, 'a', 'b')).code).toBe('PGRST200');
  });
});

describe('a self reference', () => {
  const tree = new CatalogBuilder()
    .table('orgs', ['id', 'referee', 'auditor'])
    .foreignKey('fk_referee', 'orgs', ['referee'], 'orgs', ['id'])
    .cache();

  test('is the many by the table’s name and the one by the column’s', () => {
    expect(find(tree, 'orgs', 'orgs')).toBe('orgs o2m id=referee fk_referee self');
    expect(find(tree, 'orgs', 'referee')).toBe('orgs m2o referee=id fk_referee self');
  });

  test('with a column as hint is the many through that column', () => {
    const two = new CatalogBuilder()
      .table('orgs', ['id', 'referee', 'auditor'])
      .foreignKey('fk_referee', 'orgs', ['referee'], 'orgs', ['id'])
      .foreignKey('fk_auditor', 'orgs', ['auditor'], 'orgs', ['id'])
      .cache();
    expect(find(two, 'orgs', 'orgs!auditor')).toBe('orgs o2m id=auditor fk_auditor self');
    expect(errorOf(() => find(two, 'orgs', 'orgs')).code).toBe('PGRST201');
  });
});

test('a target in another schema than the request’s is not found', () => {
  const embed = { source: ref('projects'), schema: 'other', target: 'clients', hint: undefined };
  expect(errorOf(() => findRelationship(projects, embed)).code).toBe('PGRST200');
});

describe('PGRST200', () => {
  test('says what was searched for', () => {
    expect(errorOf(() => find(projects, 'projects', 'zzz'))).toEqual({
      code: 'PGRST200',
      status: 400,
      message: "Could not find a relationship between 'projects' and 'zzz' in the schema cache",
      details:
        "Searched for a foreign key relationship between 'projects' and 'zzz' in the schema 'api', but no matches were found.",
      hint: undefined,
    });
  });

  test('with a wrong hint names it, and suggests nothing since the target is there', () => {
    expect(errorOf(() => find(projects, 'projects', 'clients!wrong'))).toMatchObject({
      details:
        "Searched for a foreign key relationship between 'projects' and 'clients' using the hint 'wrong' in the schema 'api', but no matches were found.",
      hint: undefined,
    });
  });

  test('suggests a target like the one asked for', () => {
    expect(errorOf(() => find(projects, 'projects', 'client')).hint).toBe(
      "Perhaps you meant 'clients' instead of 'client'.",
    );
  });

  test('suggests a source like the one asked for when that has no relationships', () => {
    expect(errorOf(() => find(projects, 'project', 'clients')).hint).toBe(
      "Perhaps you meant 'projects' instead of 'project'.",
    );
  });
});

describe('PGRST201', () => {
  test('lists the ways in their fixed order and how to ask for each', () => {
    const cache = new CatalogBuilder()
      .table('big_projects', ['big_project_id'])
      .table('sites', ['site_id', 'main_project_id'])
      .foreignKey('main_project', 'sites', ['main_project_id'], 'big_projects', ['big_project_id'])
      .table('jobs', ['site_id', 'big_project_id'], 2)
      .foreignKey('jobs_site_id_fkey', 'jobs', ['site_id'], 'sites', ['site_id'])
      .foreignKey('jobs_big_project_id_fkey', 'jobs', ['big_project_id'], 'big_projects', ['big_project_id'])
      .table('main_jobs', ['site_id', 'big_project_id'], 2)
      .foreignKey('main_jobs_site_id_fkey', 'main_jobs', ['site_id'], 'sites', ['site_id'])
      .foreignKey('main_jobs_big_project_id_fkey', 'main_jobs', ['big_project_id'], 'big_projects', [
        'big_project_id',
      ])
      .cache();
    expect(errorOf(() => find(cache, 'sites', 'big_projects'))).toEqual({
      code: 'PGRST201',
      status: 300,
      message: "Could not embed because more than one relationship was found for 'sites' and 'big_projects'",
      details: [
        {
          cardinality: 'many-to-one',
          embedding: 'sites with big_projects',
          relationship: 'main_project using sites(main_project_id) and big_projects(big_project_id)',
        },
        {
          cardinality: 'many-to-many',
          embedding: 'sites with big_projects',
          relationship: 'jobs using jobs_site_id_fkey(site_id) and jobs_big_project_id_fkey(big_project_id)',
        },
        {
          cardinality: 'many-to-many',
          embedding: 'sites with big_projects',
          relationship:
            'main_jobs using main_jobs_site_id_fkey(site_id) and main_jobs_big_project_id_fkey(big_project_id)',
        },
      ],
      hint:
        "Try changing 'big_projects' to one of the following: 'big_projects!main_project', 'big_projects!jobs', " +
        "'big_projects!main_jobs'. Find the desired relationship in the 'details' key.",
    });
  });

  test('writes all columns of a composite key', () => {
    const cache = new CatalogBuilder()
      .table('parents', ['a', 'b'], 2)
      .table('kids', ['id', 'x', 'y', 'u'])
      .unique('kids', ['x', 'u'])
      .foreignKey('k1', 'kids', ['x', 'y'], 'parents', ['a', 'b'])
      .foreignKey('k2', 'kids', ['x', 'u'], 'parents', ['a', 'b'])
      .cache();
    expect(errorOf(() => find(cache, 'parents', 'kids')).details).toEqual([
      {
        cardinality: 'one-to-many',
        embedding: 'parents with kids',
        relationship: 'k1 using parents(a, b) and kids(x, y)',
      },
      {
        cardinality: 'one-to-one',
        embedding: 'parents with kids',
        relationship: 'k2 using parents(a, b) and kids(x, u)',
      },
    ]);
  });
});
