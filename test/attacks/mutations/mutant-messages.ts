import type { MutantGateway, SourceEdit } from './mutation.ts';

/** What the process of the mutants is told first. */
export interface OpenMutants {
  readonly controlUrl: string;
  readonly sharedDatabase: string;
  readonly sharedUrl: string;
  readonly masterKey: string;
  readonly adminToken: string;
  readonly dataDir: string;
  /** By defence. */
  readonly edits: readonly (readonly [defence: string, edits: readonly SourceEdit[]])[];
}

export type ToMutants =
  | { readonly kind: 'open'; readonly open: OpenMutants }
  /** @param gateway begins anew with these settings */
  | {
      readonly kind: 'switch';
      readonly off: string | undefined;
      readonly gateway: MutantGateway | undefined;
    }
  | { readonly kind: 'count-comparisons' };

export interface FromMutants {
  readonly error?: string;
  readonly gatewayPort: number;
  readonly adminPort: number;
  /** Calls of `timingSafeEqual` for keys since the last time. */
  readonly comparisons: number;
}
