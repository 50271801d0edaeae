import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { isAbove, RISKS } from '../../schemas/risk.ts';
import { reachOf } from '../../src/core/execution/reach.ts';
import { fingerprintOf } from '../../src/core/findings/fingerprint.ts';
import { guardArgv } from '../../src/core/tool/argv-guard.ts';
import { definitionFaults } from '../../src/core/tool/definition-faults.ts';
import { callerSchema } from '../../src/core/tool/input-schema.ts';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { acceptsString, arbitraryOf, walkSchema } from './schema-arbitrary.ts';
import { concluded } from './drafts.ts';
import { isRefusal, type Prepared, prepare, registeredTools, samplesOf, TOOLS_DIRECTORY } from './under-test.ts';

const TOOLS = await registeredTools();
const RESOLVES = { 'web.lab.internal': '10.77.0.10', 'db.lab.internal': '10.77.0.11', 'lab.internal': '10.77.0.10' };
const LINK = { interface: 'veth0', adapterIp: '10.77.0.1', routerMac: '02:00:00:00:00:01' };
// Beginnings that a shell, an option parser or a line reader would take for something else than a value.
const BAD_BEGINNINGS = ['-', '--', '-o', '-oN', '\n', '\t', '\0', '\r', '\u001b'];
/** Places that hold the secrets of others, or every program of the machine. */
const WHOLE_PLACES =
  '/ /bin /boot /dev /etc /home /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /usr/bin /usr/sbin /usr/share /var'.split(
    ' ',
  );
const BAD_ENDINGS = ['\n', '\r', '\0', '\u001b[0m'];

