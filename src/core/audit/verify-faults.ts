import type { AuditFault } from './verify-types.ts';

/** Faults that are kept of one place; later ones are only counted. */
const MAX_KEPT = 200;

/** Collects the faults of one place in bounded memory. */
export class Faults {
  readonly kept: AuditFault[] = [];
  dropped = 0;
  private readonly place: string;

  constructor(place: string) {
    this.place = place;
  }

  add(kind: AuditFault['kind'], range: { readonly seq: number; readonly until?: number }, message: string): void {
    if (this.kept.length >= MAX_KEPT) {
      this.dropped += 1;
      return;
    }
    const { seq, until } = range;
    this.kept.push({ place: this.place, kind, seq, ...(until !== undefined && until > seq && { until }), message });
  }

  /** Whether one of them names a record from `seq` to `until`. */
  isWithin(seq: number, until: number): boolean {
    return this.kept.some((fault) => fault.seq <= until && seq <= (fault.until ?? fault.seq));
  }
}
