import { type FSWatcher, statSync, watch } from 'node:fs';
import { type Place, type Snapshot, takeSnapshot } from './engagements-directory.ts';
import { readYaml } from './engagements-yaml.ts';

/** One file of the directory, not yet checked as an engagement. */
export interface EngagementFile {
  readonly file: string;
  readonly document: unknown;
  /** The line, from 1, of what a JSON Pointer leads to. */
  readonly lineOf: (pointer: string) => number | undefined;
}

/** A whole directory, or every fault of it with file and line: one that cannot be read is none. */
export type EngagementFiles =
  | { readonly documents: readonly EngagementFile[]; readonly notices: readonly string[] }
  | { readonly faults: readonly string[] };

/** What following a directory needs. */
export interface EngagementWatch {
  /** Empty: none, and nothing is followed. */
  readonly directory: string;
  /** Called with what is there at the beginning, and then after every change. */
  readonly onChange: (files: EngagementFiles) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Milliseconds between looks without an event, for file systems that report none; default 10 s, 0: none. */
  readonly pollMs?: number;
  /** Milliseconds that the content must stay the same before it is taken; default 100. */
  readonly settleMs?: number;
}

/** Looks until two agree, at most: somebody who changes it all the time is refused. */
const MAX_LOOKS = 10;

/** Reads a directory of engagements; an empty path is no directory. A missing directory is a fault. Never throws. */
export function readEngagementFiles(directory: string): EngagementFiles {
  if (directory === '') return { documents: [], notices: [] };
  let seen = takeSnapshot(directory);
  // A directory that is swapped while it is read would be half of the old rules and half of the new ones.
  for (let look = 0; look < MAX_LOOKS; look += 1) {
    const again = takeSnapshot(directory);
    if (again.digest === seen.digest) return filesOf(again);
    seen = again;
  }
  return { faults: [`${directory}: changes while it is read`] };
}

/** Follows a directory through edits, renames and its own replacement. A change is told whole, once it has settled. */
export function watchEngagementFiles({
  directory,
  onChange,
  signal,
  pollMs = 10_000,
  settleMs = 100,
}: EngagementWatch): void {
  if (directory === '' || signal.aborted) return;
  const watchers = createWatchers(() => look());
  let told = '';
  let settling: NodeJS.Timeout | undefined;
  const look = (): void => {
    if (signal.aborted || settling !== undefined) return;
    const found = takeSnapshot(directory);
    watchers.follow(found.places);
    if (found.digest !== told) settle(found);
  };
  const settle = (found: Snapshot): void => {
    settling = setTimeout(() => {
      settling = undefined;
      if (signal.aborted) return;
      const again = takeSnapshot(directory);
      watchers.follow(again.places);
      // Half a written file can be valid YAML without its deny list: only what two looks agree on is taken.
      if (again.digest !== found.digest) return settle(again);
      told = again.digest;
      onChange(filesOf(again));
      look();
    }, settleMs).unref();
  };
  look();
  const poll = pollMs > 0 ? setInterval(look, pollMs).unref() : undefined;
  signal.addEventListener('abort', () => {
    clearInterval(poll);
    clearTimeout(settling);
    watchers.follow([]);
  });
}

function filesOf({ files, faults, notices }: Snapshot): EngagementFiles {
  const wrong = [...faults];
  const documents: EngagementFile[] = [];
  for (const { path, content } of files) {
    const read = readYaml(content);
    if ('faults' in read) {
      wrong.push(
        ...read.faults.map(({ line, message }) => `${path}${line === undefined ? '' : `:${line}`}: ${message}`),
      );
    } else documents.push({ file: path, ...read });
  }
  return wrong.length === 0 ? { documents, notices } : { faults: wrong };
}

/** Watches directories by what they are, not by their names: a watch on a directory that was moved away sees nothing. */
function createWatchers(look: () => void): { readonly follow: (places: readonly Place[]) => void } {
  const watchers = new Map<string, FSWatcher>();
  const drop = (key: string): void => {
    watchers.get(key)?.close();
    watchers.delete(key);
  };
  const add = (key: string, { path, name }: Place): void => {
    try {
      // The directory around it may be busy (a database beside it): its other names are not looked at.
      const watcher = watch(path, { persistent: false }, (_event, changed) => {
        if (name === undefined || changed === null || changed === name) look();
      });
      watcher.on('error', () => drop(key));
      watchers.set(key, watcher);
    } catch {
      // No more inotify watches, or it is gone: the slow look still finds the change.
    }
  };
  return {
    follow: (places) => {
      const wanted = new Map(places.map((place) => [keyOf(place), place]));
      for (const key of watchers.keys()) if (!wanted.has(key)) drop(key);
      for (const [key, place] of wanted) if (!watchers.has(key)) add(key, place);
    },
  };
}

function keyOf({ path, name = '' }: Place): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return JSON.stringify([path, name, String(stats?.dev), String(stats?.ino)]);
}
