import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { SallyportError } from '../core/errors.ts';

/** Everything that a verb gets: it reads no global and writes nowhere else. */
export interface CommandContext {
  /** The arguments after the verb. */
  readonly args: readonly string[];
  readonly environment: Record<string, string | undefined>;
  /** The checkout: the configuration's relative paths start here, wherever the command was called. */
  readonly root: string;
  /** Where the command was called: paths given as arguments start here. */
  readonly cwd: string;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  /** Bytes for standard output, as they are; resolves once they are taken. Rejects when nobody reads them any more. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly screen: Screen;
  /** Aborted at Ctrl-C. */
  readonly signal: AbortSignal;
}

/** The terminal behind the output, where there is one. */
export interface Screen {
  /** Standard output is shown on it: nothing that a target wrote may get there unescaped. */
  readonly isOutTerminal: boolean;
  /** Standard error is shown on it, and it can erase a line. */
  readonly isErrTerminal: boolean;
  readonly columns: () => number;
  /** Writes to standard error without ending the line. */
  readonly draw: (text: string) => void;
}

/** One verb. Resolves to the exit code. */
export type Command = (context: CommandContext) => Promise<number>;

/** Exit codes of every verb (docs/install.md). */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;

/** A mistake in how the command was called; `main` answers it with exit code 2. */
export function usageError(message: string): SallyportError {
  return new SallyportError('ERR_INPUT_INVALID', message);
}

/** Parses the arguments of a verb strictly. Throws `usageError` for an unknown option or a missing value. */
export function parseOptions<O extends ParseArgsOptionsConfig>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (thrown) {
    throw new SallyportError('ERR_INPUT_INVALID', thrown instanceof Error ? thrown.message : String(thrown), {
      cause: thrown,
    });
  }
}

/** Throws `usageError` unless there are no further words. */
export function requireNoWords(words: readonly string[]): void {
  if (words.length > 0) throw usageError(`Unexpected argument '${words[0]}'.`);
}
