import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BatchWriter } from '../../../execute/batch-writer.ts';
import type { EncodedValues } from '../../../platform/sql.ts';

const VALUES = fc.array(fc.option(fc.string({ unit: 'binary', maxLength: 60 })), { maxLength: 20 });

test('values that were kept are sent byte for byte as they would be written', () => {
  const writer = new BatchWriter();
  fc.assert(
    fc.property(VALUES, fc.string({ maxLength: 40 }), (values, before) => {
      writer.bind('s', values);
      const plain = writer.take();
      const encoded: EncodedValues = { values: undefined };
      for (let use = 0; use < 3; use++) {
        // Something else comes first, so that what is kept does not depend on where it was written.
        writer.bind('other', [before]);
        const rest = writer.take().length;
        writer.bind('other', [before]);
        writer.bind('s', values, encoded);
        expect(writer.take().subarray(rest)).toEqual(plain);
      }
      expect(encoded.values).toBeDefined();
    }),
  );
});

test('what is kept is no part of the buffer that the next batch is written to', () => {
  const writer = new BatchWriter();
  const encoded: EncodedValues = { values: undefined };
  writer.bind('s', ['a value'], encoded);
  const first = writer.take();
  writer.bind('s', ['x'.repeat(200)]);
  writer.take();
  writer.bind('s', ['a value'], encoded);
  expect(writer.take()).toEqual(first);
});
