import type { Bundle, CatalogueEntry } from './catalogue-entry.ts';

/*
 * No digest is pinned here yet: none of these images was pulled from its public registry by a test of ours. An operator who has looked at
 * one pins it with `extensions.images`; docs/extensions.md shows how.
 */

export const BUNDLES: readonly Bundle[] = [
  {
    name: 'postgis',
    repository: 'docker.io/postgis/postgis',
    tag: '17-3.5-alpine',
    libc: 'musl',
    extensions: ['postgis', 'postgis_topology', 'postgis_raster', 'postgis_sfcgal', 'address_standardizer'],
    data: [
      { from: ['/usr/share/proj', '/usr/local/share/proj'], to: 'proj' },
      { from: ['/usr/share/gdal', '/usr/local/share/gdal'], to: 'gdal' },
    ],
    // Without proj.db nothing fails loudly: only this shows it.
    smoke: `SELECT postgis_full_version() LIKE '%DATABASE_PATH=%'`,
    licence: 'GPL-2.0-or-later',
    sizeMb: 193,
  },
  {
    name: 'pgvector',
    repository: 'docker.io/pgvector/pgvector',
    tag: 'pg17',
    libc: 'glibc',
    extensions: ['vector'],
    licence: 'PostgreSQL',
    sizeMb: 1,
  },
  { name: 'pgtap', extensions: ['pgtap'], licence: 'PostgreSQL', sizeMb: 1 },
];

const POSTGIS = {
  source: { kind: 'bundle', bundle: 'postgis' },
  family: 'geo',
  licence: 'GPL-2.0-or-later',
  verified: [],
} as const;

export const BUNDLED_EXTENSIONS: readonly CatalogueEntry[] = [
  {
    ...POSTGIS,
    name: 'postgis',
    summary: 'Geometry and geography, their indexes and functions',
    smoke: `SELECT ST_AsText(ST_Transform(ST_SetSRID(ST_MakePoint(0, 0), 4326), 3857)) IS NOT NULL`,
  },
  {
    ...POSTGIS,
    name: 'postgis_raster',
    summary: 'Rasters',
    requires: ['postgis'],
    smoke: `SELECT ST_Width(ST_MakeEmptyRaster(10, 10, 0, 0, 1)) = 10`,
    note: 'With GDAL and its libraries about 110 MB.',
  },
  {
    ...POSTGIS,
    name: 'postgis_sfcgal',
    summary: 'Three-dimensional operations by SFCGAL',
    requires: ['postgis'],
    smoke: `SELECT postgis_sfcgal_version() IS NOT NULL`,
  },
  {
    ...POSTGIS,
    name: 'address_standardizer',
    summary: 'Addresses into their parts',
    smoke: `SELECT to_regprocedure('parse_address(text)') IS NOT NULL`,
    mayBeTrusted: true,
  },
  {
    ...POSTGIS,
    name: 'postgis_topology',
    summary: 'Topology: faces, edges, nodes',
    requires: ['postgis'],
    // Its schema `topology` is the same for all of a database.
    placements: ['database', 'remote'],
    smoke: `SELECT to_regclass('topology.topology') IS NOT NULL`,
  },
  {
    name: 'vector',
    summary: 'Vectors and their nearest neighbours (pgvector)',
    family: 'vectors',
    source: { kind: 'bundle', bundle: 'pgvector' },
    licence: 'PostgreSQL',
    mayBeTrusted: true,
    smoke: `SELECT ('[1,2,2]'::vector <-> '[1,2,3]'::vector) = 1`,
    verified: [],
    note: 'For large collections Qdrant is the better place.',
  },
  {
    name: 'pgtap',
    summary: 'Unit tests in SQL',
    family: 'utils',
    source: { kind: 'bundle', bundle: 'pgtap' },
    licence: 'PostgreSQL',
    smoke: `SELECT pgtap_version() > 0`,
    verified: [],
    note: 'SQL alone, no library. No image of it is published: three lines on top of any base make one (docs/extensions.md).',
  },
];
