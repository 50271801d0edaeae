import type { TestContext } from 'node:test';
import { Type } from '@sinclair/typebox';
import type { AuditEvent } from '../../../src/core/audit/types.ts';
import type { Principal } from '../../../src/core/auth/types.ts';
import type { Engagement } from '../../../src/core/engagement/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { createPlanner, type PlannerParts } from '../../../src/core/plan/planner.ts';
import type { PlanSources } from '../../../src/core/plan/plan.ts';
import { createRedactor } from '../../../src/core/redaction/redactor.ts';
import { createTargetPolicy } from '../../../src/core/targets/policy.ts';
import { parsePorts } from '../../../src/core/targets/ports.ts';
import type { PortRange, TargetPolicy } from '../../../src/core/targets/types.ts';
import { type AnyTool, defineTool } from '../../../src/core/tool/definition.ts';
import { createRunText } from '../../../src/gateway/run-text.ts';
import { echo, engineFixture } from '../../fixtures/engine.ts';
import { openEngagement, openGuards, openSources } from '../../fixtures/policy.ts';
import { newStore } from '../../store/rig.ts';

/** Somebody, and somebody else. */
export const alice: Principal = { id: 'key-1', name: 'alice', scopes: new Set(['runs:plan', 'runs:execute']) };
export const bob: Principal = { id: 'key-2', name: 'bob', scopes: alice.scopes };

function portsOf(text: string | undefined): readonly PortRange[] {
  const read = parsePorts(text ?? '80');
  return read.ok ? read.value : [];
}

/** A tool with everything that a rule can be about. */
export const sweep: AnyTool = defineTool({
  ...echo,
  limits: { maxAddresses: 256, maxPorts: 100 },
  input: Type.Object(
    {
      target: Type.String({ maxLength: 300, description: 'whom' }),
      ports: Type.Optional(Type.String({ pattern: '^[0-9,-]{1,40}$', description: 'where' })),
      server: Type.Optional(Type.String({ maxLength: 100, description: 'a DNS server' })),
      password: Type.Optional(Type.String({ pattern: '^[^-].*$', description: 'a secret' })),
      loud: Type.Optional(Type.Boolean({ description: 'raises the risk' })),
      retries: Type.Integer({ minimum: 0, maximum: 9, default: 2, description: 'has a default' }),
    },
    { additionalProperties: false },
  ),
  targets: (input) => [
    {
      role: 'target',
      kind: 'host-or-network',
      value: input['target'] as string,
      ports: portsOf(input['ports'] as string),
    },
    ...(input['server'] === undefined
      ? []
      : [{ role: 'server', kind: 'resolver' as const, value: input['server'] as string }]),
  ],
  raises: (input) => (input['loud'] === true ? [{ risk: 'intrusive', option: 'loud', why: 'it shouts' }] : []),
  estimate: (_input, pinned) => ({
    probes: Number(pinned.size.probes),
    packetsPerSecond: 10,
    durationMs: Number(pinned.size.probes) * 100,
    accounts: [
      { account: 'ssh://10.0.0.1:22/root', guesses: 3 },
      { account: 'ssh://10.0.0.1:22/adm', guesses: 7 },
    ],
  }),
  grammar: { options: { '-n': 'flag', '-p': /^.+$/, '-r': 'integer' }, operands: 'network' },
  argv: (input, pinned) => {
    const target = pinned.one('target');
    const isNetwork = target.addressCount > 1n;
    return [
      '-n',
      '-r',
      String(input['retries']),
      ...(input['password'] === undefined ? [] : ['-p', input['password'] as string]),
      isNetwork ? `${target.address}/${target.prefix}` : target.address,
    ];
  },
} as Parameters<typeof defineTool>[0]);

/** What of a world a test changes. */
export interface World {
  readonly names?: Readonly<Record<string, readonly string[]>>;
  readonly engagement?: Partial<Engagement['document']>;
  readonly sources?: Partial<PlanSources>;
  readonly engagements?: Partial<PlanSources['engagements']>;
  readonly budgets?: Partial<ReturnType<typeof openGuards>['budgets']>;
  readonly planner?: Partial<PlannerParts>;
  readonly ttlMs?: number;
  readonly tool?: AnyTool;
}

/** A clock that a test moves. */
export function handClock() {
  const clock = { at: 1_700_000_000_000, now: () => clock.at, monotonic: () => clock.at };
  return clock;
}

/** Planner and engine over the same rules and the same real store. */
export async function planningWorld(t: TestContext, world: World = {}) {
  const { store, path } = await newStore(t);
  const asked: string[] = [];
  const names = { ...world.names };
  const policy = policyOf(async (name) => {
    asked.push(name);
    const answer = names[name];
    if (answer === undefined) throw new Error('NXDOMAIN');
    return answer;
  });
  const standing = { version: 'aaaaaaaaaaaaaaaa' };
  const engagement = () => ({ ...openEngagement(policy, { risk: 'active', ...world.engagement }), ...standing });
  const open = openSources(engagement);
  const sources = { ...open, engagements: { ...open.engagements, ...world.engagements }, ...world.sources };
  const guards = openGuards();
  const budgets = { ...guards.budgets, ...world.budgets };
  const clock = handClock();
  const redactor = createRedactor();
  const logged: string[] = [];
  const log = (event: string, fields?: object) => void logged.push(`${event} ${JSON.stringify(fields ?? {})}`);
  const state: { planner?: ReturnType<typeof createPlanner> } = {};
  const fixture = engineFixture({
    tool: world.tool ?? sweep,
    sources,
    realStore: store,
    places: 4,
    guards: {
      ...guards,
      budgets,
      named: { take: async (...call) => (state.planner ?? missing()).take(...call) },
    },
  });
  const audited: AuditEvent[] = [];
  const planner = createPlanner({
    registry: fixture.registry,
    plans: {
      generation: () => 0,
      timeoutMs: (tool) => tool.definition.timeoutMs,
      wordlist: () => Promise.reject(new Error('no lists here')),
      raw: () => false,
      link: () => ({}),
      ...sources,
    },
    budgets,
    store: store.plans,
    ttlMs: () => world.ttlMs ?? 60_000,
    text: createRunText(redactor),
    redactor,
    audit: {
      requireWritable: () => undefined,
      note: (event) => void audited.push(event),
      append: async (event) => {
        audited.push(event);
        return guards.audit.append(event);
      },
    },
    clock,
    recorder: fixture.recorder,
    log: { info: log, warn: log, error: log },
    ...world.planner,
  });
  state.planner = planner;
  const plan = (input: unknown, more: object = {}) =>
    planner.plan(alice, { tool: 'echo', input, requestId: 'req-1', ...more });
  return {
    ...fixture,
    planner,
    plan,
    asked,
    names,
    standing,
    audited,
    clock,
    redactor,
    logged,
    realStore: store,
    path,
  };
}

function policyOf(resolve: (name: string) => Promise<readonly string[]>): TargetPolicy {
  return createTargetPolicy({
    scope: { allow: ['10.0.0.0/8', '*.lab.internal'], deny: ['10.99.0.0/16'] },
    denyPorts: ['502'],
    allowLoopback: false,
    ownAddresses: ['10.1.1.1:8080'],
    resolvers: ['10.77.0.10'],
    resolver: { resolve },
  });
}

function missing(): never {
  throw new SallyportError('ERR_INTERNAL', 'no planner yet');
}
