import { createReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, extname, join, sep } from 'node:path';
import { isWordlistName } from '../../../schemas/wordlist.ts';
import { SallyportError } from '../errors.ts';
import type { PinnedWordlist, WordlistClaim } from './definition.ts';

/** One word list as it is shown. */
export interface WordlistEntry {
  readonly name: string;
  readonly bytes: number;
}

/** The word lists of the server, by name. */
export interface WordlistCatalogue {
  /** Every list that may be named, in order of name. A directory that does not exist adds nothing. */
  list(): Promise<readonly WordlistEntry[]>;
  /** Looks a claim up, or throws ERR_INPUT_INVALID. */
  pin(claim: WordlistClaim): Promise<PinnedWordlist>;
}

/** Largest word list, bytes. */
export const MAX_WORDLIST_BYTES = 50 * 1024 * 1024;
/** Longest word list, lines. */
export const MAX_WORDLIST_LINES = 1_000_000;
const MAX_ENTRIES = 5000;
const MAX_DEPTH = 8;
const SHOWN_NAMES = 100;
const EXTENSIONS = new Set(['', '.txt', '.lst', '.list', '.dic', '.dict']);

interface Collection {
  readonly label: string;
  readonly directory: string;
}

/**
 * Word lists out of absolute directories of the operator. A name is `collection/path`: the path of the file inside
 * its directory, behind the collection's label. The label is the first folder below /usr/share, /usr/local/share or
 * /opt (`/usr/share/dirb/wordlists/common.txt` is `dirb/common.txt`), elsewhere the directory's own name; a label
 * that is already taken gets `-2`, `-3` and so on in the order of the configuration.
 */
export function createWordlistCatalogue(directories: readonly string[]): WordlistCatalogue {
  const collections = labelled(directories);
  const counted = new Map<string, { stamp: string; lines: number }>();

  const pin = async (claim: WordlistClaim): Promise<PinnedWordlist> => {
    const found = await locate(collections, claim.name);
    if (found === undefined) throw unknownList(claim, await listAll(collections));
    if (found.bytes > MAX_WORDLIST_BYTES) throw refused(claim, `is larger than ${MAX_WORDLIST_BYTES} bytes`);
    const known = counted.get(found.path);
    const lines = known?.stamp === found.stamp ? known.lines : await countLines(found.path);
    if (typeof lines === 'string') throw refused(claim, lines);
    counted.set(found.path, { stamp: found.stamp, lines });
    return { role: claim.role, name: claim.name, path: found.path, bytes: found.bytes, lines };
  };
  return { list: () => listAll(collections), pin };
}

function labelled(directories: readonly string[]): Collection[] {
  const collections: Collection[] = [];
  for (const directory of directories) {
    if (!directory.startsWith('/')) {
      throw new SallyportError('ERR_CONFIG_INVALID', `Word-list directory ${directory} is not absolute.`);
    }
    const below = /^\/(?:usr\/share|usr\/local\/share|opt)\/([^/]+)/.exec(directory)?.[1];
    const wanted = (below ?? basename(directory)).replace(/[^A-Za-z0-9_.+-]|^[.-]+/g, '') || 'lists';
    const isTaken = (label: string): boolean => collections.some((other) => other.label === label);
    let label = wanted;
    for (let number = 2; isTaken(label); number += 1) label = `${wanted}-${number}`;
    collections.push({ label, directory });
  }
  return collections;
}

interface Located {
  readonly path: string;
  readonly bytes: number;
  readonly stamp: string;
}

async function locate(collections: readonly Collection[], name: string): Promise<Located | undefined> {
  if (!isWordlistName(name)) return undefined;
  const [label = '', ...segments] = name.split('/');
  const collection = collections.find((candidate) => candidate.label === label);
  if (collection === undefined || !EXTENSIONS.has(extname(name))) return undefined;
  const root = await realpath(collection.directory).catch(() => undefined);
  if (root === undefined) return undefined;
  const path = await realpath(join(root, ...segments)).catch(() => undefined);
  // Compared after every link was followed, on a path border: neither `..` nor a link nor `/opt/lists-evil` gets out (CWE-22, CWE-59).
  if (path === undefined || !path.startsWith(root + sep)) return undefined;
  const facts = await stat(path).catch(() => undefined);
  if (!facts?.isFile()) return undefined;
  return { path, bytes: facts.size, stamp: `${facts.dev}:${facts.ino}:${facts.size}:${facts.mtimeMs}` };
}

async function countLines(path: string): Promise<number | string> {
  let lines = 0;
  let last = 10;
  // `end` bounds the work also when the file grows while it is read.
  const stream = createReadStream(path, { end: MAX_WORDLIST_BYTES });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (chunk.includes(0)) return 'is not a text file';
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
    last = chunk.at(-1) ?? last;
    if (lines > MAX_WORDLIST_LINES) return `has more than ${MAX_WORDLIST_LINES} lines`;
  }
  const total = last === 10 ? lines : lines + 1;
  return total > MAX_WORDLIST_LINES ? `has more than ${MAX_WORDLIST_LINES} lines` : total;
}

async function listAll(collections: readonly Collection[]): Promise<readonly WordlistEntry[]> {
  const entries: WordlistEntry[] = [];
  for (const collection of collections) {
    const open = [{ segments: [] as readonly string[] }];
    for (let next = open.pop(); next !== undefined && entries.length < MAX_ENTRIES; next = open.pop()) {
      const folder = join(collection.directory, ...next.segments);
      for (const child of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
        const segments = [...next.segments, child.name];
        if (child.isDirectory() && segments.length < MAX_DEPTH) open.push({ segments });
        const found = await locate(collections, [collection.label, ...segments].join('/'));
        if (found === undefined || found.bytes > MAX_WORDLIST_BYTES) continue;
        entries.push({ name: [collection.label, ...segments].join('/'), bytes: found.bytes });
      }
    }
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, MAX_ENTRIES);
}

function unknownList(claim: WordlistClaim, entries: readonly WordlistEntry[]): SallyportError {
  const available = entries.slice(0, SHOWN_NAMES).map(({ name }) => name);
  return new SallyportError(
    'ERR_INPUT_INVALID',
    `There is no word list of that name for "${claim.role}"; details.available has ${available.length} of the ${entries.length} names.`,
    { details: { faults: [{ path: `/${claim.role}`, message: 'is not a word list of the server' }], available } },
  );
}

function refused(claim: WordlistClaim, fault: string): SallyportError {
  return new SallyportError('ERR_INPUT_INVALID', `The word list ${claim.name} ${fault}.`, {
    details: { faults: [{ path: `/${claim.role}`, message: fault }] },
  });
}
