import type { Entry } from './entry.ts';
import { createPile, lay, layEarlier, lift, type Pile } from './pile.ts';
import type { TargetLoad } from './types.ts';

/** A block of addresses, ends included. */
export type Block = Pick<TargetLoad, 'family' | 'first' | 'last'>;

/** A block that was a target, with everything that was taken at exactly this block. */
export interface Cell extends Block, Pile {}

/**
 * What is taken at addresses, found by address. Every block is there once, however many runs it had; a block is looked
 * up among those of about its size, so that a question touches those that overlap it and hardly any other.
 */
export interface Cells {
  lay(entry: Entry): void;
  lift(entry: Entry): void;
  layEarlier(blocks: readonly Block[], runMs: number): void;
  /** Those that share an address with a block, in order of first address; of several the widest first. */
  overlapping(block: Block): readonly Cell[];
  /** All, in the same order. */
  all(): readonly Cell[];
}

/** Makes an empty index. */
export function createCells(): Cells {
  const shelves = new Map<number, Shelf>();
  const cellOf = (block: Block): Cell => {
    const size = sizeOf(block);
    const shelf = shelves.get(size) ?? createShelf(block.last === block.first ? 0n : (1n << BigInt(size % 256)) - 1n);
    shelves.set(size, shelf);
    return shelf.get(block) ?? shelf.add(block);
  };
  return {
    lay: (entry) => {
      for (const block of entry.amounts.blocks) lay(cellOf(block), entry, block);
    },
    lift: (entry) => {
      for (const block of entry.amounts.blocks) {
        const shelf = shelves.get(sizeOf(block));
        const cell = shelf?.get(block);
        if (shelf === undefined || cell === undefined) continue;
        lift(cell, entry);
        if (cell.parts === undefined && cell.earlierMs === 0) shelf.remove(cell);
      }
    },
    layEarlier: (blocks, runMs) => {
      if (runMs > 0) for (const block of blocks) layEarlier(cellOf(block), runMs);
    },
    overlapping: (block) => {
      const near = [...shelves].filter(([size]) => Math.floor(size / 256) === block.family);
      return near.flatMap(([, shelf]) => shelf.overlapping(block)).sort(byAddress);
    },
    all: () => {
      const [one, ...more] = [...shelves.values()].map((shelf) => shelf.inOrder());
      // Each shelf is in order already, which is what makes this sort cheap.
      return more.length === 0 ? (one ?? []) : [...(one ?? []), ...more.flat()].sort(byAddress);
    },
  };
}

/** The wider of two that begin together comes first. */
function byAddress(a: Block, b: Block): number {
  if (a.family !== b.family) return a.family - b.family;
  if (a.first !== b.first) return a.first < b.first ? -1 : 1;
  return a.last > b.last ? -1 : 1;
}

/** Family and size as the number of bits in which the addresses of a block differ from its first: 0 is one address. */
function sizeOf({ family, first, last }: Block): number {
  const reach = last - first;
  const bits = reach < 2n ** 32n ? 32 - Math.clz32(Number(reach)) : reach.toString(2).length;
  return family * 256 + bits;
}

/** Blocks of one family and about one size. */
interface Shelf {
  get(block: Block): Cell | undefined;
  add(block: Block): Cell;
  remove(cell: Cell): void;
  overlapping(block: Block): readonly Cell[];
  inOrder(): readonly Cell[];
}

/** Above it new blocks are sorted in together. */
const MANY = 1000;

/** `reach`: the most by which the last address of a block is above its first. */
function createShelf(reach: bigint): Shelf {
  const known = new Map<string | number, Cell>();
  let sorted: Cell[] = [];
  let added: Cell[] = [];
  let removed = new Set<Cell>();
  const inOrder = (): readonly Cell[] => {
    if (removed.size > 0) {
      sorted = sorted.filter((cell) => !removed.has(cell));
      added = added.filter((cell) => !removed.has(cell));
      removed = new Set();
    }
    if (added.length > MANY) sorted = [...sorted, ...added.sort(byAddress)].sort(byAddress);
    else for (const cell of added) sorted.splice(placeOf(sorted, cell.first), 0, cell);
    added = [];
    return sorted;
  };
  return {
    get: (block) => known.get(keyOf(block)),
    add: ({ family, first, last }) => {
      const cell = { family, first, last, ...createPile() };
      known.set(keyOf(cell), cell);
      added.push(cell);
      return cell;
    },
    remove: (cell) => {
      known.delete(keyOf(cell));
      removed.add(cell);
    },
    overlapping: (block) => {
      if (reach === 0n && block.first === block.last) {
        const one = known.get(keyOf(block));
        return one === undefined ? [] : [one];
      }
      const cells = inOrder();
      const found: Cell[] = [];
      for (let at = placeOf(cells, block.first - reach); at < cells.length; at += 1) {
        const cell = cells[at];
        if (cell === undefined || cell.first > block.last) break;
        if (cell.last >= block.first) found.push(cell);
      }
      return found;
    },
    inOrder,
  };
}

/**
 * No big number. Attack: maps of the engine hash only its last 64 bits, which hosts of many IPv6 networks have in common,
 * so that each of them would be compared with all others.
 */
function keyOf({ family, first, last }: Block): string | number {
  if (family === 4) return first === last ? Number(first) : `${Number(first)} ${Number(last)}`;
  return `${first.toString(36)} ${last.toString(36)}`;
}

/** The place of the first cell that does not begin before an address. */
function placeOf(cells: readonly Cell[], first: bigint): number {
  let low = 0;
  let high = cells.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((cells[middle]?.first ?? 0n) < first) low = middle + 1;
    else high = middle;
  }
  return low;
}
