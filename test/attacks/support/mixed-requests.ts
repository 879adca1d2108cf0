import type { Answer, Question } from './speak.ts';
import type { Stage } from './stage.ts';

type Shape = readonly [target: string, question?: Question];

const SHAPES: readonly Shape[] = [
  ['/secrets'],
  ['/secrets?id=eq.1&select=text'],
  ['/notes?select=id,text&order=id&limit=5'],
  ['/notes?select=id,secrets(text)&id=lt.4&order=id', { headers: { prefer: 'count=exact' } }],
  ['/notes?id=eq.7', { headers: { accept: 'application/vnd.pgrst.object+json' } }],
  ['/notes?or=(id.eq.1,id.eq.2)&order=id.desc', { headers: { accept: 'text/csv' } }],
  ['/notes?select=count()'],
  ['/notes', { method: 'HEAD', headers: { range: '0-4', prefer: 'count=exact' } }],
  ['/notes', { method: 'OPTIONS' }],
  ['/notes?id=eq.3', { method: 'PATCH', body: '{"secret":1}', headers: { prefer: 'return=representation' } }],
  [
    '/notes',
    {
      method: 'POST',
      body: '{"id":4,"secret":1}',
      headers: { prefer: 'resolution=merge-duplicates,return=headers-only' },
    },
  ],
  ['/notes?id=eq.9999', { method: 'DELETE', headers: { prefer: 'return=representation' } }],
  ['/rpc/traces', { method: 'POST', body: '{}' }],
  ['/rpc/body'],
  ['/view'],
  ['/nosuch'],
  ['/notes?id=eq.x'],
  ['/notes?secret=eq.1&select=nosuch'],
  ['/', { headers: { accept: 'application/openapi+json' } }],
];

/** What differs from one time to the next anyway. */
const VARYING: ReadonlySet<string> = new Set(['date', 'x-request-id', 'connection', 'keep-alive']);

/** Requests of the victim, as various as its clients', and the answers they had before anything happened. */
export class MixedRequests {
  readonly #stage: Stage;
  readonly #shapes: readonly Shape[];
  readonly #expected: readonly string[];

  private constructor(stage: Stage, shapes: readonly Shape[], expected: readonly string[]) {
    this.#stage = stage;
    this.#shapes = shapes;
    this.#expected = expected;
  }

  static async before(stage: Stage): Promise<MixedRequests> {
    const { publishable } = stage.keys(stage.victim);
    const authorization = `Bearer ${await stage.sign(stage.victim, { role: 'authenticated', sub: 'u' })}`;
    const asOthers: Shape[] = [
      ['/notes?id=eq.2', { headers: { apikey: publishable } }],
      ['/secrets', { headers: { apikey: publishable } }],
      ['/notes?id=eq.5', { headers: { apikey: publishable, authorization } }],
    ];
    const shapes = [...SHAPES, ...asOthers];
    const expected: string[] = [];
    for (const [target, question] of shapes)
      expected.push(textOf(await stage.call(stage.victim, target, question)));
    return new MixedRequests(stage, shapes, expected);
  }

  /** @returns the first answers that are another than they were */
  async send(count: number): Promise<readonly string[]> {
    const different: string[] = [];
    const send = async (index: number): Promise<void> => {
      const [target, question] = this.#shapes[index]!;
      const answer = textOf(await this.#stage.call(this.#stage.victim, target, question));
      if (answer !== this.#expected[index])
        different.push(`${question?.method ?? 'GET'} ${target}: ${answer}`);
    };
    for (let sent = 0; sent < count; ) {
      const several: Promise<void>[] = [];
      for (; several.length < 16 && sent < count; sent++)
        several.push(send((sent * 7) % this.#shapes.length));
      await Promise.all(several);
    }
    return different.slice(0, 3);
  }
}

function textOf({ status, headers, text }: Answer): string {
  const kept = Object.entries(headers).filter(([name]) => !VARYING.has(name));
  return JSON.stringify([status, Object.fromEntries(kept), text]);
}
