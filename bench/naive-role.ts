import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createMemoryWatch } from './memory-watch.ts';
import type { Role } from './protocol.ts';

/** The way not to do it: a process that keeps all of a child's output until the child ends. */
export async function startNaiveRole(): Promise<Role> {
  return {
    origin: '',
    key: '',
    handlers: {
      ...createMemoryWatch(),
      accumulate: async ({ mib }) => {
        const child = spawn('head', ['-c', `${mib}M`, '/dev/zero'], { stdio: ['ignore', 'pipe', 'ignore'] });
        const chunks: Buffer[] = [];
        child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
        await once(child, 'close');
        return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      },
    },
    close: async () => undefined,
  };
}
