import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { ToolEstimate } from '../../src/core/tool/definition.ts';
import { callerSchema } from '../../src/core/tool/input-schema.ts';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { arbitraryOf } from './schema-arbitrary.ts';
import { type Around, asked, DIR, DNS, estimateOf, LOGIN, PAGE, RESOLVES, toolNamed } from './estimated.ts';
import { isRefusal, registeredTools } from './under-test.ts';

const TOOLS = await registeredTools();

function assertSound(estimate: ToolEstimate): void {
  const { probes, mostProbes = probes, packetsPerSecond, durationMs, accounts = [] } = estimate;
  assert.ok(Number.isSafeInteger(probes) && probes > 0, `probes ${probes}`);
  assert.ok(Number.isSafeInteger(mostProbes) && mostProbes >= probes, `at most ${mostProbes}, expected ${probes}`);
  assert.ok(Number.isSafeInteger(packetsPerSecond) && packetsPerSecond > 0, `packetsPerSecond ${packetsPerSecond}`);
  assert.ok(Number.isSafeInteger(durationMs) && durationMs > 0, `durationMs ${durationMs}`);
  const names = accounts.map(({ account }) => account);
  assert.equal(new Set(names).size, names.length, 'one account stands there twice');
  for (const { account, guesses } of accounts) {
    assert.match(account, /^[a-z0-9-]+:\/\/(?:\[[0-9a-f:]+\]|[\d.]+):\d+\/./);
    assert.ok(Number.isSafeInteger(guesses) && guesses > 0, `guesses ${guesses}`);
  }
}