for (const tool of TOOLS) {
  const { definition } = tool;

  describe(`the definition of ${definition.name}`, () => {
    it('has no fault that discovery would refuse to boot for', () => {
      assert.deepEqual(definitionFaults(definition), []);
    });

    it('closes every object of its input, knows no tuple and describes every property', () => {
      for (const { path, schema, isProperty } of walkSchema(definition.input)) {
        if (schema['type'] === 'object') assert.equal(schema['additionalProperties'], false, path);
        assert.ok(!Array.isArray(schema['items']) && schema['prefixItems'] === undefined, `${path} is a tuple`);
        if (isProperty) assert.ok((schema.description ?? '').length > 3, `${path} has no description`);
        if (schema['type'] === 'integer' || schema['type'] === 'number') {
          assert.ok(Number.isFinite(schema['minimum']) && Number.isFinite(schema['maximum']), `${path} has no bounds`);
        }
        if (schema['type'] === 'array') assert.ok(Number.isInteger(schema['maxItems']), `${path} has no maxItems`);
      }
    });

    it('accepts no string that begins with "-", has a control character at its ends, or is endless', () => {
      for (const { path, schema } of walkSchema(definition.input)) {
        if (typeof schema['const'] === 'string') assert.ok(!schema['const'].startsWith('-'), path);
        if (schema['type'] !== 'string' || schema['const'] !== undefined) continue;
        const bad = (text: string): void => assert.ok(!acceptsString(schema, text), `${path}: ${JSON.stringify(text)}`);
        for (const text of (schema['enum'] ?? []) as string[]) assert.ok(!text.startsWith('-'), path);
        fc.assert(
          fc.property(
            arbitraryOf(schema),
            fc.constantFrom(...BAD_BEGINNINGS),
            fc.constantFrom(...BAD_ENDINGS),
            (good, begin, end) => {
              bad(begin + String(good));
              bad(String(good) + end);
              bad(String(good).padEnd(20_000, String(good).at(-1) ?? 'x'));
            },
          ),
          { numRuns: 60 },
        );
      }
    });

    it('raises the risk only upwards', async () => {
      await eachCall(tool, ({ input }) => {
        for (const raise of definition.raises?.(input) ?? []) {
          assert.ok(RISKS.includes(raise.risk) && !isAbove(definition.risk, raise.risk), raise.why);
          assert.ok(Object.hasOwn(definition.input.properties, raise.option), raise.option);
        }
      });
    });

    it('has presets that fit its input', () => {
      const { required: _required, ...partial } = callerSchema(definition.input);
      const validate = new Ajv2020({ strict: false }).compile(partial);
      for (const preset of definition.presets ?? []) {
        assert.ok(validate(preset.input), `${preset.name}: ${JSON.stringify(validate.errors)}`);
      }
    });
  });

  describe(`what ${definition.name} needs of the machine`, () => {
    const { read = [], execute = [], sockets = [] } = definition.needs ?? {};

    it('is named by exact paths, never a place that holds what is not its own, never a shell', () => {
      for (const path of [...read, ...execute]) {
        assert.match(path, /^(\/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*)+$/, `${path} is absolute, without . and ..`);
        assert.ok(!WHOLE_PLACES.includes(path), `${path} as a whole`);
        // Attack: another process, or the gateway itself: /proc/self is followed where the path is opened.
        assert.doesNotMatch(path, /^\/proc\/(self|thread-self|\d)/);
      }
      for (const path of execute) assert.doesNotMatch(path, /\/((b|d|z|k|c|tc|fi)?a?sh|busybox|env)$/, path);
    });

    it('has a comment for every entry, on its line or the one above', async () => {
      const lines = (await sourceOf(definition.name)).split('\n');
      const begin = lines.findIndex((line) => line.startsWith('  needs: '));
      for (const entry of [...read, ...execute, ...sockets]) {
        const at = lines.findIndex((line, index) => index >= begin && line.includes(`'${entry}'`));
        assert.ok(begin > 0 && at >= begin, `${entry} is written where the tool is defined`);
        assert.match(`${lines[at - 1]}\n${lines[at]}`, /\/\/ .{12,}/, `${entry} says what it is needed for`);
      }
    });

    it('is what docs/tools.md says', async () => {
      const row = (await readFile(join(TOOLS_DIRECTORY, '../../docs/tools.md'), 'utf8'))
        .split('\n## What each may see and reach\n')[1]
        ?.split('\n')
        .find((line) => line.startsWith(`| ${definition.name} `));
      const listed = (entries: readonly string[]) => (entries.length === 0 ? '–' : entries.join(', '));
      const cells = row?.split('|').map((cell) => cell.trim());
      assert.deepEqual(cells?.slice(2, 4), [listed(read.map((path) => `\`${path}\``)), listed(sockets)]);
      assert.deepEqual(execute, [], 'the table has no column for what is executed: give it one');
    });

    it('has packet sockets only together with raw packets', () => {
      if (sockets.includes('packet')) assert.notEqual(definition.raw ?? 'never', 'never');
    });
  });

  describe(`whom ${definition.name} may reach`, () => {
    it('is pinned addresses and the ports of its claims for every call, without layer 5 only where it says so', async () => {
      await eachCall(tool, ({ input, pinned, context }) => {
        const claims = definition.targets(input);
        const byDefault = reachOf(claims, pinned, ['tcp', 'udp', 'icmp']).endpoints;
        const { endpoints, ownNetwork } = definition.reach?.(input, pinned, context) ?? reachOf(claims, pinned);
        const networks = new Set(byDefault.map(({ network }) => network));
        for (const endpoint of endpoints) {
          assert.ok(networks.has(endpoint.network), endpoint.network);
          if (ownNetwork !== true) assert.ok(byDefault.some((other) => isDeepStrictEqual(other, endpoint)));
        }
        assert.ok(endpoints.length > 0, 'a call that reaches nobody finds nothing');
      });
    });
  });

  describe(`the argv of ${definition.name}`, () => {
    for (const example of definition.examples) {
      it(`is as written for the example "${example.title}"`, async () => {
        const call = await prepare(tool, example.input, {
          raw: example.raw ?? false,
          resolves: example.resolves ?? {},
        });
        assert.deepEqual(call.argv, example.argv);
        guardArgv(definition.grammar, call.argv, call.pinned);
      });
    }

    it('passes the guard for every input that the schema, the policy and the tool accept', async () => {
      const accepted = await eachCall(tool, ({ argv, pinned }) => {
        guardArgv(definition.grammar, argv, pinned);
        assert.ok(argv.every((token) => typeof token === 'string' && token !== '' && !/\p{Cc}/u.test(token)));
      });
      assert.ok(accepted > 5, `only ${accepted} generated inputs were accepted: the property says nothing`);
    });

    it('is the same for the same call', async () => {
      await eachCall(tool, ({ input, pinned, context, argv }) => {
        assert.deepEqual(definition.argv(input, pinned, context), argv);
      });
    });

    it('asks for raw packets only where they can be given', async () => {
      await eachCall(tool, ({ input, context }) => {
        const wants = definition.needsRaw?.(input, context) ?? false;
        if (wants && definition.raw !== 'required') assert.equal(context.raw, true);
        if (wants) assert.notEqual(definition.raw ?? 'never', 'never');
      });
    });

    it('keeps its files and its standard input inside the scratch directory and the catalogue', async () => {
      await eachCall(tool, ({ input, context }) => {
        const lists = [...context.wordlists.values()].map(({ path }) => path);
        const files = definition.files?.(input, context) ?? [];
        for (const file of files) assert.match(file.name, /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/);
        for (const content of [...files.map((file) => file.content), definition.stdin?.(input, context)]) {
          if (typeof content === 'object') assert.ok(lists.includes(content.copyOf), content.copyOf);
        }
      });
      for (const path of definition.readBack ?? []) assert.doesNotMatch(path, /^\/|\.\./);
    });
  });
}

