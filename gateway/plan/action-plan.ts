import type { MediaType } from '../api-request/media-type.ts';
import type { OpenApiVersion } from '../api-request/open-api-version.ts';
import type { MediaHandler, Relation, Routine } from '../schema-cache/schema-cache.ts';
import type { CallPlan } from './call-plan.ts';
import type { MutatePlan } from './mutate-plan.ts';
import type { ReadPlan } from './read-plan.ts';
import type { TransactionPlan } from './transaction-plan.ts';

/** Who builds the body: a built-in format, or a tenant's own aggregate or function (M8). */
export type BodyHandler =
  | { readonly kind: 'builtin'; readonly media: MediaType }
  | { readonly kind: 'aggregate'; readonly media: MediaType; readonly handler: MediaHandler }
  /** The routine returns the media type's domain itself. */
  | { readonly kind: 'routine'; readonly media: MediaType };

/** What will be done, decided from the request and the schema cache alone. */
export type ActionPlan = DatabasePlan | DescribePlan;

/** Plans that need a transaction. */
export type DatabasePlan =
  | {
      readonly kind: 'read';
      readonly relation: Relation;
      readonly read: ReadPlan;
      readonly headersOnly: boolean;
      readonly body: BodyHandler;
      /** Set when EXPLAIN output is asked for. */
      readonly explain: Extract<MediaType, { kind: 'plan' }> | undefined;
      readonly transaction: TransactionPlan;
    }
  | {
      readonly kind: 'mutate';
      readonly relation: Relation;
      readonly mutate: MutatePlan;
      /** Shape of the returned rows. */
      readonly read: ReadPlan;
      readonly body: BodyHandler;
      readonly explain: Extract<MediaType, { kind: 'plan' }> | undefined;
      readonly transaction: TransactionPlan;
    }
  | {
      readonly kind: 'call';
      readonly routine: Routine;
      readonly call: CallPlan;
      readonly read: ReadPlan;
      readonly headersOnly: boolean;
      readonly body: BodyHandler;
      readonly explain: Extract<MediaType, { kind: 'plan' }> | undefined;
      readonly transaction: TransactionPlan;
    }
  /** The OpenAPI root. `follow-privileges` asks the database what the role may use. */
  | {
      readonly kind: 'inspect-root';
      readonly headersOnly: boolean;
      readonly document: RootDocument;
      readonly transaction: TransactionPlan;
    };

/** Which document the root is, and as what it is sent. */
export interface RootDocument {
  readonly version: OpenApiVersion;
  /** Without charset. */
  readonly mediaType: string;
}

/** OPTIONS: answered from the schema cache alone (R5, R6). */
export type DescribePlan =
  | { readonly kind: 'options-root' }
  | { readonly kind: 'options-relation'; readonly relation: Relation }
  | { readonly kind: 'options-routine'; readonly routine: Routine };
