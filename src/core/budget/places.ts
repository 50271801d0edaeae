import { ANY_LOGIN, type Guesses } from './accounts.ts';
import type { Amounts } from './amounts.ts';
import type { Block, Cell } from './cells.ts';
import { freeAt } from './entry.ts';
import type { Book } from './ledger.ts';
import { addSums, type Counted, greatest, NONE, type Sums, sumsOf, type Take, takesOf } from './pile.ts';

/** What a limit is held against: the engagement, one address or one account. */
export interface Place {
  readonly asked: number;
  readonly taken: number;
  /** What `taken` is made of; only asked for where there is no room. */
  readonly takes: () => readonly Take[];
  /** The first address of several that carry the same. */
  readonly address?: Pick<Block, 'family' | 'first'>;
  /** As it was asked for. */
  readonly account?: string;
}

/** The whole engagement. */
export function wholePlace({ whole }: Book, counted: Counted, asked: Amounts): Place {
  return {
    asked: askedOf(asked, asked, counted),
    taken: sumsOf(whole)[counted],
    takes: () => takesOf(whole, counted),
  };
}

function askedOf(
  { packetsPerSecond, probes }: Omit<Amounts['blocks'][number], keyof Block>,
  { runMs }: Amounts,
  counted: Counted,
) {
  return { packetsPerSecond, concurrentRuns: 1, probesPerHour: probes, runMinutes: runMs }[counted];
}

/**
 * Every address that is asked for at which most may be taken. Nowhere is more taken than where a block begins: what lies
 * on any other address lies on the last such one before it, too.
 */
export function* addressPlaces(book: Book, counted: Counted, asked: Amounts): Generator<Place> {
  for (const block of asked.blocks) {
    const here = { asked: askedOf(block, asked, counted) };
    for (const { address, on } of beginnings(book.cells().overlapping(block), block)) {
      const takes = () => on.flatMap((cell) => takesOf(cell, counted));
      yield { ...here, taken: takenOn(on, counted), takes, address };
    }
  }
}

/** The most that is taken at any one address, of each thing for itself. */
export function mostAtAddress(book: Book): Sums {
  let most = NONE;
  let networks: readonly Cell[] = [];
  let below = NONE;
  for (const cell of book.cells().all()) {
    const ending = networks.some((each) => !lieTogether(each, cell));
    if (ending) {
      networks = networks.filter((each) => lieTogether(each, cell));
      below = networks.reduce((sums, each) => addSums(sums, sumsOf(each)), NONE);
    }
    const here = addSums(below, sumsOf(cell));
    most = greatest(most, here);
    if (cell.first === cell.last) continue;
    networks = [...networks, cell];
    below = here;
  }
  return most;
}

/** Whether a block reaches the begin of one that follows it. */
function lieTogether(earlier: Block, later: Block): boolean {
  return earlier.family === later.family && earlier.last >= later.first;
}

function takenOn(on: readonly Cell[], counted: Counted): number {
  let taken = 0;
  for (const cell of on) taken += sumsOf(cell)[counted];
  return taken;
}

/** The begin of a block and every address within it at which another one begins, with all that lie there. */
function* beginnings(
  cells: readonly Cell[],
  block: Block,
): Generator<{ readonly address: Pick<Block, 'family' | 'first'>; readonly on: readonly Cell[] }> {
  let on: readonly Cell[] = [];
  let next = 0;
  let address: Pick<Block, 'family' | 'first'> | undefined = block;
  while (address !== undefined) {
    const { first } = address;
    const here = on.filter((cell) => cell.last >= first);
    for (let cell = cells[next]; cell !== undefined && cell.first <= first; cell = cells[next]) {
      here.push(cell);
      next += 1;
    }
    on = here;
    yield { address, on };
    address = cells[next];
  }
}

/** Every account that may be guessed at. A guess at any login is one at each of the place. */
export function* accountPlaces(book: Book, asked: Guesses): Generator<Place> {
  const taken = takenGuesses(book, asked.keys());
  for (const [place, logins] of asked) {
    const known = taken.get(place) ?? NOTHING;
    const anyTaken = known.get(ANY_LOGIN) ?? [];
    const anyAsked = logins.get(ANY_LOGIN) ?? 0;
    for (const login of new Set([...logins.keys(), ...(logins.has(ANY_LOGIN) ? known.keys() : [])])) {
      const takes = login === ANY_LOGIN ? anyTaken : [...(known.get(login) ?? []), ...anyTaken];
      const ownAsked = login === ANY_LOGIN ? 0 : (logins.get(login) ?? 0);
      // Attack: the refusal of a guess at any login must not tell which one somebody else has guessed at.
      const account = place + (logins.has(login) ? login : ANY_LOGIN);
      yield { asked: ownAsked + anyAsked, taken: amountOf(takes), takes: () => takes, account };
    }
  }
}

/** The most guesses at any one account. */
export function mostAtAccount(book: Book): number {
  let most = 0;
  for (const logins of takenGuesses(book).values()) {
    const any = amountOf(logins.get(ANY_LOGIN) ?? []);
    most = Math.max(most, any);
    for (const [login, takes] of logins) if (login !== ANY_LOGIN) most = Math.max(most, amountOf(takes) + any);
  }
  return most;
}

const NOTHING: ReadonlyMap<string, Take[]> = new Map();

/** At these places, or at all. */
function takenGuesses(book: Book, at?: Iterable<string>): ReadonlyMap<string, ReadonlyMap<string, Take[]>> {
  const taken = new Map<string, Map<string, Take[]>>();
  const wanted = at && [...at];
  if (wanted?.length === 0) return taken;
  for (const entry of book.whole.parts?.keys() ?? []) {
    const { guesses } = entry.amounts;
    if (guesses.size === 0) continue;
    for (const place of wanted ?? guesses.keys()) {
      const known = taken.get(place) ?? new Map<string, Take[]>();
      taken.set(place, known);
      for (const [login, amount] of guesses.get(place) ?? []) {
        const takes = known.get(login) ?? [];
        known.set(login, takes);
        takes.push({ amount, freeAt: freeAt(entry, 'window') });
      }
    }
  }
  return taken;
}

function amountOf(takes: readonly Take[]): number {
  return takes.reduce((sum, { amount }) => sum + amount, 0);
}

/** When a place has room for what is asked: -Infinity when it has, Infinity when waiting does not help. */
export function roomAt(place: Place, limit: number, atLeast = -Infinity): number {
  // 0 permits nothing, not even to ask for nothing.
  if (limit === 0 || place.asked > limit) return Infinity;
  if (atLeast === Infinity || place.taken + place.asked <= limit) return -Infinity;
  const takes = place.takes();
  // Most places have room again when another one has: then nothing has to be sorted.
  const later = takes.filter((take) => take.freeAt > atLeast);
  if (place.asked + amountOf(later) <= limit) return -Infinity;
  let stays = place.asked;
  for (const take of later.sort((a, b) => Number(b.freeAt > a.freeAt) - Number(b.freeAt < a.freeAt))) {
    stays += take.amount;
    if (stays > limit) return take.freeAt;
  }
  return -Infinity;
}
