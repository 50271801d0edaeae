import assert from 'node:assert/strict';
import { SallyportError } from '../../../src/core/errors.ts';
import { createTargetPolicy, type TargetPolicyOptions } from '../../../src/core/targets/policy.ts';
import type { TargetRule } from '../../../src/core/targets/rules.ts';
import type { PinnedTargets, TargetClaim, TargetLimits } from '../../../src/core/targets/types.ts';

/** The scope of a fresh start. */
export const DEFAULT_ALLOW = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '*.lab.internal'];

/** Limits that no test meets by accident. */
export const WIDE: TargetLimits = { maxAddresses: 2 ** 32, maxPorts: 65_536 };

type Answers = Readonly<Record<string, readonly string[]>>;

/** A policy with the default scope; `names` are the only names that resolve; `asked` collects every look-up. */
export function policyUnderTest(overrides: Partial<TargetPolicyOptions> = {}, names: Answers = {}) {
  const asked: string[] = [];
  const policy = createTargetPolicy({
    scope: { allow: DEFAULT_ALLOW, deny: [] },
    denyPorts: [],
    allowLoopback: false,
    ownAddresses: [],
    resolvers: ['10.77.0.10'],
    resolver: {
      async resolve(name) {
        asked.push(name);
        const answer = names[name];
        if (answer === undefined) throw new Error('NXDOMAIN');
        return answer;
      },
    },
    ...overrides,
  });
  const pin = (kind: TargetClaim['kind'], value: string, ports?: TargetClaim['ports']): Promise<PinnedTargets> =>
    policy.pin([{ role: 'target', kind, value, ...(ports === undefined ? {} : { ports }) }], WIDE);
  return { policy, pin, asked };
}

/** Asserts that the promise is refused by the rule, and that code and details agree with it. */
export async function refusedBy(promise: Promise<unknown>, rule: TargetRule): Promise<SallyportError> {
  const error = await promise.then(
    () => assert.fail(`was allowed; expected ${rule}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SallyportError, String(error));
  assert.equal(error.details?.['rule'], rule, error.message);
  return error;
}
