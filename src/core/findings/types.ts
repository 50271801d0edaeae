import type { Confidence, Finding, FindingKind, Severity } from '../../../schemas/finding.ts';
import type { PortRange } from '../targets/types.ts';

/**
 * A finding as a tool states it, before it is cleaned, masked and fingerprinted. What it is *about* (kind, place, key)
 * decides its fingerprint; everything else may change from run to run.
 */
export interface FindingDraft {
  readonly kind: FindingKind;
  /** Host name, address or URL as the caller knows it. */
  readonly target: string;
  readonly address?: string;
  readonly port?: number;
  readonly protocol?: string;
  /** Tells two findings of one kind at one place apart: a script id, a path, a record's name and type, a login. */
  readonly key?: string;
  readonly title: string;
  readonly severity: Severity;
  readonly confidence: Confidence;
  readonly evidence?: string;
  readonly references?: readonly string[];
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** A finding as one run saw it: cleaned, masked, with its fingerprint and a digest of everything that may change. */
export interface Observation {
  readonly fingerprint: string;
  /** 32 hexadecimal digits over severity, title, confidence and attributes. */
  readonly digest: string;
  readonly draft: Required<Pick<FindingDraft, 'evidence' | 'references' | 'attributes'>> & FindingDraft;
}

/** One part of what a run looked at to its end. A finding that lies in it and was not seen is not there. */
export interface Area {
  readonly kinds: readonly FindingKind[];
  /** Address or CIDR block; absent: findings are told apart by `subject` alone. */
  readonly network?: string;
  readonly protocol?: string;
  /** Absent: every port, or a kind without ports. Empty: only what is about the host itself and has no port. */
  readonly ports?: readonly PortRange[];
  /** Equal to the `target` of the findings in it, where an address does not name them (a URL, a domain). */
  readonly subject?: string;
  /**
   * What was tried there (a word list with its extensions, a set of scripts, guesses): a finding counts as gone only
   * when the other run has an area with the same text that holds it. Absent: everything of these kinds.
   */
  readonly method?: string;
}

/** Everything that one run looked at to its end; empty for a run that was cut short before anything was finished. */
export interface Coverage {
  readonly areas: readonly Area[];
  /** For people: what was asked for and not looked at to its end. */
  readonly missing: readonly string[];
}

/** Everything an export or a report is made from. Iterables are read once, in pages from the store. */
export interface ExportSource {
  readonly run: import('../../../schemas/run-record.ts').Run;
  readonly coverage: Coverage | undefined;
  /** Ordered from worst severity to least, then by target. */
  readonly findings: () => AsyncIterable<Finding>;
  /** Version of Sallyport. */
  readonly version: string;
  /** When the export is made, ISO 8601. */
  readonly exportedAt: string;
}
