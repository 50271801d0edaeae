import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises';
import { SallyportError } from '../errors.ts';
import { removeTree } from './remove-tree.ts';
import type { ScratchFile } from './types.ts';

const COPY_BYTES = 262_144;
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

export interface ScratchRequest {
  readonly path: string;
  readonly files: readonly ScratchFile[];
}

/** Makes the parent of the working directories, ours alone. Throws ERR_EXEC_CONFINEMENT when somebody else made it. */
export async function prepareScratchParent(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  // Attack: a directory under /tmp that another user prepared, to read or swap the files of our runs.
  if (!found.isDirectory() || found.uid !== process.geteuid?.() || (found.mode & 0o022) !== 0) {
    throw new SallyportError(
      'ERR_EXEC_CONFINEMENT',
      `${path} must be a directory of our own that nobody else can write.`,
    );
  }
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await handle.chmod(0o700);
  } finally {
    await handle.close();
  }
}

/** Makes one private working directory with its files; leaves nothing when it throws. */
export async function createScratch(request: ScratchRequest): Promise<void> {
  await mkdir(request.path, { mode: 0o700 });
  try {
    for (const file of request.files) await writeScratchFile(request, file);
  } catch (error) {
    await removeTree(request.path);
    throw error;
  }
}

/** Opens a server-side list for reading; only a regular file, never through a link in its last component. */
export async function openList(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw Object.assign(new Error('not a regular file'), { code: 'EINVAL' });
}

async function writeScratchFile(request: ScratchRequest, file: ScratchFile): Promise<void> {
  if (!FILE_NAME.test(file.name)) throw Object.assign(new Error('not a plain file name'), { code: 'EINVAL' });
  const handle = await open(`${request.path}/${file.name}`, 'wx', 0o600);
  try {
    if (typeof file.content === 'string') await handle.writeFile(file.content);
    else {
      if (file.content.before !== undefined) await handle.writeFile(file.content.before);
      await copyList(file.content.copyOf, handle);
    }
  } finally {
    await handle.close();
  }
}

async function copyList(from: string, to: FileHandle): Promise<void> {
  const source = await openList(from);
  const block = Buffer.allocUnsafe(COPY_BYTES);
  try {
    for (;;) {
      const { bytesRead } = await source.read(block, 0, block.length, null);
      if (bytesRead === 0) return;
      await to.writeFile(block.subarray(0, bytesRead));
    }
  } finally {
    await source.close();
  }
}
