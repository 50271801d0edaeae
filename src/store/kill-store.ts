import type { KillStore } from '../core/kill/types.ts';
import type { StoreParts } from './store-parts.ts';

/** The kill switches that are on. */
export function createKillStore({ writer, reader }: StoreParts): KillStore {
  return {
    all: () => reader.call('listKills', undefined),
    put: (kill) => writer.call('putKill', kill),
    remove: (engagement) => writer.call('removeKill', { engagement }),
  };
}
