import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { createComparer } from '../../../src/core/engagement/nestings.ts';
import { noticesOf } from '../../../src/core/engagement/notices.ts';
import { MAX_COMPARED, overlapNotices, scopeNotices } from '../../../src/core/engagement/scope-notices.ts';
import { sharedNotices } from '../../../src/core/engagement/shared-notices.ts';
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

test('a thousand equal entries are not all compared with each other, and are told in few sentences', () => {
  const comparer = createComparer(MAX_COMPARED);
  const notices = scopeNotices(
    sample({ scope: { allow: Array.from({ length: 1024 }, () => '10.0.0.0/8') } }),
    comparer,
  );
  assert.ok(comparer.compared < MAX_COMPARED + 1024, `${comparer.compared} comparisons`);
  assert.ok(notices.length > 2 && notices.length < 30);
  assert.match(notices.at(-1) ?? '', /not all of its entries were compared/);
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

/** Many engagements of one principal whose entries lie in the same few networks, each with a long list of denied ones. */
const crowd = (count: number, entries: number, principals: readonly string[] = ['red']) =>
  Array.from({ length: count }, (_, at) =>
    sample({
      id: `e${at}`,
      principals: principals.map((name) => (name === 'own' ? `own${at}` : name)),
      scope: {
        allow: Array.from({ length: entries }, (_each, index) => `10.${(at + index) % 250}.${index % 250}.0/24`),
        deny: Array.from({ length: 1024 }, (_each, index) => `192.168.${index % 250}.0/24`),
      },
    }),
  );

test('a thousand engagements with two hundred entries each are compared in part, and each of them says so', () => {
  const comparer = createComparer(MAX_COMPARED);
  const notices = overlapNotices(crowd(1000, 200), comparer);
  assert.ok(comparer.compared < 1.5 * MAX_COMPARED, `${comparer.compared} comparisons`);
  assert.equal(notices.size, 1000);
  for (const [id, said] of notices) assert.match(said.at(-1) ?? '', /not all were compared/, id);
});

test('long lists of principals and of denied entries count as comparisons, too', () => {
  const names = ['shared', ...Array.from({ length: 500 }, () => 'own')];
  for (const documents of [crowd(300, 20, names), crowd(300, 20)]) {
    const comparer = createComparer(MAX_COMPARED);
    overlapNotices(documents, comparer);
    assert.ok(comparer.compared < 1.5 * MAX_COMPARED, `${comparer.compared} comparisons`);
  }
});

test('what could not be looked for among denied entries is not told to overlap', () => {
  const deny = [...Array.from({ length: 1000 }, (_, index) => `192.168.${index % 250}.0/24`), '10.0.0.0/8'];
  const [one, other] = ['a', 'b'].map((id) => sample({ id, scope: { allow: ['10.1.0.0/16'], deny } }));
  assert.ok(one && other);
  for (const most of [10, 500, 1500, MAX_COMPARED]) {
    const notices = overlapNotices([one, other], createComparer(most));
    assert.doesNotMatch([...notices.values()].flat().join(), /also in the scope/, `${most} comparisons`);
    assert.equal(notices.size === 0, most === MAX_COMPARED);
  }
});

test('an approval that everybody may give is told where there are other engagements', () => {
  const open = sample({ id: 'a', approvals: { from: 'active' } });
  const listed = sample({ id: 'b', principals: ['blue'], approvals: { from: 'active', approvers: ['boss'] } });
  const never = sample({ id: 'c', principals: ['green'], risk: 'observe', approvals: { from: 'exploit' } });
  const free = sample({ id: 'd', principals: ['white'] });
  assert.equal(sharedNotices([open]).size, 0);
  const notices = sharedNotices([open, listed, never, free]);
  assert.equal(notices.get('a')?.length, 1);
  assert.match(notices.get('a')?.[0] ?? '', /every key with runs:approve .* list approvers/);
  for (const id of ['b', 'c', 'd']) assert.deepEqual(notices.get(id), [], id);
});

test('an engagement for nobody says what its keys get instead', () => {
  assert.match(noticesFor({ principals: [] }).join(), /get default, unless engagements\.offerDefault is false/);
});
