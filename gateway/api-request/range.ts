/** A window over rows. `limit: undefined` means no upper end. */
export interface ItemRange {
  readonly offset: number;
  readonly limit: number | undefined;
}

export const ALL_ROWS: ItemRange = { offset: 0, limit: undefined };
