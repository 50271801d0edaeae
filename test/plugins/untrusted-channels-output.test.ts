/*
 * The raw output of a tool is the widest channel: a reader chooses where a page begins and how long it is, and asks for
 * the half of a secret that no mask knows; a target sends it in pieces, in a line without an end, or inside an escape
 * sequence.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { OutputPage, Run } from '../../schemas/run-record.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createRunHub, type Glimpse } from '../../src/core/run/hub.ts';
import { showTail } from '../../src/core/run/tail.ts';
import { spellingsOf } from '../fixtures/hostile-tool.ts';
import { type Asked, plant, start } from './untrusted-scene.ts';

interface Read {
  readonly runId: string;
  readonly offset: number;
  readonly limit: number;
}

async function read({ app, headers }: Asked, { runId, offset, limit }: Read): Promise<OutputPage> {
  const url = `/v1/runs/${runId}/output?offset=${offset}&limit=${limit}`;
  return (await app.inject({ url, headers })).json() as OutputPage;
}

/** Every page from the first on. */
async function pages(gateway: Asked, runId: string, limit: number): Promise<OutputPage[]> {
  const all: OutputPage[] = [];
  for (let offset: number | undefined = 0; offset !== undefined; offset = all.at(-1)?.nextOffset) {
    all.push(await read(gateway, { runId, offset, limit }));
  }
  return all;
}

async function runOf(gateway: Asked, text: string, keep: readonly string[]): Promise<string> {
  const call = { hex: Buffer.from(text).toString('hex'), note: 'n', passwords: [], keep };
  const answer = await start(gateway, call);
  assert.equal(answer.statusCode, 200, answer.body);
  return (answer.json() as { runId: string }).runId;
}

const END = '\nend of what was planted\n';

test('no page shows a part of a secret, wherever it begins and ends', async (t) => {
  const { gateway, secrets } = await plant(t);
  const { found, key, form } = secrets;
  const text = `first ${found} then ${key} and ${form} last${END}`;
  const runId = await runOf(gateway, text, [found]);
  const parts = [found, key, form].flatMap((secret) => [secret.slice(0, 6), secret.slice(-6)]);
  for (let offset = 0; offset <= text.length; offset += 1) {
    for (const limit of [7, 40, 65_536]) {
      const page = await read(gateway, { runId, offset, limit });
      for (const part of parts) assert.ok(!page.text.includes(part), `${offset}+${limit}: ${page.text}`);
    }
  }
});

test('pages put together are the whole text, with characters whole and every secret masked', async (t) => {
  const { gateway, secrets } = await plant(t);
  const text = `äöü 😀 ${'wörd '.repeat(40)}${secrets.found} 😀${'ß'.repeat(30)}${END}`;
  const runId = await runOf(gateway, text, [secrets.found]);
  for (const limit of [4, 5, 64, 1000]) {
    const shown = (await pages(gateway, runId, limit)).map((page) => page.text).join('');
    const once = shown.replace(/(\[redacted\])+/g, '[redacted]');
    assert.equal(once, text.replace(secrets.found, '[redacted]'), `limit ${limit}`);
  }
});

test('a line of a megabyte without an end is read in pages, masked in each', async (t) => {
  const { gateway, secrets } = await plant(t);
  const { given, found } = secrets;
  const line = `${'x'.repeat(700)}${found}${'y'.repeat(700)}${given}`;
  const call = {
    hex: Buffer.from(`${line}${END}${line}`).toString('hex'),
    note: 'n',
    passwords: [given],
    keep: [found],
  };
  const { runId } = (await start(gateway, { ...call, pad: 1_048_576 })).json() as { runId: string };
  const all = await pages(gateway, runId, 65_536);
  assert.ok(all.length > 10, String(all.length));
  for (const page of all) {
    assert.ok(![found, given].some((secret) => page.text.includes(secret.slice(0, 6))));
    assert.ok(page.text.length <= 65_536 + 100);
  }
  assert.match(all.map(({ text }) => text).join(''), /x\[redacted\]y+\[redacted\]A+/);
});

