import { SallyportError } from '../errors.ts';
import { type Cidr, formatAddress, parseAddress } from './address.ts';
import { type ClaimTrace, createClaimTrace } from './claim-trace.ts';
import { type CanonicalTarget, canonicalise, countSubject, formatEndpoint, parseEndpoint } from './canonicalise.ts';
import { judgeBelow, judgeBlock, judgeName, type Rules, type Tell, type Use } from './judge.ts';
import { type OwnEndpoint, ownAddressFaults, readOwnAddresses } from './own-endpoints.ts';
import { measure, pinnedTargets, sizeRefusal } from './pinned-targets.ts';
import { denyPortFaults, isPortRange, mergePorts, parsePorts } from './ports.ts';
import type { NameResolver } from './resolver.ts';
import { quote, type Refusal, refusalError } from './rules.ts';
import { createScope, parseScope } from './scope.ts';
import type { PinnedTarget, PinnedTargets, PortRange, TargetClaim, TargetLimits, TargetPolicy } from './types.ts';

/** The operator's rules as configured, and the resolver. */
export interface TargetPolicyOptions {
  readonly scope: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  /** Ports or ranges that no run may touch. */
  readonly denyPorts: readonly string[];
  readonly allowLoopback: boolean;
  /** `address[:port]` of the gateway's store, Redis, metrics and other own places known at start. */
  readonly ownAddresses: readonly string[];
  /** Own places known only later (the port in use), asked at every check; wildcards already expanded. */
  readonly ownEndpoints?: () => readonly OwnEndpoint[];
  /** The operator's DNS servers as `address[:port]`; the first is the default of an empty resolver claim. */
  readonly resolvers: readonly string[];
  readonly resolver: NameResolver;
}

/** One claim between reading and pinning. */
interface Reading {
  readonly claim: TargetClaim;
  readonly target: CanonicalTarget;
  readonly use: Use;
}

type Answers = ReadonlyMap<string, readonly Cidr[]>;

/** Look-ups at once of one call. */
const LOOKUPS_AT_ONCE = 8;
/** Most addresses that one name may have; each of them is checked. */
const MAX_ANSWERS = 64;

/** Every fault of the policy's configuration, one sentence each. */
export function targetPolicyFaults(
  options: Pick<TargetPolicyOptions, 'scope' | 'denyPorts' | 'ownAddresses' | 'resolvers'>,
): readonly string[] {
  const resolverFaults = options.resolvers.flatMap((text, index) => {
    const read = parseEndpoint(text);
    return read.ok ? [] : [`resolvers[${index}]: ${read.fault}`];
  });
  return [
    ...parseScope(options.scope.allow, options.scope.deny),
    ...denyPortFaults(options.denyPorts),
    ...ownAddressFaults(options.ownAddresses),
    ...resolverFaults,
  ];
}

/** Makes the policy of one scope. Throws ERR_CONFIG_INVALID with every fault of its configuration. */
export function createTargetPolicy(options: TargetPolicyOptions): Required<TargetPolicy> {
  const rules = readRules(options);
  return {
    async pin(claims, limits, { fresh = false, trace } = {}) {
      const asked = createClaimTrace(trace);
      try {
        return await pinAll(rules, claims, {
          limits,
          asked,
          resolve: (name) => options.resolver.resolve(name, { fresh }),
        });
      } finally {
        asked.flush();
      }
    },
    recheck: (claims, pinned) => recheckAll(rules, claims, pinned),
  };
}

interface Pinning {
  readonly limits: TargetLimits;
  readonly asked: ClaimTrace;
  readonly resolve: (name: string) => Promise<readonly string[]>;
}

async function pinAll(rules: Rules, claims: readonly TargetClaim[], pinning: Pinning): Promise<PinnedTargets> {
  const { limits, asked } = pinning;
  const readings = claims.map((claim) => readClaim(rules, claim, asked.tell(claim.role)));
  for (const reading of readings) asked.refuseIf(judgeBeforeLookup(rules, reading), reading.claim.role);
  const extents = readings.map(({ target, use }) => ({ addresses: countSubject(target.subject), ports: use.ports }));
  const size = measure(extents);
  const role = claims[0]?.role ?? 'target';
  asked.refuseIf(sizeRefusal(size, limits), role);
  const { maxAddresses, maxPorts } = limits;
  asked.tell(role)?.(
    'target.size',
    () => `${size.addresses} addresses × ${size.ports} ports, at most ${maxAddresses} × ${maxPorts}`,
  );
  const answers = await lookUpAll(readings, pinning.resolve);
  return pinnedTargets(
    readings.map((reading) => pinReading(rules, reading, { answers, asked })),
    size,
  );
}

