import type { RuleTrace } from '../plan/trace.ts';

/** A closed range of ports of one transport protocol, both ends included, 0..65535. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/**
 * One thing of a tool's input that names somebody else's machine. Every option that carries a target makes one
 * (URL host, DNS server, enumerated domain, network), so that the policy sees all of them.
 * - `host`: one address or one name; names are resolved and pinned
 * - `network`: one address or one CIDR block
 * - `host-or-network`: either of both
 * - `url`: an absolute http or https URL; its host is resolved and pinned
 * - `domain`: a DNS name that is asked about, not contacted; must be in scope by name (reverse names by their address)
 * - `resolver`: a DNS server `address[:port]`; must be in the operator's resolver list or in scope by address.
 *   An empty value means the operator's first configured resolver.
 */
export interface TargetClaim {
  /** Where it came from in the input, for messages and for the argv builder: `target`, `server`, `url`. */
  readonly role: string;
  readonly kind: 'host' | 'network' | 'host-or-network' | 'url' | 'domain' | 'resolver';
  readonly value: string;
  /** Ports that will be touched there; counted in the size and checked against denied ports. */
  readonly ports?: readonly PortRange[];
  /** `domain` only: everything below the name is asked for too (enumeration, zone transfer) and has to be permitted. */
  readonly below?: boolean;
}

/** A claim after canonicalising, resolving and checking: only this reaches an argv. */
export interface PinnedTarget {
  readonly role: string;
  readonly kind: TargetClaim['kind'];
  /** As the caller wrote it. */
  readonly given: string;
  /** Canonical spelling: lower-case A-label name, RFC 5952 address, CIDR with host bits refused, WHATWG URL. */
  readonly canonical: string;
  /** The DNS name when the claim had one. */
  readonly name?: string;
  /** The address to contact (the first pinned one, IPv4 before IPv6); network address for a CIDR; '' for a domain. */
  readonly address: string;
  /** Every address the name resolved to; all of them are in scope. The network address alone for a CIDR. */
  readonly addresses: readonly string[];
  /** 4 or 6; 0 for a domain. */
  readonly family: 0 | 4 | 6;
  /** Prefix length of a network (32 or 128 for a single address); absent for domains. */
  readonly prefix?: number;
  /** Number of addresses it covers. Exact. */
  readonly addressCount: bigint;
  /** The port of a url or resolver claim. */
  readonly port?: number;
  /** Present for a url claim. `path` begins with '/' and keeps the query. */
  readonly url?: {
    readonly scheme: 'http' | 'https';
    readonly host: string;
    readonly port: number;
    readonly path: string;
  };
}

/** What the policy pinned for one run. */
export interface PinnedTargets {
  readonly list: readonly PinnedTarget[];
  /** All pinned targets of a role, in input order. */
  all(role: string): readonly PinnedTarget[];
  /** The only pinned target of a role; throws ERR_INTERNAL when there is not exactly one (a bug in the tool). */
  one(role: string): PinnedTarget;
  /** Exact sizes over all targets, computed before anything is expanded. */
  readonly size: { readonly addresses: bigint; readonly ports: number; readonly probes: bigint };
}

/** Upper bounds of one call, checked on the exact sizes. */
export interface TargetLimits {
  readonly maxAddresses: number;
  /** Different ports over all claims, those of URLs and DNS servers included. */
  readonly maxPorts: number;
}

/** Decides which targets may be touched. Pure but for the resolver that it was given. */
export interface TargetPolicy {
  /** Canonicalises, resolves, checks and pins every claim, or throws ERR_TARGET_* with `details.rule`. */
  pin(
    claims: readonly TargetClaim[],
    limits: TargetLimits,
    options?: { readonly fresh?: boolean; readonly trace?: RuleTrace },
  ): Promise<PinnedTargets>;
  /**
   * Throws ERR_TARGET_* as `pin` does when what was pinned from these claims may not be touched by these rules. Looks no
   * name up and judges no size. Throws ERR_INTERNAL when they do not belong together. Absent: nothing of it may go on.
   */
  recheck?(claims: readonly TargetClaim[], pinned: readonly PinnedTarget[]): void;
}
