/**
 * A request body, checked but not transformed more than needed: the text is handed to PostgreSQL as one parameter.
 */
export type Payload =
  /** JSON text of an object or of an array of objects, from JSON, CSV or a form. */
  | {
      readonly kind: 'json';
      /** Valid JSON, unless `isUnchecked`. CSV and form bodies have been turned into JSON. */
      readonly text: string;
      readonly isArray: boolean;
      /** Keys of the objects, sorted, all alike; with `columns` given these are the columns instead. */
      readonly keys: readonly string[];
      /** The text was not parsed here, since `columns` was given (W2) or a call has no body; PostgreSQL does it. */
      readonly isUnchecked: boolean;
      /** The body came as CSV, which no single unnamed parameter takes (C4). */
      readonly isCsv?: true;
    }
  /** Parameters of a form-encoded RPC call; the last value of a repeated name wins unless it is variadic. */
  | { readonly kind: 'form'; readonly params: readonly (readonly [name: string, value: string])[] }
  /** A body for a single unnamed parameter of type text, xml or bytea (C4). `bytes` is the body as received. */
  | {
      readonly kind: 'raw';
      readonly bytes: Uint8Array;
      readonly contentType: 'text' | 'xml' | 'octet-stream';
    };
