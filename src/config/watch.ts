import { createHash } from 'node:crypto';
import { type FSWatcher, readlinkSync, realpathSync, watch } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Config, configSchema } from '../../schemas/config.ts';
import { type ConfigFault, configKeys } from './keys.ts';
import { readRegularFile } from './regular-file.ts';
import type { LoadedConfig } from './loaded.ts';
import { deepFreeze, nest, valueAt } from './tree.ts';

/** What a reload did. */
export type ReloadResult =
  | { readonly kind: 'unchanged' }
  | ({ readonly kind: 'changed' } & ConfigChange)
  | { readonly kind: 'rejected'; readonly faults: readonly ConfigFault[] };

/** A new configuration is in force, but for the keys that need a restart: they keep their running values. */
export interface ConfigChange {
  readonly current: LoadedConfig;
  /** Dotted paths whose values changed and apply now. */
  readonly changed: readonly string[];
  /** Dotted paths that were changed in the file and apply at the next start only. */
  readonly needsRestart: readonly string[];
}

/** What `watchConfig` needs. */
export interface WatchInput {
  readonly initial: LoadedConfig;
  /** Loads anew and throws when anything is wrong; checks that need more than the schema belong in here as well. */
  readonly load: () => LoadedConfig;
  /** Applies a change. When it throws, the change is rejected. */
  readonly onChange: (change: ConfigChange) => void;
  /** Told every rejection. `cause` is set when something other than a fault was thrown; it is for the log only. */
  readonly onRejected: (faults: readonly ConfigFault[], cause?: unknown) => void;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Milliseconds that a new content must stay the same before it is read. */
  readonly settleMs?: number;
  /** Milliseconds between looks without an event, for file systems that report none (NFS); 0: none. */
  readonly pollMs?: number;
}

/** The running configuration, kept in step with its file. */
export interface ConfigWatch {
  current(): LoadedConfig;
  /** Reads the configuration again at once (SIGHUP). Never throws. */
  reload(): ReloadResult;
  /** For the health check `configuration`: what the file says and the gateway does not do. */
  status(): { readonly faults: readonly ConfigFault[]; readonly needsRestart: readonly string[] };
}

/** Follows the configuration file. An invalid file changes nothing; it is told once and kept in `status`. */
export function watchConfig(input: WatchInput): ConfigWatch {
  const { onRejected, signal } = input;
  let current = input.initial;
  let status: ReturnType<ConfigWatch['status']> = { faults: [], needsRestart: [] };

  const reject = (thrown: unknown): ReloadResult => {
    const told = faultsOf(thrown);
    const faults = told ?? [UNKNOWN_FAULT];
    status = { faults, needsRestart: status.needsRestart };
    onRejected(faults, told === undefined ? thrown : undefined);
    return { kind: 'rejected', faults };
  };
  const reload = (): ReloadResult => {
    try {
      const change = compare(current, input.load());
      const isNews = change.changed.length > 0 || String(change.needsRestart) !== String(status.needsRestart);
      if (isNews) input.onChange(change);
      current = change.current;
      status = { faults: [], needsRestart: change.needsRestart };
      return isNews ? { kind: 'changed', ...change } : { kind: 'unchanged' };
    } catch (thrown) {
      return reject(thrown);
    }
  };
  const file = input.initial.file;
  if (file !== undefined && !signal.aborted) follow(file, input, reload);
  return { current: () => current, reload, status: () => status };
}

/** The message of an unknown error may quote a value, so it is not part of the fault. */
const UNKNOWN_FAULT: ConfigFault = {
  key: '',
  from: 'reload',
  wrong: 'could not be applied',
  right: 'see the cause in the log',
};

function faultsOf(thrown: unknown): readonly ConfigFault[] | undefined {
  const faults = (thrown as { details?: { faults?: unknown } } | undefined)?.details?.faults;
  if (!Array.isArray(faults) || faults.length === 0) return undefined;
  // Checks beyond the schema may tell a fault as a plain sentence.
  return faults.map((fault: ConfigFault | string) =>
    typeof fault === 'string'
      ? { key: '', from: 'configuration', wrong: fault, right: 'a value without this fault' }
      : fault,
  );
}

