import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditCheckpoint } from '../../../schemas/audit.ts';
import { createAnchors, syslogAnchor, webhookAnchor } from '../../../src/core/audit/anchors.ts';
import type { Anchor, Outbound } from '../../../src/core/audit/types.ts';
import { syslogMessage } from '../../../src/core/audit/syslog.ts';
import { listeners, newPlace, type Seen, until } from './audit-rig.ts';

const checkpoint = (seq: number): AuditCheckpoint => ({
  seq,
  hash: 'ab'.repeat(32),
  at: new Date(seq * 1000).toISOString(),
  keyId: '0123456789abcdef',
  signature: 'c2lnbmF0dXJl',
});

/** An anchor that fails until it is told to work. */
function flaky(kind: Anchor['kind']) {
  const state = { works: false, tries: 0, got: [] as number[] };
  const anchor: Anchor = {
    kind,
    send: async ({ seq }) => {
      state.tries += 1;
      if (!state.works) throw new Error('https://user:secret@log.example refused');
      state.got.push(seq);
    },
  };
  return { state, anchor };
}

const newSeen = (): Seen => ({ logged: [], counted: [], gauges: new Map() });

test('a checkpoint that did not arrive is sent again, in order, and an anchor that fails holds up no other', async () => {
  const seen = newSeen();
  const [bad, good] = [flaky('webhook'), flaky('file')];
  good.state.works = true;
  const anchors = createAnchors({ anchors: [bad.anchor, good.anchor], ...listeners(seen), retryMs: 1 });
  for (const seq of [1, 2, 3]) anchors.send(checkpoint(seq));
  await until(() => good.state.got.length === 3 && bad.state.tries > 2);
  assert.deepEqual(bad.state.got, []);
  bad.state.works = true;
  await until(() => bad.state.got.length === 3);
  assert.deepEqual(
    [bad.state.got, good.state.got],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  );
  const name = 'sallyport_audit_anchors_total';
  assert.equal(seen.counted.filter((line) => line === `${name} webhook sent`).length, 3);
  assert.ok(seen.counted.includes(`${name} webhook failed`) && seen.logged.includes('anchor.failed'));
  await anchors.close(1000);
});

test('while an anchor is away the oldest checkpoints go, and the newest arrives', async () => {
  const seen = newSeen();
  const { state, anchor } = flaky('syslog');
  const anchors = createAnchors({ anchors: [anchor], ...listeners(seen), retryMs: 1 });
  for (let seq = 1; seq <= 200; seq += 1) anchors.send(checkpoint(seq));
  state.works = true;
  await until(() => state.got.at(-1) === 200);
  assert.ok(state.got.length <= 65, String(state.got.length));
  assert.ok(seen.counted.some((line) => line.endsWith('syslog dropped')));
  await anchors.close(1000);
});

test('closing sends what waits once more, and an anchor that never answers does not hold it up', async () => {
  const seen = newSeen();
  const late = flaky('webhook');
  const silent: Anchor = { kind: 'syslog', send: () => new Promise(() => undefined) };
  const anchors = createAnchors({ anchors: [late.anchor, silent], ...listeners(seen), retryMs: 3_600_000 });
  anchors.send(checkpoint(1));
  await until(() => late.state.tries === 1);
  late.state.works = true;
  await anchors.close(50);
  assert.deepEqual(late.state.got, [1]);
  anchors.send(checkpoint(2));
  assert.deepEqual(late.state.got, [1]);
});

test('every checkpoint of an audit reaches its anchors, that of its end too, and one that fails stops no record', async (t) => {
  const { open } = await newPlace(t);
  const [bad, good] = [flaky('webhook'), flaky('file')];
  good.state.works = true;
  const audit = await open({ outside: [bad.anchor, good.anchor], checkpointEvery: () => 3 });
  for (let n = 0; n < 7; n += 1) await audit.append({ type: 'run.started' });
  assert.equal(audit.fault(), undefined);
  await audit.close();
  assert.deepEqual(good.state.got, [0, 3, 6, 7]);
});

test('a webhook gets the checkpoint with an id that stays the same for each try', async () => {
  const posts: Parameters<Outbound['post']>[0][] = [];
  const outbound: Pick<Outbound, 'post'> = { post: async (request) => void posts.push(request) };
  const anchor = webhookAnchor({ outbound, url: 'https://log.test/', secret: 'whsec_c2VjcmV0', timeoutMs: 5 });
  await anchor.send(checkpoint(4));
  await anchor.send(checkpoint(4));
  await anchor.send(checkpoint(5));
  assert.deepEqual(posts[0]?.body, { type: 'audit.checkpoint', timestamp: checkpoint(4).at, data: checkpoint(4) });
  assert.deepEqual([posts[0]?.id === posts[1]?.id, posts[0]?.id === posts[2]?.id], [true, false]);
  assert.equal(posts[0]?.secret, 'whsec_c2VjcmV0');
});

test('a syslog message is one of RFC 5424, and no hostname can begin another field or message', async () => {
  const messages: string[] = [];
  const outbound: Pick<Outbound, 'syslog'> = { syslog: async ({ message }) => void messages.push(message) };
  await syslogAnchor({ outbound, url: 'udp://h:1', hostname: 'gw 1\n<0>1', timeoutMs: 5 }).send(checkpoint(1));
  const form = /^<109>1 1970-01-01T00:00:01\.000Z gw1<0>1 sallyport - checkpoint - \ufeff(\{.*\})$/;
  assert.deepEqual(JSON.parse(form.exec(messages[0] ?? '')?.[1] ?? 'null'), checkpoint(1));
  assert.match(syslogMessage({ at: 'x', hostname: '', id: ' ', text: '' }), /^<109>1 x - sallyport - - - \ufeff$/);
});
