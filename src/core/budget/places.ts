import { ANY_LOGIN, type Guesses } from './accounts.ts';
import { type Amounts, type Book, type Entry, WINDOW_MS } from './ledger.ts';
import { type Segment, type Span, segments } from './loads.ts';
import type { TargetLoad } from './types.ts';

/** Something that was taken, and when it is free again at the latest; Infinity: never. */
export interface Take {
  readonly amount: number;
  readonly freeAt: number;
}

/** What a limit is held against: the engagement, one address or one account. */
export interface Place {
  readonly asked: number;
  readonly takes: readonly Take[];
  /** The first address of several that carry the same. */
  readonly address?: Pick<TargetLoad, 'family' | 'first'>;
  /** As it was asked for. */
  readonly account?: string;
}

/** How one kind of limit counts a run, as a whole and at one address of a block. */
export interface Measure {
  readonly whole: (amounts: Amounts) => number;
  readonly at: (block: TargetLoad, amounts: Amounts) => number;
  /** How long it stays taken: while it runs, until an hour after its end, or for ever. */
  readonly stays: 'running' | 'window' | 'forever';
}

/** The whole engagement. Without `asked`: what is taken. */
export function wholePlace(book: Book, measure: Measure, asked: Amounts | undefined): Place {
  const takes = book.entries.flatMap((entry) => takesOf(entry, measure, measure.whole(entry.amounts)));
  if (measure.stays === 'forever') takes.push({ amount: book.earlierRunMs, freeAt: Number.POSITIVE_INFINITY });
  return { asked: asked === undefined ? 0 : measure.whole(asked), takes };
}

/** Every address, in blocks that carry the same: those that `asked` names, or all. */
export function* addressPlaces(book: Book, measure: Measure, asked: Amounts | undefined): Generator<Place> {
  const spans: Span<Lying>[] = [];
  const isNear = hullOf(asked);
  const lay = (blocks: readonly TargetLoad[], lying: (block: TargetLoad) => Lying | undefined) => {
    for (const block of blocks) {
      const of = isNear(block) ? lying(block) : undefined;
      if (of !== undefined) spans.push({ family: block.family, first: block.first, last: block.last, of });
    }
  };
  for (const entry of book.entries) {
    lay(entry.amounts.blocks, (block) => {
      const [take] = takesOf(entry, measure, measure.at(block, entry.amounts));
      return take && { take };
    });
  }
  if (measure.stays === 'forever') {
    for (const { blocks, runMs } of book.earlier) {
      lay(blocks, () => ({ take: { amount: runMs, freeAt: Number.POSITIVE_INFINITY } }));
    }
  }
  if (asked !== undefined) lay(asked.blocks, (block) => ({ asked: measure.at(block, asked) }));
  for (const segment of segments(spans)) {
    const place = placeOf(segment);
    if (asked === undefined || place.isAsked) yield place;
  }
}

/** Whether a block may share an address with what is asked for: the others need not be sorted. */
function hullOf(asked: Amounts | undefined): (block: TargetLoad) => boolean {
  if (asked === undefined) return () => true;
  const hulls = new Map<number, { first: bigint; last: bigint }>();
  for (const { family, first, last } of asked.blocks) {
    const hull = hulls.get(family);
    // They are in order of address.
    hulls.set(family, { first: hull?.first ?? first, last });
  }
  return ({ family, first, last }) => {
    const hull = hulls.get(family);
    return hull !== undefined && first <= hull.last && last >= hull.first;
  };
}

type Lying = { readonly take: Take } | { readonly asked: number };

function placeOf({ family, first, on }: Segment<Lying>): Place & { readonly isAsked: boolean } {
  const takes: Take[] = [];
  let asked: number | undefined;
  for (const { of: lying } of on) {
    if ('take' in lying) takes.push(lying.take);
    else asked = lying.asked;
  }
  return { asked: asked ?? 0, takes, address: { family, first }, isAsked: asked !== undefined };
}

/** Every account: those that `asked` may guess at, or all. A guess at any login is one at each of the place. */
export function* accountPlaces(book: Book, asked: Guesses | undefined): Generator<Place> {
  const taken = takenGuesses(book);
  for (const [place, logins] of asked ?? new Map([...taken].map(([each]) => [each, NOBODY]))) {
    const known = taken.get(place) ?? new Map<string, Take[]>();
    const anyTaken = known.get(ANY_LOGIN) ?? [];
    const anyAsked = logins.get(ANY_LOGIN) ?? 0;
    const isAny = asked === undefined || logins.has(ANY_LOGIN);
    for (const login of new Set([...logins.keys(), ...(isAny ? known.keys() : [])])) {
      const own = login === ANY_LOGIN ? [] : (known.get(login) ?? []);
      const ownAsked = login === ANY_LOGIN ? 0 : (logins.get(login) ?? 0);
      // Attack: the refusal of a guess at any login must not tell which one somebody else has guessed at.
      const account = place + (logins.has(login) ? login : ANY_LOGIN);
      yield { asked: ownAsked + anyAsked, takes: [...own, ...anyTaken], account };
    }
  }
}

const NOBODY: ReadonlyMap<string, number> = new Map();

function takenGuesses(book: Book): ReadonlyMap<string, ReadonlyMap<string, Take[]>> {
  const taken = new Map<string, Map<string, Take[]>>();
  for (const entry of book.entries) {
    for (const [place, logins] of entry.amounts.guesses) {
      const known = taken.get(place) ?? new Map<string, Take[]>();
      taken.set(place, known);
      for (const [login, amount] of logins) {
        const takes = known.get(login) ?? [];
        known.set(login, takes);
        takes.push({ amount, freeAt: (entry.endedAt ?? entry.latestEnd) + WINDOW_MS });
      }
    }
  }
  return taken;
}

function takesOf({ endedAt, latestEnd }: Entry, { stays }: Measure, amount: number): Take[] {
  if (stays === 'window') return [{ amount, freeAt: (endedAt ?? latestEnd) + WINDOW_MS }];
  if (endedAt === undefined) return [{ amount, freeAt: latestEnd }];
  return stays === 'forever' ? [{ amount, freeAt: Number.POSITIVE_INFINITY }] : [];
}

/** What is taken of a place. Summed each time: a difference of infinities or of fractions would drift. */
export function takenOf({ takes }: Place): number {
  return takes.reduce((sum, { amount }) => sum + amount, 0);
}

/** When a place has room for what is asked: -Infinity when it has, Infinity when waiting does not help. */
export function roomAt(place: Place, limit: number): number {
  // 0 permits nothing, not even to ask for nothing.
  if (limit === 0 || place.asked > limit) return Number.POSITIVE_INFINITY;
  let stays = place.asked;
  const lastFirst = place.takes.toSorted((a, b) => Number(b.freeAt > a.freeAt) - Number(b.freeAt < a.freeAt));
  for (const { amount, freeAt } of lastFirst) {
    stays += amount;
    if (stays > limit) return freeAt;
  }
  return Number.NEGATIVE_INFINITY;
}
