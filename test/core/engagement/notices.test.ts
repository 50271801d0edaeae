import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { noticesOf } from '../../../src/core/engagement/notices.ts';
import { overlapNotices } from '../../../src/core/engagement/scope-notices.ts';
import { sample } from './rig.ts';

const noticesFor = (changes: Partial<EngagementDocument>) =>
  noticesOf(sample(changes), { tools: ['nmap', 'dig', 'gobuster'], mayBeEndless: false });

test('a document without contradictions has no notices', () => assert.deepEqual(noticesFor({}), []));

/** What contradicts, the document, and a word of the one notice that it gets. */
const CONTRADICTIONS: readonly (readonly [string, Partial<EngagementDocument>, RegExp])[] = [
  [
    'an allowed block inside a denied one',
    { scope: { allow: ['10.20.0.0/16'], deny: ['10.0.0.0/8'] } },
    /scope\.allow\[0\].*scope\.deny/,
  ],
  [
    'an allowed name below a denied wildcard',
    { scope: { allow: ['a.b.test'], deny: ['*.test'] } },
    /scope\.allow\[0\]/,
  ],
  ['an entry inside another', { scope: { allow: ['10.0.0.0/8', '10.1.0.0/16'] } }, /scope\.allow\[1\] .*lies within/],
  ['the same entry twice', { scope: { allow: ['a.test', 'a.test'] } }, /repeats/],
  [
    'a denied entry inside another',
    { scope: { allow: ['10.0.0.0/8'], deny: ['*.a.test', 'x.a.test'] } },
    /scope\.deny\[1\]/,
  ],
  ['a tool allowed and denied', { tools: { allow: ['nmap', 'dig'], deny: ['nmap'] } }, /tools\.allow "nmap"/],
  ['a pattern whose tools are all denied', { tools: { allow: ['n*', 'dig'], deny: ['nm*'] } }, /tools\.allow "n\*"/],
  ['a tool that is none', { tools: { allow: ['*'], deny: ['gobustr'] } }, /"gobustr" matches no loaded tool/],
  ['the only port denied', { ports: { allow: ['80'], deny: ['1-1000'] } }, /no port/],
  ['a port allowed and denied', { ports: { allow: ['80', '443'], deny: ['80'] } }, /ports 80 are allowed and denied/],
  ['no allowed port', { ports: { allow: [] } }, /ports\.allow is empty/],
  ['no end', { window: {} }, /never expires/],
  [
    'hours outside of the days',
    { window: { from: '2026-11-23T00:00:00Z', until: '2026-11-27T00:00:00Z', weekly: ['Sat-Sun 08:00-18:00 UTC'] } },
    /never open/,
  ],
  [
    'a blackout over everything',
    {
      window: {
        from: '2026-11-23T00:00:00Z',
        until: '2026-11-27T00:00:00Z',
        blackout: [{ from: '2026-11-22T00:00:00Z', until: '2026-11-28T00:00:00Z' }],
      },
    },
    /never open/,
  ],
  [
    'a blackout beside the window',
    {
      window: {
        until: '2026-11-27T00:00:00Z',
        blackout: [{ from: '2026-12-22T00:00:00Z', until: '2026-12-28T00:00:00Z' }],
      },
    },
    /blackout lie outside/,
  ],
  [
    'one of several hours that never apply',
    {
      window: {
        from: '2026-11-23T00:00:00Z',
        until: '2026-11-27T00:00:00Z',
        weekly: ['Mon-Fri 08:00-18:00 UTC', 'Sun 08:00-18:00 UTC'],
      },
    },
    /"Sun 08:00-18:00 UTC" never applies/,
  ],
  ['an approval that is never asked for', { approvals: { from: 'exploit' } }, /nobody is ever asked/],
  [
    'a quorum that cannot be met',
    { approvals: { from: 'active', quorum: 2, approvers: ['boss', 'boss'] } },
    /nothing can be approved/,
  ],
  [
    'an approver who only asks',
    { principals: ['a', 'b'], approvals: { from: 'active', approvers: ['a'] } },
    /besides "a"/,
  ],
  ['nobody named', { principals: [] }, /nobody may use/],
  ['everybody and somebody', { principals: ['*', 'a'] }, /\* and names/],
  ['no scope', { scope: { allow: [] } }, /nothing may be touched/],
  ['no tool', { tools: { allow: [] } }, /no tool/],
];

for (const [what, changes, notice] of CONTRADICTIONS) {
  test(`${what} is told`, () => {
    const notices = noticesFor(changes);
    assert.equal(notices.length, 1, JSON.stringify(notices));
    assert.match(notices[0] ?? '', notice);
  });
}

test('a name and a wildcard above it are no repetition of each other where they differ', () => {
  assert.deepEqual(noticesFor({ scope: { allow: ['a.test', '*.a.test'] } }), []);
  assert.deepEqual(noticesFor({ scope: { allow: ['*.a.test', 'ba.test', 'a-b.test'] } }), []);
});

test('a thousand equal entries cost no time and are told in few sentences', () => {
  const begun = performance.now();
  const notices = noticesFor({ scope: { allow: Array.from({ length: 1024 }, () => '10.0.0.0/8') } });
  assert.ok(performance.now() - begun < 2000);
  assert.ok(notices.length > 0 && notices.length < 30);
});

const overlapsOf = (...documents: readonly Partial<EngagementDocument>[]) =>
  overlapNotices(documents.map((document) => sample(document)));

test('two engagements of one principal with a common target are told to both', () => {
  const notices = overlapsOf(
    { id: 'a', principals: ['red', 'blue'], scope: { allow: ['10.0.0.0/8'] } },
    { id: 'b', principals: ['blue'], scope: { allow: ['10.1.0.0/16', '*.test'] } },
    { id: 'c', principals: ['*'], scope: { allow: ['x.y.test'] } },
  );
  assert.deepEqual([...notices.keys()].toSorted(), ['a', 'b', 'c']);
  assert.match(notices.get('a')?.join() ?? '', /engagement b/);
  assert.match(notices.get('c')?.join() ?? '', /engagement b/);
});

test('engagements of different principals, or with targets apart, are none that overlap', () => {
  assert.equal(overlapsOf({ id: 'a', principals: ['red'] }, { id: 'b', principals: ['blue'] }).size, 0);
  assert.equal(overlapsOf({ id: 'a' }, { id: 'b', scope: { allow: ['10.30.0.0/16'] } }).size, 0);
  const cut = { allow: ['10.0.0.0/8'], deny: ['10.20.0.0/16'] };
  assert.equal(overlapsOf({ id: 'a', scope: cut }, { id: 'b' }).size, 0, 'denied in one of them');
});
