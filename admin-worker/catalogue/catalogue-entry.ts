import type { Placement } from '../../gateway/registry/tenant.ts';

export type PlacementKind = Placement['kind'];
export type ExtensionFamily = 'geo' | 'search' | 'types' | 'indexes' | 'vectors' | 'utils';

/** One extension that tenants may ask for. */
export interface CatalogueEntry {
  /** As in `CREATE EXTENSION`. */
  readonly name: string;
  readonly summary: string;
  readonly family: ExtensionFamily;
  /** `core`: in every PostgreSQL of ours. `bundle`: brought by an image, unless the server has it. `core-image`: preloaded or not there at all. */
  readonly source:
    | { readonly kind: 'core' }
    | { readonly kind: 'bundle'; readonly bundle: string }
    | { readonly kind: 'core-image' };
  /** SPDX. */
  readonly licence: string;
  /** Extensions that `CREATE EXTENSION … CASCADE` makes with it. */
  readonly requires?: readonly string[];
  /** Upstream's control file says `trusted = true` and that is all right: it hands nothing to whoever creates it. */
  readonly mayBeTrusted?: boolean;
  /** Where it may go. Default: everywhere. */
  readonly placements?: readonly PlacementKind[];
  /** A query of one row and one column that is `true` when the extension does what it is for; its schema is on the search path. */
  readonly smoke: string;
  /** What was really run, and on what. Empty: nobody has seen it work here yet; the rehearsal decides. */
  readonly verified: readonly Verification[];
  /** What else is to be known. */
  readonly note?: string;
}

export interface Verification {
  /** `embedded 17.10 (glibc)`. */
  readonly core: string;
  /** Of the extension. */
  readonly version: string;
  /** Day, and the test that shows it. */
  readonly by: string;
}

/** An image that gives one or more extensions. */
export interface Bundle {
  readonly name: string;
  /** Repository with registry: `docker.io/postgis/postgis`. Absent: nobody publishes one; the operator makes and pins it. */
  readonly repository?: string;
  /** For humans: what to pin. Tags are never pulled. */
  readonly tag?: string;
  /**
   * `sha256:…` of what was verified. Absent: nobody has; the operator pins one with the setting `extensions.images`, or the injection is
   * refused.
   */
  readonly digest?: string;
  /** What the published image is built against. */
  readonly libc?: 'glibc' | 'musl';
  readonly extensions: readonly string[];
  /** Folders that the libraries read, by their path in the image, and what they are called below the core's data folder. */
  readonly data?: readonly { readonly from: readonly string[]; readonly to: string }[];
  /** Beyond what its files need: a query in the rehearsal of its first extension, one row and one column that is `true`. */
  readonly smoke?: string;
  readonly licence: string;
  /** Of the payload, in megabytes, about. */
  readonly sizeMb: number;
}

/** An extension that people ask for and that is not offered. */
export interface Equivalence {
  readonly name: string;
  readonly reason: string;
  readonly instead: string;
}
