import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { compileEngagement, type PolicyRules } from '../../../src/core/engagement/compile.ts';
import { complementOf, deniedPorts } from '../../../src/core/engagement/port-rules.ts';
import { createTargetPolicy } from '../../../src/core/targets/policy.ts';
import { mergePorts } from '../../../src/core/targets/ports.ts';
import { fuzz } from '../../fixtures/fuzz.ts';
import { policyOf, sample } from './rig.ts';

const compile = (document: unknown) => compileEngagement(document, { source: 'rest', makePolicy: policyOf });
const faultsOf = (document: unknown): readonly string[] => {
  const compiled = compile(document);
  return 'faults' in compiled ? compiled.faults.map(({ path }) => path) : [];
};

/** What is wrong, where the fault is told, and the document that has it. */
const WRONG: readonly (readonly [string, string, unknown])[] = [
  ['no object', '', 'acme'],
  ['nothing', '', undefined],
  ['a missing id', '', { ...sample(), id: undefined }],
  ['an id with a slash', '/id', sample({ id: 'a/b' })],
  ['an id in capitals', '/id', sample({ id: 'ACME' })],
  ['an unknown key', '', { ...sample(), tols: {} }],
  ['an unknown key below', '/scope', sample({ scope: { allow: [], alow: [] } as never })],
  ['a title with a line break', '/title', sample({ title: 'a\nb' })],
  ['a title with a bidirectional override', '/title', sample({ title: 'safe \u202E evil' })],
  ['an approver with an escape', '/approver', sample({ approver: '\u001b[2Jx' })],
  ['a principal with a wildcard', '/principals/0', sample({ principals: ['agent-*'] })],
  ['a principal with a space at its end', '/principals/1', sample({ principals: ['a', 'b '] })],
  ['a principal with a zero width space', '/principals/0', sample({ principals: ['agent\u200B-red'] })],
  ['everybody as an approver', '/approvals/approvers/0', sample({ approvals: { from: 'active', approvers: ['*'] } })],
  ['a scope of the whole internet', '/scope/allow/0', sample({ scope: { allow: ['0.0.0.0/0'] } })],
  ['a scope with host bits', '/scope/allow/0', sample({ scope: { allow: ['10.0.0.1/8'] } })],
  ['a scope in octal', '/scope/deny/0', sample({ scope: { allow: [], deny: ['0177.0.0.1'] } })],
  ['metadata in scope', '/scope/allow/0', sample({ scope: { allow: ['169.254.169.254'] } })],
  ['a wildcard in the middle', '/scope/allow/0', sample({ scope: { allow: ['a.*.test'] } })],
  ['a port as a number', '/ports/deny/0', sample({ ports: { deny: [502] as never } })],
  ['port 0', '/ports/deny/0', sample({ ports: { deny: ['0'] } })],
  ['ports backwards', '/ports/allow/0', sample({ ports: { allow: ['90-80'] } })],
  ['a tool with a path', '/tools/allow/0', sample({ tools: { allow: ['../nmap'] } })],
  ['an unknown risk', '/risk', sample({ risk: 'none' as never })],
  ['a window without offset', '/window/from', sample({ window: { from: '2026-11-20T08:00:00' } })],
  [
    'a window backwards',
    '/window/until',
    sample({ window: { from: '2026-11-20T08:00:00Z', until: '2026-11-20T09:00:00+02:00' } }),
  ],
  ['hours that are none', '/window/weekly/1', sample({ window: { weekly: ['Mon 08:00-09:00 UTC', 'always'] } })],
  ['an empty list of hours', '/window/weekly', sample({ window: { weekly: [] } })],
  [
    'a blackout backwards',
    '/window/blackout/0/until',
    sample({ window: { blackout: [{ from: '2026-11-21T00:00:00Z', until: '2026-11-20T00:00:00Z' }] } }),
  ],
  ['a budget below nothing', '/budgets/probesPerHour', sample({ budgets: { probesPerHour: -1 } })],
  ['a quorum of nobody', '/approvals/quorum', sample({ approvals: { from: 'active', quorum: 0 } })],
];

for (const [what, path, document] of WRONG) {
  test(`${what} is refused and named by its path`, () => {
    const faults = faultsOf(document);
    assert.ok(faults.includes(path), JSON.stringify(faults));
  });
}

