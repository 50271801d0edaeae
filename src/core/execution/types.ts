import type { LayerName } from '../../../schemas/layer.ts';
import type { PortRange } from '../targets/types.ts';

/** Words of the configuration and of targets in which these contracts are written. */
export type { LayerName, PortRange };

/** One file put into the scratch directory before the start, mode 0600. */
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
  /** What of the machine the process may see and use; everything else is refused where layers 2 and 3 hold. */
  readonly needs: ToolNeeds;
  /** Whom it may reach; everything else is refused as far as layers 2 (TCP ports) and 5 (addresses) hold. */
  readonly reach: Reach;
}

/**
 * What a tool needs of the machine besides its program, its working directory and the loader with its libraries. Each
 * entry stands in the tool's own file with a comment that names the need.
 */
export interface ToolNeeds {
  /** Absolute paths, files or whole directories, that it reads. What does not exist is left out. */
  readonly read?: readonly string[];
  /** Absolute paths of further programs that it may execute (an interpreter); never a shell. */
  readonly execute?: readonly string[];
  /** Socket families beyond AF_INET, AF_INET6 and AF_NETLINK. `packet` is only given together with NET_RAW. */
  readonly sockets?: readonly ('unix' | 'packet')[];
}

/** One permitted destination. */
export interface Endpoint {
  /** Address or CIDR block, IPv4 or IPv6. */
  readonly network: string;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  /** Absent: every port, or a protocol without ports. */
  readonly ports?: readonly PortRange[];
}

/** Whom one process may reach. */
export interface Reach {
  readonly endpoints: readonly Endpoint[];
  /** The result would be wrong behind a translated network (OS detection reads the packets themselves): no layer 5. */
  readonly ownNetwork?: boolean;
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
  /**
   * Called with each chunk up to the cap; the buffer may be reused after the call returns. What returns a promise gets
   * nothing more of this stream until it has settled: the process waits on its full pipe.
   */
  onStdout(chunk: Buffer): Promise<void> | void;
  onStderr(chunk: Buffer): Promise<void> | void;
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
  readonly layers: readonly LayerName[];
  /**
   * What the launcher found in force just before the program (`abi` of Landlock, `tcp`, `scope`), and how many processes
   * the supervisor `ended` after it; absent without them.
   */
  readonly chain?: ReadonlyMap<string, number>;
  /** The kernel ended something of it because its control group was out of memory. */
  readonly memoryExceeded: boolean;
  /** Processes of the run still alive after the kill; 0 is proved (by the supervisor's waitpid(2), else by looks at /proc). */
  readonly survivors: number;
  /** Milliseconds from the decision to kill until nothing was left; absent when nothing was killed. */
  readonly killMs?: number;
}

/** One layer of confinement as measured at start by its attack. */
export interface LayerState {
  readonly name: LayerName;
  /** `proved`: every attack on what it claims was stopped; `absent`: not here, or switched off; `failed`: an attack got through, or it is here and starts nothing. */
  readonly state: 'proved' | 'absent' | 'failed';
  /** One sentence: what was tried and what was seen. */
  readonly evidence: string;
  /** Attacks that were stopped, by name (`read-key`, `exec-other`, …). */
  readonly stopped: readonly string[];
  /** What this layer would stop on another kernel but cannot here; never an attack that got through. */
  readonly unproved: readonly string[];
}

/** Runs commands in confined processes. The only part of the program that may start one. */
export interface Executor {
  run(command: Command, channels: ExecutionChannels): Promise<Execution>;
  /** Results of the start-up attacks. */
  readonly layers: readonly LayerState[];
  /** True when raw tools can be given NET_RAW here. */
  readonly rawAvailable: boolean;
  /** Whether layer 5 applies to a run: raw tools then see its link instead of the machine's. */
  translatesNetwork(reach: Reach): boolean;
  /** The last confinement that could not be set up for a run, until one could again. */
  lastFault(): { readonly code: string; readonly message: string } | undefined;
  /** Number of runs that have a process now. */
  readonly active: number;
  /** Processes that outlived the end of their run, since the start; absent where nobody counts. */
  readonly survivors?: number;
  /** Ends every running tree and refuses new ones; resolves when nothing is left. */
  close(): Promise<void>;
}
