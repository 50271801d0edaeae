import type { EngagementView } from '../../../schemas/engagement.ts';
import type { Audit } from '../audit/types.ts';
import type { Principal } from '../auth/types.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Log } from '../log.ts';
import { cleanText } from '../redaction/untrusted.ts';
import type { EngagementStore } from '../store/types.ts';
import { type Book, DEFAULT_ID, type Held } from './book.ts';
import { compileEngagement, type CompiledEngagement, type MakePolicy } from './compile.ts';
import type { Change, EngagementDesk, Revocation } from './types.ts';

/** What operators' changes are made with. */
export interface DeskParts {
  readonly book: Book;
  readonly store: EngagementStore;
  readonly audit: Pick<Audit, 'append'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly makePolicy: MakePolicy;
  readonly views: (held: Held) => EngagementView;
  /** Runs changes one after the other. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Most engagements that REST may hold. */
const MAX_OF_REST = 1000;
const MAX_REASON = 500;

/** What operators do with engagements: each change is in the audit, then in the store, then in force. */
export function createDesk(parts: DeskParts): EngagementDesk {
  const { book, store, views, inTurn } = parts;
  return {
    list: () => book.all().map(views),
    get: (id) => views(heldOf(book, id)),
    versions: async (id) => {
      const versions = await store.versions(id);
      // One that was removed has a history still; one that never was has none.
      return versions.length === 0 && book.get(id) === undefined ? unknown() : versions;
    },
    put: (who, document, requestId) => inTurn(() => put(parts, { who, document, requestId })),
    remove: (who, id, at) => inTurn(() => remove(parts, { who, id, ...checked(at) })),
    revoke: (who, id, at) => inTurn(() => revoke(parts, { who, id, ...checked(at) })),
    reinstate: (who, id, at) => inTurn(() => reinstate(parts, { who, id, ...checked(at) })),
  };
}

interface Put {
  readonly who: Principal;
  readonly document: unknown;
  readonly requestId: string;
}

interface ChangeOf extends Change {
  readonly who: Principal;
  readonly id: string;
}

async function put(parts: DeskParts, { who, document, requestId }: Put): Promise<EngagementView> {
  const { book, store, audit, clock, views } = parts;
  const engagement = readPut(parts, document);
  const { id, version } = engagement;
  const known = book.get(id);
  // Repeated after a lost answer, it changes nothing.
  if (known?.engagement.version === version) return views(known);
  const isNew = known === undefined && !book.unusable().has(id);
  if (isNew && book.all().filter(isOfRest).length >= MAX_OF_REST) {
    throw invalid([{ path: '', message: `there are ${MAX_OF_REST} engagements already; remove some first` }]);
  }
  const before = known?.engagement.version ?? null;
  const data = { source: 'rest', before, after: version, approver: engagement.document.approver };
  await audit.append({ type: 'engagement.put', principal: who.id, engagement: id, requestId, data });
  const since = new Date(clock.now()).toISOString();
  await store.put({ id, version, source: 'rest', since, by: who.id, document: engagement.document });
  // The configuration may have been reloaded meanwhile: a policy without its new denials must not come into force.
  const held = { engagement: readPut(parts, document), by: who.id };
  book.change({ put: held });
  told(parts, { change: 'engagement.put', engagement: id, principal: who.id, requestId, before, after: version });
  return views(held);
}

function readPut({ book, makePolicy }: DeskParts, document: unknown): CompiledEngagement {
  const compiled = compileEngagement(document, { source: 'rest', makePolicy });
  if ('faults' in compiled) throw invalid(compiled.faults);
  const { id } = compiled.engagement;
  if (id === DEFAULT_ID) throw readOnly(id, 'it belongs to the configuration (policy)');
  const known = book.get(id);
  if (known !== undefined && !isOfRest(known)) throw readOnly(id, `it is written in ${known.by}`);
  return compiled.engagement;
}

async function remove(parts: DeskParts, { who, id, reason, requestId }: ChangeOf): Promise<void> {
  const { book, store, audit } = parts;
  const known = book.get(id);
  if (known === undefined && !book.unusable().has(id)) return unknown();
  if (known !== undefined && !isOfRest(known)) {
    throw readOnly(
      id,
      known.engagement.source === 'file' ? `remove ${known.by}` : 'set engagements.offerDefault: false',
    );
  }
  const before = known?.engagement.version ?? null;
  const data = { source: 'rest', before, after: null, reason };
  await audit.append({ type: 'engagement.removed', principal: who.id, engagement: id, requestId, data });
  await store.remove(id);
  book.change({ remove: id });
  told(parts, { change: 'engagement.removed', engagement: id, principal: who.id, requestId, reason });
}

async function revoke(parts: DeskParts, { who, id, reason, requestId }: ChangeOf): Promise<EngagementView> {
  const { book, audit, clock, views } = parts;
  const held = heldOf(book, id);
  if (book.revocation(id) !== undefined) return views(held);
  const { version } = held.engagement;
  await audit.append({
    type: 'engagement.revoked',
    principal: who.id,
    engagement: id,
    requestId,
    data: { before: version, after: version, reason },
  });
  await setRevocation(parts, id, { at: clock.now(), by: who.id, reason });
  told(parts, { change: 'engagement.revoked', engagement: id, principal: who.id, requestId, reason });
  return views(held);
}

async function reinstate(parts: DeskParts, { who, id, reason, requestId }: ChangeOf): Promise<EngagementView> {
  const { book, audit, views } = parts;
  const held = heldOf(book, id);
  if (book.revocation(id) === undefined) return views(held);
  const { version } = held.engagement;
  await audit.append({
    type: 'engagement.reinstated',
    principal: who.id,
    engagement: id,
    requestId,
    data: { before: version, after: version, reason },
  });
  await setRevocation(parts, id, null);
  told(parts, { change: 'engagement.reinstated', engagement: id, principal: who.id, requestId, reason });
  return views(held);
}

async function setRevocation({ book, store }: DeskParts, id: string, revocation: Revocation | null): Promise<void> {
  await store.setRevocation(id, revocation);
  const others = [...book.revocations()].filter(([each]) => each !== id);
  book.change({ revocations: new Map(revocation === null ? others : [...others, [id, revocation]]) });
}

/** The operator's words as they are shown to agents: one line, nothing invisible, and never empty. */
function checked({ reason, requestId }: Change): Change {
  const cleaned = cleanText(reason.slice(0, MAX_REASON + 1), MAX_REASON).trim();
  if (cleaned !== '' && reason.length <= MAX_REASON) return { reason: cleaned, requestId };
  throw new SallyportError('ERR_INPUT_INVALID', `Say why, in 1 to ${MAX_REASON} characters.`, {
    details: { faults: [{ path: '/reason', message: `must have 1 to ${MAX_REASON} visible characters` }] },
  });
}

function heldOf(book: Book, id: string): Held {
  return book.get(id) ?? unknown();
}

function isOfRest({ engagement }: Held): boolean {
  return engagement.source === 'rest';
}

function unknown(): never {
  throw new SallyportError('ERR_ENGAGEMENT_UNKNOWN', 'There is no such engagement.');
}

function readOnly(id: string, why: string): SallyportError {
  return new SallyportError('ERR_ENGAGEMENT_READ_ONLY', `Engagement ${id} is not REST's to change: ${why}.`, {
    details: { rule: 'engagement.source', engagement: id },
  });
}

function invalid(faults: readonly { readonly path: string; readonly message: string }[]): SallyportError {
  const text = faults.map(({ path, message }) => `${path === '' ? 'the document' : path} ${message}`).join('; ');
  return new SallyportError('ERR_ENGAGEMENT_INVALID', `The engagement is not valid: ${text}.`, {
    details: { rule: 'engagement.document', faults },
  });
}

function told({ log }: DeskParts, fields: Record<string, unknown>): void {
  log.info('engagement.changed', fields);
}