function readRules(options: TargetPolicyOptions): Rules {
  const faults = targetPolicyFaults(options);
  if (faults.length > 0) throw new SallyportError('ERR_CONFIG_INVALID', faults.join('; '), { details: { faults } });
  const own = readOwnAddresses(options.ownAddresses);
  return {
    scope: createScope(options.scope.allow, options.scope.deny),
    denyPorts: options.denyPorts.flatMap((text) => readPorts(text)),
    allowLoopback: options.allowLoopback,
    resolvers: options.resolvers.flatMap((text) => {
      const read = parseEndpoint(text);
      return read.ok ? [read.value] : [];
    }),
    own: () => [...own, ...(options.ownEndpoints?.() ?? [])],
  };
}

function readPorts(text: string): readonly PortRange[] {
  const read = parsePorts(text);
  return read.ok ? read.value : [];
}

function readClaim(rules: Rules, claim: TargetClaim, tell: Tell | undefined): Reading {
  const ports = claim.ports ?? [];
  if (!ports.every((range) => isPortRange(range))) {
    throw new SallyportError('ERR_INTERNAL', 'The tool declared ports that are none.');
  }
  const value = claim.kind === 'resolver' && claim.value === '' ? defaultResolver(rules, claim.role) : claim.value;
  const read = canonicalise(claim.kind, value);
  if (!read.ok) throw refusalError({ rule: 'target.spelling', message: read.fault }, claim.role);
  const { port } = read.value;
  const touched = mergePorts(port === undefined ? ports : [...ports, { from: port, to: port }]);
  tell?.('target.spelling', () => `read as ${quote(read.value.canonical)}`);
  return { claim, target: read.value, use: { as: 'contact', ports: touched, tell } };
}

function defaultResolver(rules: Rules, role: string): string {
  const first = rules.resolvers[0];
  if (first !== undefined) return formatEndpoint(first.address, first.port ?? 53);
  throw refusalError({ rule: 'target.resolver', message: 'no DNS server is configured; name one in scope' }, role);
}

function judgeBeforeLookup(rules: Rules, { claim, target, use }: Reading): Refusal | undefined {
  const { subject } = target;
  const { tell } = use;
  if (subject.is === 'name') return judgeName(rules, subject.name, { as: 'host', tell });
  if (subject.is === 'domain') {
    // Below a reverse name lie the addresses of its block, and all of those are judged.
    if (subject.reverse !== undefined) return judgeBlock(rules, subject.reverse, { ...use, as: 'ask' });
    const refusal = judgeName(rules, subject.name, { as: 'domain', tell });
    return refusal ?? (claim.below === true ? judgeBelow(rules, subject.name, tell) : undefined);
  }
  if (claim.kind !== 'resolver') return judgeBlock(rules, subject.block, use);
  const isListed = rules.resolvers.some(({ address, port = 53 }) => formatEndpoint(address, port) === target.canonical);
  const refusal = judgeBlock(rules, subject.block, { ...use, as: isListed ? 'resolver' : 'contact' });
  if (refusal?.rule === 'target.scope') {
    return {
      ...refusal,
      rule: 'target.resolver',
      message: `${refusal.message}; or leave the server out for the operator's own`,
    };
  }
  if (refusal === undefined && !isListed) tell?.('target.resolver', () => `${target.canonical} is in scope`);
  return refusal;
}

/** Looks every different name up once, so that all claims of a call see the same answer. */
async function lookUpAll(
  readings: readonly Reading[],
  resolve: (name: string) => Promise<readonly string[]>,
): Promise<Answers> {
  const roles = new Map<string, string>();
  for (const { claim, target } of readings) {
    if (target.subject.is === 'name') roles.set(target.subject.name, claim.role);
  }
  const waiting = [...roles];
  const answers = new Map<string, readonly Cidr[]>();
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [name, role] = next;
      try {
        answers.set(name, readAnswers(name, await resolve(name)));
      } catch (cause) {
        waiting.length = 0;
        const instead = 'a name that resolves, or an address in scope';
        const refusal = {
          rule: 'target.unresolved',
          message: `${name} could not be resolved`,
          instead,
          cause,
        } as const;
        throw refusalError(refusal, role);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(LOOKUPS_AT_ONCE, waiting.length) }, work));
  return answers;
}

