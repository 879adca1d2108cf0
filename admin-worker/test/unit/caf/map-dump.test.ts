import { expect, test } from 'vitest';
import { DumpTocReader } from '../../../caf/dump-toc.ts';
import { type DumpMapping, mapDump } from '../../../caf/map-dump.ts';
import { tenantRoles } from '../../../provision/tenant-names.ts';
import { anEntry, editDump, type RawEntry } from '../../support/dump-edit.ts';

const ROWS = Buffer.from('the rows, in whatever form');
const ROLES = tenantRoles({ rolePrefix: 'acme', schemaPrefix: undefined });
const MAPPING: DumpMapping = {
  schemas: ['public'],
  roles: ROLES,
  names: new Map([
    ['boss', 'acme_owner'],
    ['Old Boss', 'acme_owner'],
    ['anon', 'acme_anon'],
    ['authenticated', 'acme_authenticated'],
  ]),
  rights: [],
};

/** A dump as pg_dump 15 writes it: format 1.14. */
function aDump(entries: readonly Partial<RawEntry>[]): Buffer {
  const int = (value: number) => Buffer.from([0, value, 0, 0, 0]);
  const head = [Buffer.from('PGDMP'), Buffer.from([1, 14, 0, 4, 8, 1]), int(0)];
  const numbers = Array.from({ length: 7 }, () => int(1));
  const texts = Array.from({ length: 3 }, () => Buffer.concat([int(1), Buffer.from('x')]));
  const empty = Buffer.concat([...head, ...numbers, ...texts, int(0), ROWS]);
  return editDump(empty, () => entries.map((entry, index) => anEntry({ id: index + 1, ...entry })));
}

/** Entries after mapping, and what follows them. @param size of the pieces that the dump comes in */
async function mapped(entries: readonly Partial<RawEntry>[], mapping = MAPPING, size = 7) {
  const dump = aDump(entries);
  async function* pieces() {
    for (let at = 0; at < dump.length; at += size) yield dump.subarray(at, at + size);
  }
  const parts: Uint8Array[] = [];
  for await (const part of mapDump(pieces(), mapping)) parts.push(Buffer.from(part));
  const result = Buffer.concat(parts);
  const toc = new DumpTocReader();
  const { entries: found, tail } = toc.read(result);
  expect([toc.isComplete, tail]).toEqual([true, ROWS]);
  return found.map(({ entry }) => entry);
}

const definitions = async (kind: string, ...texts: readonly string[]) =>
  (await mapped(texts.map((definition) => ({ kind, definition, schema: 'public', tag: 'TABLE t' })))).map(
    ({ definition }) => definition.replaceAll(/\s+/g, ' ').trim(),
  );

test('rights go to the roles that stand for those at the origin; what others had is left out, whoever gave it', async () => {
  expect(
    await definitions(
      'ACL',
      'REVOKE ALL ON TABLE public.t FROM "Old Boss";\nGRANT SELECT(id) ON TABLE public.t TO anon;\n',
      'SET SESSION AUTHORIZATION boss;\nGRANT ALL ON TABLE public.t TO authenticated WITH GRANT OPTION;\nRESET SESSION AUTHORIZATION;\n',
      'GRANT SELECT ON TABLE public.t TO reporter;\nGRANT SELECT ON TABLE public.t TO PUBLIC;\n',
      'GRANT SELECT ON TABLE public."to anon" TO reporter;\n',
    ),
  ).toEqual([
    'REVOKE ALL ON TABLE public.t FROM "acme_owner"; GRANT SELECT(id) ON TABLE public.t TO "acme_anon";',
    'GRANT ALL ON TABLE public.t TO "acme_authenticated" WITH GRANT OPTION;',
    'GRANT SELECT ON TABLE public.t TO PUBLIC;',
    '',
  ]);
  const [defaults, others] = await mapped([
    {
      kind: 'DEFAULT ACL',
      definition: 'ALTER DEFAULT PRIVILEGES FOR ROLE boss IN SCHEMA public GRANT ALL ON TABLES  TO anon;\n',
    },
    {
      kind: 'DEFAULT ACL',
      definition:
        'ALTER DEFAULT PRIVILEGES FOR ROLE reporter IN SCHEMA public GRANT ALL ON TABLES  TO anon;\n',
    },
  ]);
  expect([defaults?.definition, others?.definition]).toEqual([
    'ALTER DEFAULT PRIVILEGES FOR ROLE "acme_owner" IN SCHEMA public GRANT ALL ON TABLES  TO "acme_anon";\n',
    '',
  ]);
});

test('a policy is for those of its roles that are known; one for others alone is for nobody', async () => {
  expect(
    await definitions(
      'POLICY',
      `CREATE POLICY p ON public.t FOR SELECT TO authenticated, reporter, anon USING ((r = ANY ('{to,anon}'::text[])));\n`,
      'CREATE POLICY p ON public.t AS RESTRICTIVE TO reporter USING (false);\n',
      'CREATE POLICY p ON public.t USING (true);\n',
    ),
  ).toEqual([
    `CREATE POLICY p ON public.t FOR SELECT TO "acme_authenticated", "acme_anon" USING ((r = ANY ('{to,anon}'::text[])));`,
    '',
    'CREATE POLICY p ON public.t USING (true);',
  ]);
});

test('owners have the names of the archive, other texts are as they were, and rights that were everybody’s come last', async () => {
  const rights = [{ tag: 'SCHEMA public', statement: 'GRANT USAGE ON SCHEMA public TO "acme_anon";\n' }];
  const found = await mapped(
    [
      {
        kind: 'TABLE',
        tag: 't',
        schema: 'public',
        owner: 'boss',
        definition: 'CREATE TABLE public.t (anon int);\n',
      },
      {
        kind: 'ACL',
        tag: 'SCHEMA public',
        owner: 'boss',
        definition: 'GRANT USAGE ON SCHEMA public TO anon;\n',
      },
    ],
    { ...MAPPING, rights },
    1_000,
  );
  expect(found).toMatchObject([
    { id: 1, owner: 'acme_owner', definition: 'CREATE TABLE public.t (anon int);\n' },
    { id: 2, owner: 'acme_owner', definition: 'GRANT USAGE ON SCHEMA public TO "acme_anon";\n' },
    { id: 3, kind: 'ACL', tag: 'SCHEMA public', owner: 'acme_owner', definition: rights[0]?.statement },
  ]);
});

test('what a hydration would refuse is refused', async () => {
  await expect(
    mapped([
      {
        kind: 'FUNCTION',
        tag: 'FUNCTION f()',
        schema: 'public',
        owner: 'reporter',
        definition:
          'CREATE FUNCTION public.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$;\n',
      },
    ]),
  ).rejects.toMatchObject({
    code: 'foreign-role',
    message: expect.stringMatching(/^An archive of it would be refused/),
  });
});
