import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { SourceEdit } from './mutation.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** What the edited sources look at, and what they count. */
interface Switches {
  off: string | undefined;
  comparisons: number;
  /** Names given so far, where they can be guessed. */
  count: number;
}

/** Where the edited sources find it. */
const NAME = 'cascataSwitches';

/**
 * From here on modules are loaded with all edits in them, each behind a condition, so that one process can run with any of them in force. To be
 * called before the first of these modules is loaded.
 */
export function editSources(
  edits: readonly (readonly [defence: string | undefined, edits: readonly SourceEdit[]])[],
): Switches {
  const switches: Switches = { off: undefined, comparisons: 0, count: 0 };
  Object.defineProperty(globalThis, NAME, { value: switches });
  const byFile = new Map<string, { readonly part: string; readonly instead: string }[]>();
  for (const [defence, list] of edits) {
    for (const { file, part, instead } of list) {
      const isOff = `(globalThis.${NAME}.off === ${JSON.stringify(defence)})`;
      const edit = { part, instead: instead.replaceAll(/\bOFF\b/g, () => isOff) };
      byFile.set(file, [...(byFile.get(file) ?? []), edit]);
    }
  }
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.startsWith('file:')) return loaded;
      const file = fileURLToPath(url).slice(ROOT.length);
      const wanted = byFile.get(file);
      if (wanted === undefined) return loaded;
      byFile.delete(file);
      let text = String(loaded.source);
      if (loaded.source instanceof Uint8Array) text = new TextDecoder().decode(loaded.source);
      for (const { part, instead } of wanted) {
        if (text.split(part).length !== 2)
          throw new Error(`${file} has not exactly one ${JSON.stringify(part)}`);
        text = text.replace(part, () => instead);
      }
      return { ...loaded, source: text };
    },
  });
  return switches;
}
