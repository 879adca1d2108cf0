import type { ApiRequest, Mutation } from '../api-request/api-request.ts';
import type { HttpResponse } from '../errors/http-response.ts';
import type { MutatePlan } from '../plan/mutate-plan.ts';
import { contentRange } from './content-range.ts';
import { bodyContentType } from './content-type.ts';
import { finishResponse } from './finish-response.ts';
import { locationHeader } from './location.ts';
import { type MainRow, mainRow, rowBody } from './main-row.ts';
import { addPreferenceApplied, addProfile } from './respond-rows.ts';
import type { MutateAction, ResponseInput } from './response-input.ts';

/** POST, PATCH, PUT and DELETE of a relation (W1, W5–W9): the changed rows with `return=representation`, else no body. */
export function respondMutation(input: ResponseInput, plan: MutateAction): HttpResponse {
  const { request } = input;
  const { mutation } = plan.mutate;
  const row = mainRow(input.query, input.resultSet);
  const hasBody = request.preferences.return === 'representation';
  const headers: Record<string, string> = {};
  const range = mutationRange(mutation, request, row);
  if (range !== undefined) headers['Content-Range'] = range;
  if (row.location !== null) headers.Location = locationHeader(plan.relation.name, row.location);
  addPreferenceApplied(headers, request, {
    kind: 'mutate',
    mutation,
    hasConflictTarget: plan.relation.primaryKey.length > 0 || request.query.onConflict !== undefined,
  });
  if (hasBody) {
    headers['Content-Type'] = bodyContentType(plan);
    addProfile(headers, request);
  }
  const status = mutationStatus(plan.mutate, row, hasBody);
  return finishResponse({ status, headers, body: hasBody ? rowBody(plan, row) : '' }, row, input.addHeaders);
}

/** `Content-Range` (O6): only updates say which rows, inserts and deletes only how many, PUT nothing. */
function mutationRange(mutation: Mutation, request: ApiRequest, row: MainRow): string | undefined {
  const { count } = request.preferences;
  const total = count === 'exact' || count === 'estimated' ? row.pageCount : undefined;
  switch (mutation) {
    case 'create':
    case 'delete':
      return contentRange(1, 0, total);
    case 'update':
      return contentRange(0, row.pageCount - 1, total);
    case 'single-upsert':
      return undefined;
    default:
      return mutation satisfies never;
  }
}

function mutationStatus({ mutation, onConflict }: MutatePlan, row: MainRow, hasBody: boolean): number {
  const inserted = row.insertedCount ?? 0;
  switch (mutation) {
    case 'create':
      // An upsert that only changed rows, or had none to begin with, has created nothing.
      return onConflict?.resolution === 'merge-duplicates' && inserted <= 0 ? 200 : 201;
    case 'single-upsert':
      if (!hasBody) return 204;
      return inserted > 0 ? 201 : 200;
    case 'update':
    case 'delete':
      return hasBody ? 200 : 204;
    default:
      return mutation satisfies never;
  }
}
