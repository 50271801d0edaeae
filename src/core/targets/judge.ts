import { type Cidr, formatAddress, formatCidr, isSingle } from './address.ts';
import type { Endpoint } from './canonicalise.ts';
import { findOwnEndpoint, type OwnEndpoint } from './own-endpoints.ts';
import { countPorts, findDeniedPorts } from './ports.ts';
import type { Refusal, TargetRule } from './rules.ts';
import type { NameUse, Scope } from './scope.ts';
import { alwaysDenied, embeddedIpv4, touchesLoopback } from './special-ranges.ts';
import type { PortRange } from './types.ts';

/** The operator's rules, read once. */
export interface Rules {
  readonly scope: Scope;
  readonly denyPorts: readonly PortRange[];
  readonly allowLoopback: boolean;
  readonly resolvers: readonly Endpoint[];
  /** The gateway's own endpoints at this moment. */
  own(): readonly OwnEndpoint[];
}

/** How a block of addresses is used. */
export interface Use {
  /** `ask`: only named in a DNS question. `resolver`: a server of the operator's list, which needs no scope entry. */
  readonly as: 'contact' | 'ask' | 'resolver';
  readonly ports: readonly PortRange[];
  readonly tell?: Tell | undefined;
}

/** Hears of each rule that did not refuse, and of the datum that decided it, which is only made when somebody listens. */
export type Tell = (rule: TargetRule, datum: () => string) => void;

/** The first rule that refuses the addresses, or undefined when all of them may be used. */
export function judgeBlock(rules: Rules, block: Cidr, use: Use): Refusal | undefined {
  const views = viewsOf(block);
  if (!views.ok) return refusal('target.always-denied', views.message);
  for (const view of views.touched) {
    const denied = judgeView(rules, view, use);
    if (denied !== undefined) return denied;
  }
  if (use.as === 'resolver') {
    use.tell?.('target.resolver', () => `${show(block)} is a DNS server of the operator`);
    return judgePorts(rules, use);
  }
  if (!views.scoped.every((view) => rules.scope.allowsBlock(view))) {
    return outOfScope(rules, `${show(block)} is not in scope`);
  }
  for (const view of views.scoped) use.tell?.('target.scope', () => holderOf(rules, view));
  return judgePorts(rules, use);
}

function holderOf(rules: Rules, view: Cidr): string {
  const entry = rules.scope.blockEntry(view);
  return entry === undefined
    ? `${show(view)} lies in several allowed entries together`
    : `${show(view)} lies in ${entry}`;
}

/** The first rule that refuses the name by itself, before it is looked up, or undefined. */
export function judgeName(rules: Rules, name: string, use: NameJudged): Refusal | undefined {
  const { as, tell } = use;
  const denied = rules.scope.deniesName(name, as);
  if (denied !== undefined) return deniedBy(`${name} is denied by ${denied}`, denied);
  tell?.('target.deny', () => `none of ${rules.scope.denied} denied entries matches ${name}`);
  // A name out of scope is not even looked up: its labels would carry data to whoever serves that zone.
  if (!rules.scope.allowsName(name, as)) return outOfScope(rules, `the name ${name} is not in scope`);
  tell?.('target.scope', () => `${name} matches ${rules.scope.nameEntry(name, as) ?? 'an allowed entry'}`);
  return undefined;
}

/** How a name is used, and who hears of the rules that let it pass. */
export interface NameJudged {
  readonly as: NameUse;
  readonly tell?: Tell | undefined;
}