function readAnswers(name: string, texts: readonly string[]): readonly Cidr[] {
  if (texts.length === 0 || texts.length > MAX_ANSWERS) throw new Error(`${name} has ${texts.length} addresses`);
  const unique = new Map<string, Cidr>();
  for (const text of texts) {
    const read = parseAddress(text);
    if (!read.ok) throw new Error(`${name} has an answer that is no address: ${read.fault}`);
    unique.set(formatAddress(read.value), read.value);
  }
  // A fixed order: the pinned address and the plan's digest must not follow a server's rotation of its answers.
  return [...unique.values()].sort((a, b) => a.family - b.family || (a.bits < b.bits ? -1 : 1));
}

function pinReading(
  rules: Rules,
  reading: Reading,
  { answers, asked }: { readonly answers: Answers; readonly asked: ClaimTrace },
): PinnedTarget {
  const { claim, target, use } = reading;
  const { subject } = target;
  const common = {
    role: claim.role,
    kind: claim.kind,
    given: claim.value,
    canonical: target.canonical,
    addressCount: countSubject(subject),
    ...(target.port === undefined ? {} : { port: target.port }),
    ...(target.url === undefined ? {} : { url: target.url }),
  };
  if (subject.is === 'domain') return { ...common, name: subject.name, address: '', addresses: [], family: 0 };
  const blocks = subject.is === 'name' ? (answers.get(subject.name) ?? []) : [subject.block];
  // DNS rebinding and split answers: one address out of scope among many refuses the name.
  if (subject.is === 'name') {
    use.tell?.('target.unresolved', () => `${subject.name} has ${listed(blocks)}`);
    for (const block of blocks) asked.refuseIf(named(subject.name, judgeBlock(rules, block, use)), claim.role);
  }
  const [first] = blocks;
  if (first === undefined) throw new SallyportError('ERR_INTERNAL', 'A target was not looked up.');
  return {
    ...common,
    ...(subject.is === 'name' ? { name: subject.name } : {}),
    address: formatAddress(first),
    addresses: blocks.map((block) => formatAddress(block)),
    family: first.family,
    prefix: first.prefix,
  };
}

/**
 * The addresses of names are those that were pinned. Attack: whoever serves the zone answers something permitted, or
 * nothing, while the process goes on with what it was given.
 */
function recheckAll(rules: Rules, claims: readonly TargetClaim[], pinned: readonly PinnedTarget[]): void {
  if (claims.length !== pinned.length) throw mismatch();
  for (const [index, claim] of claims.entries()) {
    const target = pinned[index];
    if (target?.role !== claim.role || target.kind !== claim.kind || target.given !== claim.value) throw mismatch();
    // A server that was left out is the one that was the operator's first then.
    const value = claim.kind === 'resolver' ? target.canonical : claim.value;
    const reading = readClaim(rules, { ...claim, value }, undefined);
    const { subject } = reading.target;
    const refusals = [judgeBeforeLookup(rules, reading)];
    if (subject.is === 'name') {
      const blocks = readAnswers(subject.name, target.addresses);
      refusals.push(...blocks.map((block) => named(subject.name, judgeBlock(rules, block, reading.use))));
    }
    const refusal = refusals.find((each) => each !== undefined);
    if (refusal !== undefined) throw refusalError(refusal, claim.role);
  }
}

function mismatch(): SallyportError {
  return new SallyportError('ERR_INTERNAL', 'These targets were not pinned from these claims.');
}

function named(name: string, refusal: Refusal | undefined): Refusal | undefined {
  return refusal === undefined
    ? undefined
    : { ...refusal, message: `${name} has an address that is refused: ${refusal.message}` };
}

function listed(blocks: readonly Cidr[]): string {
  const shown = blocks.slice(0, 3).map((block) => formatAddress(block));
  const more = blocks.length > shown.length ? [`${blocks.length - shown.length} more`] : [];
  return `${blocks.length} ${blocks.length === 1 ? 'address' : 'addresses'}: ${[...shown, ...more].join(', ')}`;
}
