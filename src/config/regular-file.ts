import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** Larger than any configuration. */
export const MAX_FILE_BYTES = 1_048_576;

/**
 * Reads a regular file, at most one byte more than a configuration may have. Throws for everything else: a FIFO or a
 * device in its place would stop the whole gateway at its next look, or fill its memory.
 */
export function readRegularFile(path: string): Buffer {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(descriptor).isFile())
      throw Object.assign(new Error(`${path} is no regular file`), { code: 'EINVAL' });
    const content = Buffer.alloc(MAX_FILE_BYTES + 1);
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, content, length, content.length - length, null);
      length += count;
      if (count === 0 || length === content.length) return content.subarray(0, length);
    }
  } finally {
    closeSync(descriptor);
  }
}
