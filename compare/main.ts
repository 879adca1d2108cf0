import { makeCorpus } from './corpus/corpus.ts';
import { Sender } from './send.ts';
import { startServers } from './servers.ts';

const t = Date.now();
const servers = await startServers();
process.stderr.write(`started ${Date.now() - t}\n`);
const sender = new Sender();
const out = [];
for (const r of makeCorpus({ seed: 1, mixed: 1000 })) {
  const a = [];
  if (r.method !== 'GET') await servers.resetSequences();
  for (const s of [servers.ours, servers.theirs])
    a.push(await sender.send(s, r).catch((e) => ({ status: 0, headers: {}, text: String(e) })));
  out.push({ r, ours: a[0], theirs: a[1] });
}
process.stderr.write(`sent ${out.length} ${Date.now() - t}\n`);
const fs = await import('node:fs');
fs.writeFileSync('/tmp/compare-raw.json', JSON.stringify(out));
sender.close();
await servers.close();
