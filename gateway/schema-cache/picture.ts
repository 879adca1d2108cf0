import type { PostgrestRecord } from '../registry/postgrest-settings.ts';
import type { PictureWeight } from './picture-weight.ts';
import type {
  DataRepresentation,
  KnownNames,
  MediaHandler,
  Relation,
  Relationships,
  Routine,
  SchemaCache,
} from './schema-cache.ts';

/** What a picture is made of. */
export interface PictureParts extends Omit<SchemaCache, 'hiddenJunctions' | 'sizeBytes' | 'addWeight'> {
  readonly findHiddenJunctions: () => ReadonlySet<string>;
  readonly weight: PictureWeight;
}

/**
 * A picture as it is read from a catalog. A class, because objects that each bring getters of their own have no shape in common: the engine then looks up
 * every property of every tenant's picture by its name.
 */
export class Picture implements SchemaCache {
  readonly relations: ReadonlyMap<string, Relation>;
  readonly relationships: Relationships;
  readonly routines: ReadonlyMap<string, readonly Routine[]>;
  readonly names: KnownNames;
  readonly mediaHandlers: readonly MediaHandler[];
  readonly representations: readonly DataRepresentation[];
  readonly timezones: ReadonlySet<string>;
  readonly roleSettings: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly databaseSettings: PostgrestRecord;
  readonly schemaDescriptions: ReadonlyMap<string, string>;
  readonly serverVersion: number;
  readonly #weight: PictureWeight;
  readonly #findHiddenJunctions: () => ReadonlySet<string>;
  #hiddenJunctions: ReadonlySet<string> | undefined;

  constructor(parts: PictureParts) {
    this.relations = parts.relations;
    this.relationships = parts.relationships;
    this.routines = parts.routines;
    this.names = parts.names;
    this.mediaHandlers = parts.mediaHandlers;
    this.representations = parts.representations;
    this.timezones = parts.timezones;
    this.roleSettings = parts.roleSettings;
    this.databaseSettings = parts.databaseSettings;
    this.schemaDescriptions = parts.schemaDescriptions;
    this.serverVersion = parts.serverVersion;
    this.#weight = parts.weight;
    this.#findHiddenJunctions = parts.findHiddenJunctions;
  }

  get hiddenJunctions(): ReadonlySet<string> {
    this.#hiddenJunctions ??= this.#findHiddenJunctions();
    return this.#hiddenJunctions;
  }

  get sizeBytes(): number {
    return this.#weight.bytes;
  }

  addWeight(bytes: number): void {
    this.#weight.add(bytes);
  }
}
