import { type Cidr, formatAddress, formatCidr, isSingle } from './address.ts';
import type { Endpoint } from './canonicalise.ts';
import { findOwnEndpoint, type OwnEndpoint } from './own-endpoints.ts';
import { findDeniedPorts } from './ports.ts';
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
}

/** The first rule that refuses the addresses, or undefined when all of them may be used. */
export function judgeBlock(rules: Rules, block: Cidr, use: Use): Refusal | undefined {
  const views = viewsOf(block);
  if (!views.ok) return refusal('target.always-denied', views.message);
  for (const view of views.touched) {
    const denied = judgeView(rules, view, use);
    if (denied !== undefined) return denied;
  }
  const isListed = use.as === 'resolver';
  if (!isListed && !views.scoped.every((view) => rules.scope.allowsBlock(view))) {
    return refusal('target.scope', `${show(block)} is not in scope; allowed: ${rules.scope.summary}`);
  }
  return judgePorts(rules, use.ports);
}

/** The first rule that refuses the name by itself, before it is looked up, or undefined. */
export function judgeName(rules: Rules, name: string, use: NameUse): Refusal | undefined {
  const denied = rules.scope.deniesName(name, use);
  if (denied !== undefined) return refusal('target.deny', `${name} is denied by ${denied}`);
  // A name out of scope is not even looked up: its labels would carry data to whoever serves that zone.
  if (rules.scope.allowsName(name, use)) return undefined;
  return refusal('target.scope', `the name ${name} is not in scope; allowed: ${rules.scope.summary}`);
}

/** The first rule that refuses to have everything below the name asked for, or undefined. */
export function judgeBelow(rules: Rules, name: string): Refusal | undefined {
  // Enumeration and zone transfer ask for names that no claim shows: a denied one would be looked up, or handed over,
  // by asking for the zone around it.
  const denied = rules.scope.deniesBelow(name);
  if (denied !== undefined) {
    return refusal(
      'target.deny',
      `${name} holds ${denied}, which is denied, and this call asks for everything below ${name}; ask for single names, or enumerate a zone that holds no denied name`,
    );
  }
  if (rules.scope.allowsBelow(name)) return undefined;
  return refusal(
    'target.scope',
    `this call asks for everything below ${name}, which needs *.${name} in scope; allowed: ${rules.scope.summary}`,
  );
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
  if (touchesLoopback(view) && !rules.allowLoopback && use.as !== 'resolver') {
    return refusal('target.loopback', 'loopback is denied; the operator can allow it for a lab');
  }
  const own = use.as === 'ask' ? undefined : findOwnEndpoint(view, use.ports, rules.own());
  if (own !== undefined) return refusal('target.own-address', `${own} belongs to the gateway; name targets without it`);
  const denied = rules.scope.deniesBlock(view);
  return denied === undefined ? undefined : refusal('target.deny', `${show(view)} is denied by ${denied}`);
}

function judgePorts(rules: Rules, ports: readonly PortRange[]): Refusal | undefined {
  const denied = findDeniedPorts(ports, rules.denyPorts);
  if (denied === undefined) return undefined;
  const range = denied.from === denied.to ? `port ${denied.from}` : `ports ${denied.from}-${denied.to}`;
  return refusal('target.ports-denied', `${range} must not be touched; leave them out`);
}

function refusal(rule: TargetRule, message: string): Refusal {
  return { rule, message };
}

function show(block: Cidr): string {
  return isSingle(block) ? formatAddress(block) : formatCidr(block);
}
