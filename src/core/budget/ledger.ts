import { type Cells, createCells } from './cells.ts';
import { type Entry, WINDOW_MS } from './entry.ts';
import { readLoads } from './loads.ts';
import { createPile, layEarlier, lay, lift, type Pile } from './pile.ts';
import { wholeMs } from './amounts.ts';
import type { BudgetTime } from './time.ts';
import type { StoredRunTime } from './types.ts';

/** What an engagement has taken as of now. */
export interface Book {
  readonly now: number;
  /** The same number: nothing has changed since. */
  readonly change: number;
  /** What runs, or has ended within the window; and the run time of everything before. */
  readonly whole: Pile;
  /** The same by address; made when it is first asked for. */
  readonly cells: () => Cells;
}

/** Everything that all engagements have taken, in memory. */
export interface Ledger {
  /** Puts an entry in, or in the place of the one with the same id. Those that ended come in the order of their end. */
  put(entry: Entry): void;
  remove(entry: Entry): void;
  addEarlier(time: StoredRunTime): void;
  /** From now on the run time at each address is kept after the window, too. It stays for ever, so only where it is limited. */
  keepTargets(engagement: string): void;
  book(engagement: string): Book;
}

interface Page {
  readonly whole: Pile;
  readonly running: Map<string, Entry>;
  /** In the order of their end. */
  readonly ended: Map<string, Entry>;
  cells: Cells | undefined;
  keepsTargets: boolean;
  change: number;
}

/** Makes an empty ledger. */
export function createLedger(time: Pick<BudgetTime, 'now'>): Ledger {
  const pages = new Map<string, Page>();
  const pageOf = (engagement: string): Page => {
    const page = pages.get(engagement) ?? newPage();
    pages.set(engagement, page);
    return page;
  };
  return {
    put: (entry) => {
      const page = pageOf(entry.engagement);
      const before = entryOf(page, entry.id);
      lay(page.whole, entry, entry.amounts);
      page.cells?.lay(entry);
      if (before !== undefined) takeOut(page, before);
      (entry.endedAt === undefined ? page.running : page.ended).set(entry.id, entry);
      page.change += 1;
    },
    remove: ({ engagement, id }) => {
      const page = pageOf(engagement);
      const entry = entryOf(page, id);
      if (entry !== undefined) takeOut(page, entry);
    },
    addEarlier: ({ engagement, targets, runMs }) => {
      const page = pageOf(engagement);
      layEarlier(page.whole, wholeMs(runMs));
      if (page.keepsTargets) cellsOf(page).layEarlier(readLoads(targets), wholeMs(runMs));
      page.change += 1;
    },
    keepTargets: (engagement) => {
      pageOf(engagement).keepsTargets = true;
    },
    book: (engagement) => {
      const now = time.now();
      const page = pageOf(engagement);
      age(page, now);
      return { now, change: page.change, whole: page.whole, cells: () => cellsOf(page) };
    },
  };
}

function newPage(): Page {
  const [running, ended] = [new Map<string, Entry>(), new Map<string, Entry>()];
  return { whole: createPile(), running, ended, cells: undefined, keepsTargets: false, change: 0 };
}

function entryOf({ running, ended }: Page, id: string): Entry | undefined {
  return running.get(id) ?? ended.get(id);
}

function takeOut(page: Page, entry: Entry): void {
  page.change += 1;
  page.running.delete(entry.id);
  page.ended.delete(entry.id);
  lift(page.whole, entry);
  page.cells?.lift(entry);
}

/** Of what has left the window only the run time stays. */
function age(page: Page, now: number): void {
  for (const entry of page.ended.values()) {
    if (entry.endedAt === undefined || now - entry.endedAt < WINDOW_MS) return;
    takeOut(page, entry);
    layEarlier(page.whole, entry.amounts.runMs);
    if (page.keepsTargets) cellsOf(page).layEarlier(entry.amounts.blocks, entry.amounts.runMs);
  }
}

function cellsOf(page: Page): Cells {
  if (page.cells !== undefined) return page.cells;
  page.cells = createCells();
  for (const entry of page.whole.parts?.keys() ?? []) page.cells.lay(entry);
  return page.cells;
}
