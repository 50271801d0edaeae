import { type Cidr, parseCidr, widthOf } from '../targets/address.ts';
import { canonicalPlace } from './place.ts';
import type { Area, Coverage } from './types.ts';

/** The areas of a coverage by place: a network of 65,536 hosts is asked about 100,000 findings in one comparison. */
export interface CoverageIndex {
  readonly kinds: ReadonlySet<string>;
  /** Areas that hold a place, whatever their kinds, ports and protocols: by `address` in a network, by `subject`, or both. */
  at(place: { readonly address: Cidr | undefined; readonly subject: string }): readonly Area[];
}

/** Indexes a coverage; an area that names no place, or a malformed network, holds nothing. */
export function indexCoverage(coverage: Coverage): CoverageIndex {
  const blocks = new Map<string, Area[]>();
  const lengths = new Map<string, { readonly family: 4 | 6; readonly prefix: number }>();
  const subjects = new Map<string, Area[]>();
  for (const area of coverage.areas) {
    if (area.network === undefined) {
      if (area.subject !== undefined) push(subjects, canonicalPlace(area.subject), area);
      continue;
    }
    const read = parseCidr(area.network);
    if (!read.ok) continue;
    const { family, prefix } = read.value;
    lengths.set(`${family}/${prefix}`, { family, prefix });
    push(blocks, blockKey(read.value, prefix), area);
  }
  const inBlocks = (address: Cidr): Area[] =>
    [...lengths.values()]
      .filter(({ family, prefix }) => family === address.family && prefix <= address.prefix)
      .flatMap(({ prefix }) => blocks.get(blockKey(address, prefix)) ?? []);
  return {
    kinds: new Set(coverage.areas.flatMap((area) => area.kinds)),
    at: ({ address, subject }) => [
      ...(subjects.get(subject) ?? []),
      ...(address === undefined ? [] : inBlocks(address)).filter(
        (area) => area.subject === undefined || canonicalPlace(area.subject) === subject,
      ),
    ],
  };
}

function blockKey({ family, bits }: Cidr, prefix: number): string {
  return `${family}/${prefix}/${bits >> BigInt(widthOf(family) - prefix)}`;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