function compare(running: LoadedConfig, loaded: LoadedConfig): ConfigChange {
  const changed: string[] = [];
  const needsRestart: string[] = [];
  const values: [string, unknown][] = [];
  const sources: Record<string, string> = { ...loaded.sources };
  for (const { path, restart } of configKeys(configSchema(loaded.toolNames))) {
    const before = valueAt(running.config, path);
    const after = valueAt(loaded.config, path);
    const isSame = JSON.stringify(before) === JSON.stringify(after);
    if (!isSame) (restart ? needsRestart : changed).push(path);
    const isHeld = restart && !isSame;
    if (isHeld) sources[path] = running.sources[path] ?? 'default';
    values.push([path, isHeld ? before : after]);
  }
  const config = nest(values) as unknown as Config;
  return { current: deepFreeze({ ...loaded, config, sources }), changed, needsRestart };
}

function follow(file: string, { signal, settleMs = 100, pollMs = 10_000 }: WatchInput, reload: () => unknown): void {
  const watchers = new Map<string, FSWatcher>();
  let seen = fingerprint(file);
  let settling: NodeJS.Timeout | undefined;

  const look = (): void => {
    if (signal.aborted || settling !== undefined) return;
    watchDirectories();
    const found = fingerprint(file);
    if (found === seen) return;
    // An editor may truncate and then write: half a file can be valid YAML without its deny list. Only a content
    // that two looks agree on is read; `seen` by content, not by time, so that no event is lost or taken twice.
    settling = setTimeout(() => {
      settling = undefined;
      if (signal.aborted) return;
      if (fingerprint(file) !== found) return look();
      seen = found;
      reload();
      look();
    }, settleMs);
  };
  const watchDirectories = (): void => {
    const wanted = directoriesOf(file);
    for (const [directory, watcher] of watchers) {
      if (!wanted.has(directory)) drop(directory, watcher);
    }
    for (const directory of wanted) {
      if (!watchers.has(directory)) add(directory);
    }
  };
  const add = (directory: string): void => {
    try {
      const watcher = watch(directory, { persistent: false }, look);
      watcher.on('error', () => drop(directory, watcher));
      watchers.set(directory, watcher);
    } catch {
      // No more inotify watches, or the directory is gone: the slow look below still finds the change.
    }
  };
  const drop = (directory: string, watcher: FSWatcher): void => {
    watcher.close();
    watchers.delete(directory);
  };

  watchDirectories();
  const poll = pollMs > 0 ? setInterval(look, pollMs).unref() : undefined;
  signal.addEventListener('abort', () => {
    clearInterval(poll);
    clearTimeout(settling);
    for (const [directory, watcher] of watchers) drop(directory, watcher);
  });
}

/** Identifies a content; every unreadable state is the same. */
function fingerprint(file: string): string {
  try {
    return createHash('sha256').update(readRegularFile(file)).digest('hex');
  } catch {
    return 'unreadable';
  }
}

/**
 * Every directory in which a rename could change what the path leads to: the file's own and one for each symbolic link
 * on the way. Kubernetes swaps `..data`, editors rename over the file; watching the file itself would miss both.
 */
function directoriesOf(file: string): ReadonlySet<string> {
  const directories = new Set<string>();
  let path = resolve(file);
  for (let hop = 0; hop < 40; hop += 1) {
    directories.add(dirname(path));
    const next = linkTarget(path);
    if (next === undefined) break;
    path = next;
  }
  try {
    directories.add(dirname(realpathSync(file)));
  } catch {
    // Not there at the moment: its own directory tells when it comes back.
  }
  return directories;
}

function linkTarget(path: string): string | undefined {
  try {
    return resolve(dirname(path), readlinkSync(path));
  } catch {
    return undefined;
  }
}