for (const tool of TOOLS) {
  const { definition } = tool;

  describe(`the findings of ${definition.name}`, () => {
    for (const example of definition.examples) {
      it(`are sound, repeatable, told while it runs, and free of secrets for "${example.title}"`, async () => {
        const around = { raw: example.raw ?? false, resolves: example.resolves ?? {} };
        const call = await prepare(tool, example.input, around);
        let found = 0;
        for (const { stdout, stderr, files } of await samplesOf(definition.name)) {
          const { drafts, live, kept, shown } = concluded(tool, call, {
            stdout: [stdout],
            stderr: [stderr],
            end: { files },
          });
          found += drafts.length;
          const final = new Set(drafts.map(fingerprintOf));
          for (const draft of live) assert.ok(final.has(fingerprintOf(draft)), `told and not found: ${draft.title}`);
          for (const secret of kept) assert.ok(!shown.includes(secret), 'a secret came through');
        }
        assert.ok(found > 0, 'no recorded output has a finding');
      });

      it(`cover nothing when nothing was seen for "${example.title}"`, async () => {
        const around = { raw: example.raw ?? false, resolves: example.resolves ?? {} };
        const call = await prepare(tool, example.input, around);
        const end = { ending: 'cancelled', exitCode: null } as const;
        const { drafts, coverage } = concluded(tool, call, { stdout: [], end });
        assert.deepEqual([drafts, coverage.areas], [[], []]);
        assert.ok(coverage.missing.length > 0, 'it does not say what it left out');
      });
    }
  });
}

async function sourceOf(name: string): Promise<string> {
  const read = (path: string) => readFile(join(TOOLS_DIRECTORY, path), 'utf8');
  return read(`${name}/index.ts`).catch(() => read(`${name}.ts`));
}

/**
 * Calls back for generated calls that are accepted; every other one must have been refused by a code. A call is an
 * example of the tool in which some properties were replaced, removed or added.
 */
async function eachCall(tool: RegisteredTool, look: (call: Prepared) => void): Promise<number> {
  let accepted = 0;
  const { definition } = tool;
  const generated = arbitraryOf(callerSchema(definition.input)) as fc.Arbitrary<Record<string, unknown>>;
  const changed = fc.subarray(Object.keys(definition.input.properties));
  const example = fc.constantFrom(...definition.examples);
  await fc.assert(
    fc.asyncProperty(fc.tuple(example, generated, changed), fc.boolean(), async ([base, other, names], raw) => {
      const input = mixed(base.input, other, names);
      let call: Prepared;
      try {
        call = await prepare(tool, input, {
          raw: raw || definition.raw === 'required',
          resolves: { ...RESOLVES, ...base.resolves },
          link: LINK,
        });
      } catch (thrown) {
        assert.ok(isRefusal(thrown), String(thrown));
        return;
      }
      accepted += 1;
      look(call);
    }),
    { numRuns: 200 },
  );
  return accepted;
}

function mixed(base: Record<string, unknown>, other: Record<string, unknown>, names: readonly string[]) {
  const input = { ...base };
  for (const name of names) {
    if (Object.hasOwn(other, name)) input[name] = other[name];
    else delete input[name];
  }
  return input;
}
