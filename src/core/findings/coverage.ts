import type { FindingKind } from '../../../schemas/finding.ts';
import { parseCidr } from '../targets/address.ts';
import { quote } from '../targets/rules.ts';
import { type CoverageIndex, indexCoverage } from './coverage-index.ts';
import { canonicalPlace } from './place.ts';
import type { Area, Coverage } from './types.ts';

/** Where a finding lies: what decides whether a run could have seen it. */
export interface FindingPlace {
  readonly kind: FindingKind;
  readonly target: string;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly protocol?: string | undefined;
}

/** Whether a run looked where a finding lies, and when not, what it left out. */
export type Covered = { readonly covered: true } | { readonly covered: false; readonly why: string };

/**
 * Whether the run with the coverage `by` looked, to its end, where a finding of the run with the coverage `of` lies. By
 * the rules of `Area`; whatever is unknown counts as not looked at, because "gone" is a claim and must be earned.
 */
export function isCovered(finding: FindingPlace, by: Coverage | undefined, of: Coverage | undefined): Covered {
  if (by === undefined) return notCovered('what was looked at is not known');
  if (by.areas.length === 0) return notCovered('nothing was looked at to its end');
  const index = indexOf(by);
  if (!index.kinds.has(finding.kind)) return notCovered(`findings of kind ${finding.kind} were not looked for`);
  const near = areasAt(finding, index).filter((area) => area.kinds.includes(finding.kind));
  if (near.length === 0)
    return notCovered(`${placeWords(finding)} was not looked at for findings of kind ${finding.kind}`);
  const open = near.filter((area) => hasProtocol(area, finding) && hasPort(area, finding));
  if (open.length === 0) return notCovered(`${portWords(finding)} of ${placeWords(finding)} was not looked at`);
  if (open.some((area) => hasMethod(area, finding, of))) return { covered: true };
  return notCovered(methodWords(open, finding, of));
}

/** Made once for each coverage: a comparison asks about every finding. */
const INDEXES = new WeakMap<Coverage, CoverageIndex>();

function indexOf(coverage: Coverage): CoverageIndex {
  const index = INDEXES.get(coverage) ?? indexCoverage(coverage);
  INDEXES.set(coverage, index);
  return index;
}

function areasAt({ target, address }: FindingPlace, index: CoverageIndex): readonly Area[] {
  const read = parseCidr(address ?? target);
  return index.at({ address: read.ok ? read.value : undefined, subject: canonicalPlace(target) });
}

/** A finding that does not name its protocol is in no area that is limited to one. */
function hasProtocol({ protocol }: Area, finding: FindingPlace): boolean {
  return protocol === undefined || protocol.toLowerCase() === finding.protocol?.toLowerCase();
}

function hasPort({ ports }: Area, { port }: FindingPlace): boolean {
  if (ports === undefined) return true;
  return port === undefined ? ports.length === 0 : ports.some(({ from, to }) => from <= port && port <= to);
}

/** With a method, "not seen" means "gone" only when the run that saw it had tried the same there. */
function hasMethod({ method }: Area, finding: FindingPlace, of: Coverage | undefined): boolean {
  return method === undefined || triedThere(finding, of).includes(method);
}

function triedThere(finding: FindingPlace, of: Coverage | undefined): readonly (string | undefined)[] {
  if (of === undefined) return [];
  return areasAt(finding, indexOf(of))
    .filter((area) => area.kinds.includes(finding.kind) && hasProtocol(area, finding) && hasPort(area, finding))
    .map((area) => area.method);
}

function notCovered(why: string): Covered {
  return { covered: false, why };
}

function methodWords(open: readonly Area[], finding: FindingPlace, of: Coverage | undefined): string {
  const tried = open[0]?.method ?? '';
  const before = triedThere(finding, of).find((each) => each !== undefined);
  if (before === undefined) return `${quote(tried)} was tried there, and the other run did not finish the same`;
  return `${quote(tried)} was tried there, and ${quote(before)} by the other run`;
}

function placeWords({ target, address }: FindingPlace): string {
  return quote(address ?? target);
}

function portWords({ port, protocol }: FindingPlace): string {
  if (port === undefined) return protocol === undefined ? 'every port' : `every ${protocol} port`;
  return `${protocol ?? 'port'} ${port}`;
}
