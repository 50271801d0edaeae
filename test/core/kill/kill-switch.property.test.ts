import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fuzz } from '../../fixtures/fuzz.ts';
import { until } from '../execution/harness.ts';
import { killRig } from './rig.ts';

const KEYS = [undefined, 'acme', 'other'] as const;

/** What operators and faults do, in any order and at once; `wait` lets everything under way come to its end. */
const anyStep = fc.oneof(
  fc.record({ kind: fc.constantFrom('engage' as const, 'lift' as const), engagement: fc.constantFrom(...KEYS) }),
  fc.record({ kind: fc.constantFrom('store' as const, 'audit' as const, 'file' as const), isOn: fc.boolean() }),
  fc.record({ kind: fc.constant('wait' as const) }),
  fc.record({ kind: fc.constant('turn' as const) }),
);

test('whatever happens at once, what was pulled last is on, what was lifted after it is off, and a restart knows it', async (t) => {
  await fuzz(
    t,
    fc.asyncProperty(fc.array(anyStep, { maxLength: 14 }), async (steps) => {
      const { kill, broken, file, stored, clock } = await killRig();
      const on = new Map<string | undefined, { readonly at: number; isLifted: boolean }>();
      const underWay: Promise<unknown>[] = [];
      const check = () => {
        for (const [engagement, pulled] of on) {
          if (!pulled.isLifted) assert.ok(kill.isOn(engagement ?? 'anybody'), 'it went off by itself');
        }
        if (file.isThere) assert.ok(kill.isOn('anybody'));
      };
      for (const [at, step] of steps.entries()) {
        if (step.kind === 'engage') {
          on.set(step.engagement, { at, isLifted: false });
          underWay.push(kill.engage({ by: 'key_a', reason: 'r', engagement: step.engagement }).catch(() => undefined));
        } else if (step.kind === 'lift') {
          const before = on.get(step.engagement);
          const lifting = kill.lift({ by: 'key_a', reason: 'r', engagement: step.engagement });
          // Who pulled it since is not the one whom this lift was about.
          const lifted = () => void (before && (before.isLifted = true));
          underWay.push(lifting.then(lifted, () => undefined));
        } else if (step.kind === 'store') broken.store = step.isOn;
        else if (step.kind === 'audit') broken.audit = step.isOn;
        else if (step.kind === 'file') file.isThere = step.isOn;
        else if (step.kind === 'wait') await Promise.allSettled(underWay);
        else await new Promise((resolve) => setImmediate(resolve));
        check();
      }
      file.isThere = broken.store = broken.audit = false;
      await Promise.allSettled(underWay);
      check();
      const pulled = [...on].filter(([, { isLifted }]) => !isLifted).map(([engagement]) => engagement ?? null);
      const isSettled = () => {
        clock.at += 10;
        const keys = kill.state().switches.map(({ engagement }) => engagement);
        return isSame(keys, pulled) && isSame([...stored.keys()], pulled);
      };
      assert.ok(await until(isSettled, 2000), JSON.stringify([kill.state(), [...stored.keys()], pulled]));
      const restarted = await killRig({ stored });
      assert.deepEqual(restarted.kill.state(), kill.state());
    }),
  );
});

function isSame(keys: readonly (string | null)[], others: readonly (string | null)[]): boolean {
  return keys.length === others.length && keys.every((each) => others.includes(each));
}
