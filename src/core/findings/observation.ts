import { CONFIDENCES, FINDING_KINDS, SEVERITIES } from '../../../schemas/finding.ts';
import { parseAddress, formatAddress } from '../targets/address.ts';
import { boundAttributes } from './attributes.ts';
import { blockField, type FindingText, lineField } from './field-text.ts';
import { digestOf, fingerprintOf, shortHash } from './fingerprint.ts';
import type { FindingDraft, Observation } from './types.ts';

/** Bounds of the fields of one finding, UTF-16 units; markers are within them. */
export const FINDING_LIMITS = {
  target: 2048,
  address: 64,
  key: 300,
  title: 300,
  evidence: 4000,
  references: 20,
  reference: 200,
} as const;

/** As much of a key as its hash is made of. */
const MAX_HASHED_KEY = 8192;
const NO_TITLE = '[no readable title]';

/**
 * A draft as it is stored and shown: every text cleaned, masked and bounded, with its fingerprint and digest. The digest
 * is made of what is shown. The fingerprint is made of what was cleaned and not masked: what a call brought as a secret
 * differs from call to call, and two logins that are both masked are still two. Never throws, whatever a target put in.
 */
export function toObservation(draft: FindingDraft, text: FindingText): Observation {
  const place = placeFields(draft, text);
  const clean = {
    kind: oneOf(FINDING_KINDS, draft.kind, 'note'),
    target: lineField(draft.target, FINDING_LIMITS.target, text),
    ...place,
    title: lineField(draft.title, FINDING_LIMITS.title, text).trim() || NO_TITLE,
    severity: oneOf(SEVERITIES, draft.severity, 'info'),
    confidence: oneOf(CONFIDENCES, draft.confidence, 'tentative'),
    evidence: blockField(draft.evidence, FINDING_LIMITS.evidence, text),
    references: referencesOf(draft.references, text),
    attributes: boundAttributes(draft.attributes, text),
  };
  return { fingerprint: fingerprintOf(placed(draft, text)), digest: digestOf(clean), draft: clean };
}

/** What the fingerprint is made of. */
function placed(draft: FindingDraft, text: FindingText): Parameters<typeof fingerprintOf>[0] {
  const clean = (plain: string, maxLength: number) => text.clean(plain, maxLength);
  const unmasked: FindingText = { clean, mask: (value) => value };
  return {
    kind: oneOf(FINDING_KINDS, draft.kind, 'note'),
    target: lineField(draft.target, FINDING_LIMITS.target, unmasked),
    ...placeFields(draft, unmasked),
  };
}

type PlaceFields = Pick<FindingDraft, 'address' | 'port' | 'protocol' | 'key'>;

function placeFields({ address, port, protocol, key }: FindingDraft, text: FindingText): PlaceFields {
  const where = addressField(address, text);
  const what = keyField(key, text);
  return {
    ...(where === '' ? {} : { address: where }),
    ...(isPort(port) ? { port } : {}),
    ...(isProtocol(protocol) ? { protocol: protocol.toLowerCase() } : {}),
    ...(what === '' ? {} : { key: what }),
  };
}

/** Canonical, and then never masked: a guessed password that looks like it must not take a finding out of its place. */
function addressField(address: unknown, text: FindingText): string {
  const read = typeof address === 'string' ? parseAddress(address) : undefined;
  return read?.ok === true ? formatAddress(read.value) : lineField(address, FINDING_LIMITS.address, text);
}

/**
 * A key that is too long ends with its hash: cut without one, a target could hide a finding behind another whose key
 * begins with the same 300 characters.
 */
function keyField(key: unknown, text: FindingText): string {
  const whole = lineField(key, MAX_HASHED_KEY, text);
  if (whole.length <= FINDING_LIMITS.key) return whole;
  const hash = `…[${shortHash(whole)}]`;
  return whole.slice(0, FINDING_LIMITS.key - hash.length).replace(/[\ud800-\udbff]$/, '') + hash;
}

function referencesOf(references: unknown, text: FindingText): readonly string[] {
  if (!Array.isArray(references)) return [];
  const { references: most, reference: maxLength } = FINDING_LIMITS;
  const fits = references.length <= most;
  const kept = references.slice(0, fits ? most : most - 1).map((each: unknown) => lineField(each, maxLength, text));
  const distinct = [...new Set(kept.filter((each) => each !== ''))];
  return fits ? distinct : [...distinct, `…[cut ${references.length - most + 1} references]`];
}

function isPort(port: unknown): port is number {
  return typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535;
}

function isProtocol(protocol: unknown): protocol is string {
  return typeof protocol === 'string' && /^[a-z0-9-]{1,8}$/i.test(protocol);
}

function oneOf<T extends string>(words: readonly T[], word: unknown, otherwise: T): T {
  return words.find((each) => each === word) ?? otherwise;
}
