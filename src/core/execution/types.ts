/** One file put into the scratch directory before the start, mode 0600, owned by the tool's uid. */
export interface ScratchFile {
  /** Plain file name, no slash. */
  readonly name: string;
  /**
   * The bytes, or the absolute path of a server-side list that is copied (already checked by the word-list catalogue)
   * behind the text of `before`.
   */
  readonly content: string | { readonly copyOf: string; readonly before?: string };
}

/** Everything about one process, decided before it starts. Never a shell line: an absolute binary and an array. */
export interface Command {
  readonly runId: string;
  readonly binary: string;
  readonly argv: readonly string[];
  /** Empty by default. `copyOf` streams a server-side file. */
  readonly stdin?: string | { readonly copyOf: string };
  readonly files?: readonly ScratchFile[];
  /** Scratch-relative paths read back after the end, under a cap; `*` matches inside one path segment. */
  readonly readBack?: readonly string[];
  /** Wall-clock limit in milliseconds, measured from the start of the process. */
  readonly timeoutMs: number;
  readonly limits: ExecutionLimits;
  /** `raw`: hands on NET_RAW as ambient capability (raw profile); `none`: no capability at all. */
  readonly capability: 'none' | 'raw';
}

/** The caps of one process. */
export interface ExecutionLimits {
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  /** At the stdout cap: end the process, or drain and discard while it goes on. */
  readonly atStdoutCap: 'kill' | 'truncate';
  /** Cap of each read-back file, bytes. */
  readonly fileBytes: number;
  /** RLIMIT_DATA, bytes. */
  readonly dataBytes: number;
  /** RLIMIT_AS, bytes. */
  readonly addressSpaceBytes: number;
}

/** Where output and the request to stop meet the running process. */
export interface ExecutionChannels {
  /** Called with each chunk up to the cap; the buffer may be reused after the call returns. */
  onStdout(chunk: Buffer): void;
  onStderr(chunk: Buffer): void;
  /** Aborting it ends the whole process tree. */
  readonly signal: AbortSignal;
}

/** What one output stream carried. */
export interface StreamAccount {
  /** Bytes the process wrote (also those beyond the cap as far as they were read). */
  readonly bytes: number;
  readonly truncated: boolean;
}

/** How one process ended. Never thrown: a refused start is `not_started`. */
export interface Execution {
  readonly ending: 'exited' | 'timed_out' | 'cancelled' | 'output_cap' | 'not_started';
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it could not start (`ENOENT`, `EACCES`, `CONFINEMENT`, …); only for `not_started`. */
  readonly startFault?: { readonly code: string; readonly message: string };
  readonly durationMs: number;
  readonly stdout: StreamAccount;
  readonly stderr: StreamAccount;
  /** Scratch-relative path → content, cut at the cap. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly layers: readonly string[];
  /** Processes of the run still alive after the kill; 0 is proved by looking at /proc, not assumed. */
  readonly survivors: number;
  /** Milliseconds from the decision to kill until nothing was left; absent when nothing was killed. */
  readonly killMs?: number;
}

/** One layer of confinement as measured at start by its attack. */
export interface LayerState {
  readonly name: 'L0' | 'L1' | 'raw';
  readonly state: 'proved' | 'absent' | 'failed';
  /** One sentence: what was tried and what was seen. */
  readonly evidence: string;
}

/** Runs commands in confined processes. The only part of the program that may start one. */
export interface Executor {
  run(command: Command, channels: ExecutionChannels): Promise<Execution>;
  /** Results of the start-up attacks. */
  readonly layers: readonly LayerState[];
  /** True when raw tools can be given NET_RAW here. */
  readonly rawAvailable: boolean;
  /** Number of runs that have a process now. */
  readonly active: number;
  /** Ends every running tree and refuses new ones; resolves when nothing is left. */
  close(): Promise<void>;
}