/** The first rule that refuses to have everything below the name asked for, or undefined. */
export function judgeBelow(rules: Rules, name: string, tell?: Tell): Refusal | undefined {
  // Enumeration and zone transfer ask for names that no claim shows: a denied one would be looked up, or handed over,
  // by asking for the zone around it.
  const denied = rules.scope.deniesBelow(name);
  if (denied !== undefined) {
    const message = `${name} holds ${denied}, which is denied, and this call asks for everything below ${name}; ask for single names, or enumerate a zone that holds no denied name`;
    return { ...refusal('target.deny', message), instead: `single names, or a zone without ${denied}` };
  }
  if (!rules.scope.allowsBelow(name)) {
    return outOfScope(rules, `this call asks for everything below ${name}, which needs *.${name} in scope`);
  }
  tell?.('target.scope', () => `everything below ${name} is in scope`);
  return undefined;
}

type Views =
  | { readonly ok: false; readonly message: string }
  | { readonly ok: true; readonly touched: readonly Cidr[]; readonly scoped: readonly Cidr[] };

/** The block itself and the IPv4 addresses that a packet to it can come out as: all are judged. */
function viewsOf(block: Cidr): Views {
  const embedding = embeddedIpv4(block);
  if (embedding === undefined) return { ok: true, touched: [block], scoped: [block] };
  const { form, inner, isEndpoint } = embedding;
  if (inner.length === 0) {
    return { ok: false, message: `${show(block)} holds IPv6 addresses that carry IPv4; name the IPv4 network` };
  }
  // No tunnel leads to our own loopback on purpose, whatever a lab allows.
  if (inner.some((view) => touchesLoopback(view))) return { ok: false, message: `${form} around loopback is denied` };
  return { ok: true, touched: [block, ...inner], scoped: isEndpoint ? [block, ...inner] : inner };
}

function judgeView(rules: Rules, view: Cidr, use: Use): Refusal | undefined {
  const always = alwaysDenied(view);
  if (always !== undefined) return refusal('target.always-denied', always);
  use.tell?.('target.always-denied', () => `${show(view)} is in no range that is denied to everybody`);
  const isLoopback = touchesLoopback(view);
  if (isLoopback && !rules.allowLoopback && use.as !== 'resolver') {
    return refusal('target.loopback', 'loopback is denied; the operator can allow it for a lab');
  }
  use.tell?.('target.loopback', () => (isLoopback ? 'loopback is allowed here' : `${show(view)} is not loopback`));
  const own = use.as === 'ask' ? undefined : findOwnEndpoint(view, use.ports, rules.own());
  if (own !== undefined) return refusal('target.own-address', `${own} belongs to the gateway; name targets without it`);
  use.tell?.('target.own-address', () =>
    use.as === 'ask' ? 'asked about, not contacted' : 'no address or port of the gateway',
  );
  const denied = rules.scope.deniesBlock(view);
  if (denied !== undefined) return deniedBy(`${show(view)} is denied by ${denied}`, denied);
  use.tell?.('target.deny', () => `none of ${rules.scope.denied} denied entries meets ${show(view)}`);
  return undefined;
}

function judgePorts(rules: Rules, { ports, tell }: Use): Refusal | undefined {
  const denied = findDeniedPorts(ports, rules.denyPorts);
  if (denied === undefined) {
    tell?.('target.ports-denied', () => `none of ${countPorts(ports)} ports is denied`);
    return undefined;
  }
  const isOne = denied.from === denied.to;
  const range = isOne ? `port ${denied.from}` : `ports ${denied.from}-${denied.to}`;
  return {
    ...refusal('target.ports-denied', `${range} must not be touched; leave ${isOne ? 'it' : 'them'} out`),
    instead: `the call without ${range}`,
  };
}

function outOfScope(rules: Rules, why: string): Refusal {
  const { summary } = rules.scope;
  return { ...refusal('target.scope', `${why}; allowed: ${summary}`), instead: `targets in ${summary}` };
}

function deniedBy(message: string, entry: string): Refusal {
  return { ...refusal('target.deny', message), instead: `targets outside ${entry}` };
}

function refusal(rule: TargetRule, message: string): Refusal {
  return { rule, message };
}

function show(block: Cidr): string {
  return isSingle(block) ? formatAddress(block) : formatCidr(block);
}