test('what a call brought is masked in what is kept, and output without it keeps its bytes', async (t) => {
  const { gateway, secrets } = await plant(t);
  const { given } = secrets;
  const plain = `plain \u001b[31mline\u0000 without${END}`;
  const split = `${given.slice(0, 5)}\u001b[0m${given.slice(5)}`;
  const hidden = `${spellingsOf(given).join(' ')}\n${split}\nend ${given}`;
  for (const [text, isKept] of [
    [plain, true],
    [`${plain}${hidden}`, false],
  ] as const) {
    const call = { hex: Buffer.from(text).toString('hex'), note: 'n', passwords: [given], keep: [] };
    const answer = await start(gateway, call);
    assert.equal(answer.statusCode, 200, answer.body);
    const { runId } = answer.json() as { runId: string };
    const { stdout, stderr } = (
      await gateway.app.inject({ url: `/v1/runs/${runId}`, headers: gateway.headers })
    ).json() as Run;
    const sha256 = createHash('sha256').update(text).digest('hex');
    assert.deepEqual([stdout.sha256 === sha256, stderr.sha256 === sha256], [isKept, isKept]);
    assert.equal(stdout.bytes, Buffer.byteLength(text));
    // No mask of a reader knows what was given: what is not shown is not kept.
    const { text: shown } = await read(gateway, { runId, offset: 0, limit: 65_536 });
    assert.ok(!spellingsOf(given).some((spelling) => shown.includes(spelling)), shown);
    assert.equal(shown.includes('[redacted]'), !isKept);
  }
});

test('while a run goes on, no page ends in what may be one half of a secret', async (t) => {
  const { gateway, secrets } = await plant(t);
  const { found } = secrets;
  const text = `${END.trim()} ${found}\n${'z'.repeat(300)}${found.slice(0, 9)}`;
  const call = { hex: Buffer.from(text).toString('hex'), note: 'n', passwords: [], keep: [found], hold: 1 };
  const begun = await start(gateway, call, { prefer: 'respond-async' });
  const { runId } = begun.json() as { runId: string };
  let page: OutputPage;
  do page = await read(gateway, { runId, offset: 0, limit: 65_536 });
  while (page.keptBytes < text.length);
  for (let offset = 0; offset < text.length; offset += 1) {
    const { text: shown, isFinal } = await read(gateway, { runId, offset, limit: 20 });
    assert.ok(!shown.includes(found.slice(0, 6)), `${offset}: ${shown}`);
    assert.equal(isFinal, false);
  }
  await gateway.app.inject({ method: 'POST', url: `/v1/runs/${runId}/cancel`, headers: gateway.headers });
});

test('the tail of the output that followers see begins with a whole line, whatever was written before it', () => {
  const secret = 'S3cretOfALongLine';
  const shown: string[] = [];
  const tailOf = (chunk: string) => {
    const hub = {
      ...createRunHub(),
      show: (_runId: string, glimpse: Glimpse) => shown.push(String(glimpse.data['text'])),
    };
    const mask = <T>(value: T): T => String(value).replaceAll(secret, '[redacted]') as T;
    const text = { cleanTail: (tail: string) => tail };
    showTail({ runId: 'r', hub, clock: systemClock, text, mask } as never).take('stdout', Buffer.from(chunk));
  };
  for (let before = 0; before <= secret.length; before += 1) {
    const rest = 2048 - before;
    tailOf(`first\n${secret}${'y'.repeat(rest - 10)}\nlast line\n`);
    tailOf(`first\n${'y'.repeat(4000)}${secret}${'z'.repeat(rest)}\n`);
  }
  assert.ok(shown.includes('last line'));
  const half = new RegExp(secret.slice(-6));
  for (const text of shown) assert.doesNotMatch(text, half);
});
