import { KnownSecrets, secretName } from './known-secrets.ts';

/** Owners whose finds are remembered; the one that found something longest ago leaves. */
const MAX_OWNERS = 64;
/** Finds of one owner that are remembered. */
const MAX_PER_OWNER = 500;

interface Finds {
  readonly own: KnownSecrets;
  /** How to let go of each, oldest first. */
  readonly held: Map<string, () => void>;
}

/**
 * Secrets that runs found, apart for each owner: with one set for all, a word that one tenant's target took as a password
 * would mask the answers of another, who could also guess at it and look whether the guess comes back masked. Bounded
 * per owner, so that nobody's finds push out those of another.
 */
export class FoundSecrets {
  /** Those of all owners: for the operator's log only, never for an answer. */
  readonly all = new KnownSecrets();
  private readonly owners = new Map<string, Finds>();

  /** Remembers a find of this owner. */
  keep(owner: string, secret: string): void {
    const finds = this.owners.get(owner) ?? { own: new KnownSecrets(), held: new Map<string, () => void>() };
    this.owners.delete(owner);
    this.owners.set(owner, finds);
    const letGo = [finds.own.register(secret), this.all.register(secret)];
    // Known again before the older hold ends: it is never forgotten in between.
    const name = secretName(secret);
    finds.held.get(name)?.();
    finds.held.delete(name);
    finds.held.set(name, () => {
      for (const release of letGo) release();
    });
    if (finds.held.size > MAX_PER_OWNER) forgetOldest(finds.held);
    if (this.owners.size > MAX_OWNERS) this.forgetOldestOwner();
  }

  /** What this owner found; undefined when nothing. */
  of(owner: string): KnownSecrets | undefined {
    return this.owners.get(owner)?.own;
  }

  private forgetOldestOwner(): void {
    for (const [owner, { held }] of this.owners) {
      for (const release of held.values()) release();
      this.owners.delete(owner);
      return;
    }
  }
}

function forgetOldest(held: Map<string, () => void>): void {
  for (const [name, release] of held) {
    release();
    held.delete(name);
    return;
  }
}
