import type { Audit } from '../audit/types.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { EngagementStore } from '../store/types.ts';
import type { Book, Held } from './book.ts';

/** The versions that were in force, of files and of the configuration; those of REST are written by their own change. */
export interface EngagementHistory {
  /**
   * Writes every version in force that is not the newest one of its id, once, and tells the audit of it but for those ids
   * whose change is in the audit already. Never rejects: what cannot be written now is written at the next call.
   */
  record(audited?: readonly string[]): Promise<void>;
}

/** What the history is written with. */
export interface HistoryParts {
  readonly store: EngagementStore;
  readonly audit: Pick<Audit, 'note'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Compares what is in force with the newest stored versions. */
export function createHistory(book: Book, { store, audit, clock, log }: HistoryParts): EngagementHistory {
  const newest = new Map<string, string | undefined>();
  /** The version of each id that the audit was told of and the history was not. */
  const told = new Map<string, string>();
  const write = async (held: Held): Promise<void> => {
    const { id, version, source, document } = held.engagement;
    if (!newest.has(id)) newest.set(id, (await store.versions(id))[0]?.version);
    const before = newest.get(id);
    if (before === version) return;
    if (told.get(id) !== version) {
      told.set(id, version);
      audit.note({
        type: 'engagement.put',
        engagement: id,
        data: { source, by: held.by, before: before ?? null, after: version },
      });
    }
    await store.put({ id, version, source, since: new Date(clock.now()).toISOString(), by: held.by, document });
    newest.set(id, version);
    told.delete(id);
  };
  return {
    record: async (audited = []) => {
      for (const id of audited) told.set(id, book.get(id)?.engagement.version ?? '');
      for (const held of book.all()) {
        if (held.engagement.source === 'rest') {
          // A file may take this id over later.
          newest.delete(held.engagement.id);
          continue;
        }
        try {
          await write(held);
        } catch (error) {
          log.warn('engagement.rejected', { engagement: held.engagement.id, why: 'its history is not written', error });
          return;
        }
      }
    },
  };
}