/** Calls back for generated calls that are accepted: an example in which some properties were replaced or removed. */
async function eachCall(tool: RegisteredTool, look: (call: Awaited<ReturnType<typeof asked>>) => void): Promise<void> {
  const { definition } = tool;
  const generated = arbitraryOf(callerSchema(definition.input)) as fc.Arbitrary<Record<string, unknown>>;
  const names = fc.subarray(Object.keys(definition.input.properties));
  const around = fc.record({ lines: fc.integer({ min: 1, max: 1000 }), raw: fc.boolean() });
  const call = fc.tuple(fc.constantFrom(...definition.examples), generated, names, around);
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(call, async ([{ input: base }, other, changed, { lines, raw }]) => {
      const input: Record<string, unknown> = { ...base };
      for (const name of changed) {
        if (Object.hasOwn(other, name)) input[name] = other[name];
        else delete input[name];
      }
      try {
        const isRaw = raw || definition.raw === 'required';
        look(await asked(tool, input, { lines, raw: isRaw, timeoutMs: 10_000_000 }));
        accepted += 1;
      } catch (thrown) {
        if (!isRefusal(thrown)) throw thrown;
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(accepted > 30, `only ${accepted} calls were accepted`);
}

function numberAfter(argv: readonly string[], option: string): number | undefined {
  const at = argv.indexOf(option);
  return at < 0 ? undefined : Number.parseInt(argv[at + 1] ?? '', 10);
}

for (const tool of TOOLS) {
  const { definition } = tool;

  describe(`the estimate of ${definition.name}`, () => {
    for (const example of definition.examples) {
      it(`is sound for "${example.title}"`, async () => {
        const around = { raw: example.raw ?? false, resolves: { ...RESOLVES, ...example.resolves } };
        assertSound((await asked(tool, example.input, around)).estimate);
      });
    }

    it('is sound, the same every time, and JSON, for whatever a caller may send', async () => {
      await eachCall(tool, ({ estimate, again }) => {
        assertSound(estimate);
        assert.deepEqual(again, estimate);
        assert.deepEqual(JSON.parse(JSON.stringify(estimate)), estimate);
      });
    });
  });
}

describe('the rate of an estimate', () => {
  it('is for masscan the one in the argv', async () => {
    await eachCall(toolNamed('masscan'), ({ argv, estimate }) => {
      assert.equal(estimate.packetsPerSecond, numberAfter(argv, '--rate'));
    });
  });

  it('is for nmap the one in the argv, less when it is polite, more for what --max-rate does not hold', async () => {
    await eachCall(toolNamed('nmap'), ({ argv, estimate }) => {
      const rate = numberAfter(argv, '--max-rate') ?? assert.fail('no rate');
      const isDeep = ['-sV', '--script', '-O'].some((option) => argv.includes(option));
      if (isDeep) return;
      assert.ok(estimate.packetsPerSecond <= rate);
      if (!argv.includes('-T2')) assert.equal(estimate.packetsPerSecond, rate);
    });
  });

  it('is for gobuster no less than its threads send between two pauses', async () => {
    await eachCall(toolNamed('gobuster'), ({ argv, input, estimate }) => {
      const delayMs = numberAfter(argv, '--delay');
      const threads = numberAfter(argv, '-t') ?? assert.fail('no threads');
      const perWord = input['mode'] === 'dns' ? 2 : 1;
      assert.ok(estimate.packetsPerSecond >= threads * perWord);
      if (delayMs !== undefined) assert.ok(estimate.packetsPerSecond >= (threads * perWord * 1000) / delayMs);
      else assert.ok(estimate.packetsPerSecond >= 10_000, 'without a pause it is as fast as it can');
    });
  });
});

/** Pairs of which the second asks for more, and may therefore never be the cheaper one. */
const MORE: readonly (readonly [
  tool: string,
  what: string,
  Record<string, unknown>,
  Record<string, unknown>,
  Around?,
])[] = [
  ['nmap', 'more ports', { targets: ['10.77.0.10'], ports: '1-500' }, { targets: ['10.77.0.10'], ports: '1-501' }],
  ['nmap', 'more hosts', { targets: ['10.77.0.0/28'], ports: '80' }, { targets: ['10.77.0.0/27'], ports: '80' }],
  ['nmap', 'versions', { targets: ['10.77.0.10'] }, { targets: ['10.77.0.10'], version: 0 }],
  ['nmap', 'more of versions', { targets: ['10.77.0.10'], version: 1 }, { targets: ['10.77.0.10'], version: 9 }],
  ['nmap', 'a script', { targets: ['10.77.0.10'] }, { targets: ['10.77.0.10'], scripts: ['http-title'] }],
  ['nmap', 'systems', { targets: ['10.77.0.10'] }, { targets: ['10.77.0.10'], os: true }, { raw: true }],
  ['masscan', 'more ports', { cidrs: ['10.77.0.0/28'], ports: '80' }, { cidrs: ['10.77.0.0/28'], ports: '80-81' }],
  ['masscan', 'more hosts', { cidrs: ['10.77.0.0/28'], ports: '80' }, { cidrs: ['10.77.0.0/27'], ports: '80' }],
];

describe('a call that asks for more', () => {
  const assertNotCheaper = (less: ToolEstimate, more: ToolEstimate): void => {
    assert.ok(more.probes >= less.probes, `probes ${less.probes} → ${more.probes}`);
    assert.ok(more.durationMs >= less.durationMs, `durationMs ${less.durationMs} → ${more.durationMs}`);
    assert.ok(more.packetsPerSecond >= less.packetsPerSecond);
    assert.ok(more.probes > less.probes, 'it is exactly as dear');
    assert.ok((more.mostProbes ?? more.probes) >= (less.mostProbes ?? less.probes), 'its worst case is better');
  };

  for (const [name, what, less, more, around] of MORE) {
    it(`is never cheaper: ${name} with ${what}`, async () => {
      assertNotCheaper(await estimateOf(name, less, around), await estimateOf(name, more, around));
    });
  }

  it('is never cheaper: ports and hosts of nmap at any size', async () => {
    const [size, prefix] = [fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 23, max: 32 })];
    const scan = fc.constantFrom('connect', 'syn', 'udp');
    const all = fc.tuple(size, size, prefix, prefix, scan, fc.integer({ min: 2, max: 4 }));
    await fc.assert(
      fc.asyncProperty(all, async ([a, b, p, q, kind, timing]) => {
        const input = (last: number, bits: number) => ({
          targets: [`10.77.0.0/${bits}`],
          ports: `1-${last}`,
          scan: kind,
          timing,
        });
        const around = { raw: true };
        const less = await estimateOf('nmap', input(Math.min(a, b), Math.max(p, q)), around);
        const more = await estimateOf('nmap', input(Math.max(a, b) + 1, Math.min(p, q)), around);
        assertNotCheaper(less, more);
      }),
      { numRuns: 100 },
    );
  });

  it('is never cheaper: words and extensions of gobuster', async () => {
    for (const base of [DIR, DNS]) {
      assertNotCheaper(
        await estimateOf('gobuster', base, { lines: 10 }),
        await estimateOf('gobuster', base, { lines: 11 }),
      );
    }
    assertNotCheaper(await estimateOf('gobuster', DIR), await estimateOf('gobuster', { ...DIR, extensions: ['php'] }));
  });

  it('is never cheaper: logins and passwords of hydra', async () => {
    const few = await estimateOf('hydra', LOGIN);
    assertNotCheaper(few, await estimateOf('hydra', { ...LOGIN, users: ['admin', 'root'] }));
    assertNotCheaper(few, await estimateOf('hydra', { ...LOGIN, passwords: ['a', 'b', 'c'] }));
    const listed = { host: '10.77.0.10', service: 'ftp', userList: 'x/users', passwordList: 'x/words' };
    assertNotCheaper(await estimateOf('hydra', listed, { lines: 9 }), await estimateOf('hydra', listed, { lines: 10 }));
  });

  it('is never cheaper: level and techniques of sqlmap', async () => {
    assertNotCheaper(await estimateOf('sqlmap', PAGE), await estimateOf('sqlmap', { ...PAGE, level: 2 }));
    assertNotCheaper(await estimateOf('sqlmap', PAGE), await estimateOf('sqlmap', { ...PAGE, technique: 'BEUST' }));
    assertNotCheaper(await estimateOf('sqlmap', PAGE), await estimateOf('sqlmap', { ...PAGE, action: 'tables' }));
  });
});

describe('the probes of an estimate', () => {
  it('are exact where the input decides them', async () => {
    const cidrs = ['10.77.0.0/28', '10.77.1.5'];
    assert.equal((await estimateOf('masscan', { cidrs, ports: '80,443,8000-8010' })).probes, 17 * 13);
    assert.equal((await estimateOf('nmap', { targets: cidrs, ports: '80,443' })).probes, 17 * 2);
    assert.equal((await estimateOf('gobuster', { ...DIR, extensions: ['a', 'b'] }, { lines: 50 })).probes, 50 * 3 + 2);
    assert.equal((await estimateOf('gobuster', DNS, { lines: 50 })).probes, (50 + 2) * 2);
    assert.equal((await estimateOf('hydra', { ...LOGIN, service: 'ftp', users: ['a', 'b', 'c'] })).probes, 6);
    assert.equal((await estimateOf('dig', { name: 'web.lab.internal', server: '10.77.0.10' })).probes, 1);
  });
});

describe('the accounts of hydra', () => {
  const accountsOf = async (input: Record<string, unknown>, around?: Around) =>
    (await estimateOf('hydra', { ...LOGIN, ...input }, around)).accounts;

  it('are told by service, address, port and login', async () => {
    assert.deepEqual(await accountsOf({ host: 'web.lab.internal', port: 2222, users: ['admin', 'root'] }), [
      { account: 'ssh://10.77.0.10:2222/admin', guesses: 2 },
      { account: 'ssh://10.77.0.10:2222/root', guesses: 2 },
    ]);
  });

  it('are one account however its name is written', async () => {
    const users = ['admin', 'Admin', 'ADMIN ', 'ａｄｍｉｎ'];
    assert.deepEqual(await accountsOf({ users }), [{ account: 'ssh://10.77.0.10:22/admin', guesses: 8 }]);
  });

  it('are one account whichever way a web server is asked', async () => {
    const form = { userField: 'u', passwordField: 'p', failureText: 'no' };
    const get = await accountsOf({ service: 'http-get', path: '/a' });
    const head = await accountsOf({ service: 'http-head', path: '/b' });
    const post = await accountsOf({ service: 'http-post-form', path: '/c', form });
    // The password that cannot be right is a guess too.
    assert.deepEqual(get, [{ account: 'http://10.77.0.10:80/admin', guesses: 3 }]);
    assert.deepEqual([head, post], [get, get]);
  });

  it('are any account where a list has the logins or the service has none', async () => {
    const { users: _users, ...rest } = LOGIN;
    const listed = await estimateOf('hydra', { ...rest, service: 'ftp', userList: 'x/users' }, { lines: 7 });
    assert.deepEqual(listed.accounts, [{ account: 'ftp://10.77.0.10:21/*', guesses: 2 }]);
    assert.equal(listed.probes, 14);
    const redis = await estimateOf('hydra', { ...rest, service: 'redis' });
    assert.deepEqual(redis.accounts, [{ account: 'redis://10.77.0.10:6379/*', guesses: 2 }]);
  });

  it('count the guesses that ssh sends again after the server hung up', async () => {
    const passwords = Array.from({ length: 24 }, (_, index) => `p${index}`);
    assert.deepEqual(await accountsOf({ passwords }), [{ account: 'ssh://10.77.0.10:22/admin', guesses: 28 }]);
  });
});
