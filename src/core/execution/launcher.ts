import { createHash } from 'node:crypto';
import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { arch } from 'node:process';
import { join } from 'node:path';

/** The native programs of layer 2 (src/launcher), absolute paths. */
export interface Launcher {
  readonly directory: string;
  readonly supervisor: string;
  readonly launcher: string;
  readonly egress: string;
  /** Attacks the layers from inside at start. */
  readonly attacker: string;
}

/** Where the sources and the builds of the native programs lie, absolute paths. */
export interface LauncherPlace {
  readonly sources: string;
  /** Holds one directory for each build. */
  readonly builds: string;
}

/** The place in a checkout of Sallyport: `root` is its absolute path. */
export function launcherPlaceOf(root: string): LauncherPlace {
  return { sources: join(root, 'src', 'launcher'), builds: join(root, '.toolchain', 'launcher') };
}

const PROGRAMS = ['supervisor', 'launcher', 'egress', 'attacker'] as const;
/** uname -m by Node's name. */
const MACHINES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/**
 * Finds the programs that were built from exactly these sources, or says why there are none. A directory is named by
 * the hash of what it was built from, so that an old build is never taken for a new one.
 * Attack: whoever may write the program that confines decides what confines; such a file is refused.
 */
export function findLauncher(place: LauncherPlace): Launcher | string {
  const directory = join(place.builds, sourceHash(place.sources));
  for (const name of PROGRAMS) {
    try {
      accessSync(join(directory, name), constants.X_OK);
    } catch {
      return `the native launcher is not built (${directory}); it needs a C compiler: apt-get install -y --no-install-recommends gcc libc6-dev`;
    }
    for (const path of [place.builds, directory, join(directory, name)]) {
      const { mode, uid } = statSync(path);
      if ((mode & 0o022) !== 0) return `${path} may be written by others`;
      // Attack: the name is no secret; in a place such as /tmp another user has it ready before we look.
      if (!isTrusted(uid, place.sources)) return `${path} belongs to uid ${uid}, who owns neither the sources nor us`;
    }
  }
  const at = (name: (typeof PROGRAMS)[number]) => join(directory, name);
  return {
    directory,
    supervisor: at('supervisor'),
    launcher: at('launcher'),
    egress: at('egress'),
    attacker: at('attacker'),
  };
}

/** Root, the owner of the sources (whose programs we run anyway) and our own user. */
function isTrusted(uid: number, sources: string): boolean {
  return uid === 0 || uid === process.geteuid?.() || uid === statSync(sources).uid;
}

/** Name of the build directory: the same as src/launcher/build.sh makes of the sources and the machine. */
function sourceHash(sources: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(sources)
    .filter((each) => /\.[ch]$/.test(each))
    .sort()) {
    hash.update(readFileSync(join(sources, name)));
  }
  return hash.update(`${MACHINES[arch] ?? arch}\n`).digest('hex');
}
