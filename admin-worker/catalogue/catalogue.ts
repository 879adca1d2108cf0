import { BUNDLED_EXTENSIONS, BUNDLES } from './bundled-extensions.ts';
import type { Bundle, CatalogueEntry } from './catalogue-entry.ts';
import { CORE_EXTENSIONS } from './core-extensions.ts';
import { EQUIVALENCES } from './equivalences.ts';

/** All that tenants may ask for, by name. */
export function catalogue(): readonly CatalogueEntry[] {
  return [...CORE_EXTENSIONS, ...BUNDLED_EXTENSIONS].toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
}

export function findEntry(name: string): CatalogueEntry | undefined {
  return catalogue().find((entry) => entry.name === name);
}

/** The bundle that brings an extension; `undefined` when no image does. */
export function bundleOf({ source }: CatalogueEntry): Bundle | undefined {
  return source.kind === 'bundle' ? BUNDLES.find(({ name }) => name === source.bundle) : undefined;
}

/** Why a name is not in the catalogue, and what to do; both are sentences. */
export function refusalOf(name: string): { readonly message: string; readonly hint: string } {
  const known = EQUIVALENCES.find((equivalence) => equivalence.name === name);
  if (known !== undefined)
    return {
      message: `The extension '${name}' is not offered: ${known.reason}`,
      hint: `Instead: ${known.instead}`,
    };
  return {
    message: `There is no extension '${name}' in the catalogue`,
    hint: 'GET /v1/extensions lists what there is',
  };
}