test('every fault is told at once', () => {
  const faults = faultsOf(sample({ title: 'a\nb', scope: { allow: ['x y'] }, tools: { allow: ['a b'] } }));
  assert.deepEqual(faults, ['/title', '/scope/allow/0', '/tools/allow/0']);
});

test('a key that would change the prototype is an unknown key', () => {
  const document = JSON.parse(JSON.stringify(sample()).replace('{', '{"__proto__":{"risk":"exploit"},')) as unknown;
  assert.deepEqual(faultsOf(document), ['']);
});

test('what cannot be copied is no document, and nothing is thrown', () => {
  assert.deepEqual(faultsOf({ ...sample(), title: () => 'x' }), ['']);
  let deep: unknown = 'x';
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  assert.deepEqual(faultsOf({ ...sample(), scope: deep }), ['']);
});

test('the version is of the content: it follows each word and not the order of keys', () => {
  const versionOf = (document: unknown) => {
    const compiled = compile(document);
    return 'engagement' in compiled ? compiled.engagement.version : undefined;
  };
  const version = versionOf(sample());
  assert.match(version ?? '', /^[0-9a-f]{16}$/);
  assert.equal(versionOf(Object.fromEntries(Object.entries(sample()).toReversed())), version);
  assert.notEqual(versionOf(sample({ title: 'ACME Internal' })), version);
});

test('what is in force cannot be changed through the document that was given or that is shown', () => {
  const given = sample();
  const compiled = compile(given);
  assert.ok('engagement' in compiled);
  (given.scope.allow as string[]).push('10.99.0.0/16');
  assert.deepEqual(compiled.engagement.document.scope.allow, ['10.20.0.0/16']);
  assert.throws(() => (compiled.engagement.document.scope.allow as string[]).push('10.99.0.0/16'), TypeError);
});

const ranges = fc.array(
  fc
    .tuple(fc.integer({ min: 1, max: 65_535 }), fc.integer({ min: 1, max: 65_535 }))
    .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) })),
  { maxLength: 12 },
);

test('a port is in exactly one of some ranges and their complement', async (t) => {
  await fuzz(
    t,
    fc.property(ranges, fc.array(fc.integer({ min: 1, max: 65_535 }), { minLength: 1 }), (some, chosen) => {
      const others = complementOf(some);
      const edges = [...some, ...others].flatMap(({ from, to }) => [from - 1, from, to, to + 1]);
      for (const port of [...chosen, ...edges, 1, 65_535].filter((each) => each >= 1 && each <= 65_535)) {
        const isIn = (list: typeof some) => list.some(({ from, to }) => port >= from && port <= to);
        assert.notEqual(isIn(some), isIn([...others]), String(port));
      }
      assert.deepEqual(complementOf(others), mergePorts(some));
    }),
  );
});

test('a real policy permits a port exactly when it is allowed and not denied', async (t) => {
  const text = ranges.map((list) => list.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)));
  const makePolicy = ({ scope, denyPorts }: PolicyRules) =>
    createTargetPolicy({
      scope,
      denyPorts,
      allowLoopback: false,
      ownAddresses: [],
      resolvers: [],
      resolver: { resolve: async () => [] } as never,
    });
  await fuzz(
    t,
    fc.asyncProperty(
      fc.option(text, { nil: undefined }),
      text,
      fc.integer({ min: 1, max: 65_535 }),
      async (allow, deny, port) => {
        const ports = { ...(allow !== undefined && { allow }), deny };
        const compiled = compileEngagement(sample({ ports }), { source: 'rest', makePolicy });
        assert.ok('engagement' in compiled);
        const isIn = (list: readonly string[]) =>
          list.some((entry) => {
            const [from, to = from] = entry.split('-').map(Number);
            return port >= Number(from) && port <= Number(to);
          });
        const claim = { role: 'host', kind: 'host', value: '10.20.0.1', ports: [{ from: port, to: port }] } as const;
        const pinned = await compiled.engagement.policy.pin([claim], { maxAddresses: 1, maxPorts: 1 }).then(
          () => true,
          () => false,
        );
        assert.equal(pinned, (allow === undefined || isIn(allow)) && !isIn(deny));
      },
    ),
  );
});

test('no port is permitted by an empty list of allowed ones', () => {
  assert.deepEqual(deniedPorts({ allow: [] }), ['1-65535']);
  assert.deepEqual(deniedPorts(undefined), []);
});
