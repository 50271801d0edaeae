import { createHash } from 'node:crypto';
import { type EngagementDocument, EngagementSchema } from '../../../schemas/engagement.ts';
import { SallyportError } from '../errors.ts';
import { canonicalJson } from '../findings/fingerprint.ts';
import type { TargetPolicy } from '../targets/types.ts';
import { createValidator, type InputFault } from '../tool/input-validator.ts';
import { documentFaults } from './document-faults.ts';
import { deniedPorts } from './port-rules.ts';
import type { Engagement, EngagementSource } from './types.ts';
import { readWindow, type Window } from './window.ts';

/** Scope and ports of one engagement, as a target policy takes them: `ports.allow` is in `denyPorts` as its complement. */
export interface PolicyRules {
  readonly scope: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly denyPorts: readonly string[];
}

/** Makes the policy of an engagement below everything that the configuration denies to everybody. */
export type MakePolicy = (rules: PolicyRules) => TargetPolicy;

/** An engagement with its window as it is asked at every call. */
export interface CompiledEngagement extends Engagement {
  readonly window: Window;
}

/** A permission that can be asked, or everything that is wrong with its document. */
export type Compiled =
  | { readonly engagement: CompiledEngagement }
  /** `path` is a JSON Pointer into the document. */
  | { readonly faults: readonly InputFault[] };

const validate = createValidator(EngagementSchema);

/** Checks a document whole and makes the engagement; nothing is repaired and the document is copied. Never throws. */
export function compileEngagement(
  given: unknown,
  { source, makePolicy }: { readonly source: EngagementSource; readonly makePolicy: MakePolicy },
): Compiled {
  const read = readDocument(given);
  if ('faults' in read) return read;
  const { document } = read;
  try {
    const policy = makePolicy({
      scope: { allow: document.scope.allow, deny: document.scope.deny ?? [] },
      denyPorts: deniedPorts(document.ports),
    });
    const version = versionOf(document);
    return { engagement: { id: document.id, version, document, source, policy, window: readWindow(document) } };
  } catch (thrown) {
    const message = thrown instanceof SallyportError ? thrown.message : 'cannot be made into a policy';
    return { faults: [{ path: '/scope', message }] };
  }
}

/** A checked, frozen copy of a document, or its faults. */
export function readDocument(
  given: unknown,
): { readonly document: EngagementDocument } | { readonly faults: readonly InputFault[] } {
  try {
    const document = validate(given) as EngagementDocument;
    const faults = documentFaults(document);
    return faults.length === 0 ? { document: freeze(document) } : { faults };
  } catch (thrown) {
    const faults = thrown instanceof SallyportError ? thrown.details?.['faults'] : undefined;
    // What cannot even be copied (a function, a proxy) is no document.
    return { faults: Array.isArray(faults) ? (faults as InputFault[]) : [{ path: '', message: 'must be JSON' }] };
  }
}

/** The first 16 hexadecimal digits of SHA-256 over the canonical document (RFC 8785). */
export function versionOf(document: EngagementDocument): string {
  return createHash('sha256').update(canonicalJson(document), 'utf8').digest('hex').slice(0, 16);
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}
