import { expect, test } from 'vitest';
import { chooseCredential, takeQueryApiKey } from '../../../auth/credentials.ts';

const JWT = 'eyJh.eyJy.c2ln';
const KEY = 'sb_publishable_x';

test.each([
  ['nothing', undefined, undefined, undefined, undefined],
  ['a token', `Bearer ${JWT}`, undefined, JWT, undefined],
  ['a token beside a key', `Bearer ${JWT}`, KEY, JWT, KEY],
  ['a key in both places', `Bearer ${KEY}`, KEY, KEY, KEY],
  ['a key as bearer alone', `Bearer ${KEY}`, undefined, KEY, KEY],
  ['two different keys: the apikey decides', `Bearer ${KEY}`, 'sb_secret_y', 'sb_secret_y', 'sb_secret_y'],
  ['a key as bearer, a token as apikey', `Bearer ${KEY}`, JWT, JWT, JWT],
  ['an apikey alone', undefined, JWT, JWT, JWT],
  ['an empty apikey', undefined, '', undefined, undefined],
  ['another scheme', 'Basic abc', KEY, KEY, KEY],
  ['an empty bearer', 'Bearer', KEY, '', KEY],
  ['a scheme in lower case', `bearer  ${JWT} `, undefined, JWT, undefined],
])('%s', (_name, authorization, apikey, decisive, key) => {
  expect(chooseCredential({ authorization, apikey })).toMatchObject({ decisive, apikey: key });
});

test('a key is taken out of the query string, wherever it stands', () => {
  expect(takeQueryApiKey(`a=eq.1&apikey=${KEY}&b=eq.2`)).toEqual({ apikey: KEY, rawQuery: 'a=eq.1&b=eq.2' });
  expect(takeQueryApiKey(`apikey=${JWT}`)).toEqual({ apikey: JWT, rawQuery: '' });
});

test('a filter on a column named apikey stays a filter', () => {
  expect(takeQueryApiKey('apikey=eq.5')).toEqual({ apikey: undefined, rawQuery: 'apikey=eq.5' });
  expect(takeQueryApiKey('my_apikey=eq.sb_x')).toEqual({ apikey: undefined, rawQuery: 'my_apikey=eq.sb_x' });
});
