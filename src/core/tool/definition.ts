import type { Static, TObject, TSchema } from '@sinclair/typebox';
import type { Risk } from '../../../schemas/risk.ts';
import type { Reach, ScratchFile, ToolNeeds } from '../execution/types.ts';
import type { Coverage, FindingDraft } from '../findings/types.ts';
import type { PinnedTargets, TargetClaim, TargetLimits } from '../targets/types.ts';
import type { ArgvGrammar } from './argv-guard.ts';

/** A word list of the server, looked up by name in the catalogue: never a path from a caller. */
export interface WordlistClaim {
  readonly role: string;
  readonly name: string;
}

/** A word list after the look-up: the real path lies inside an allowed directory and its size was checked. */
export interface PinnedWordlist {
  readonly role: string;
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly lines: number;
}

/** What the argv builder, the files and the parser may know besides the input and the pinned targets. */
export interface ToolContext {
  /** NET_RAW can be given to this tool here. */
  readonly raw: boolean;
  /** Word lists by role. */
  readonly wordlists: ReadonlyMap<string, PinnedWordlist>;
  /** Wall-clock limit of this run, milliseconds. */
  readonly timeoutMs: number;
  /** From the operator's configuration (`execution.raw`), for tools that make their own packets. */
  readonly link: { readonly interface?: string; readonly adapterIp?: string; readonly routerMac?: string };
  /** Stores a found secret and returns its reference; the secret itself never enters a result. */
  keepSecret(secret: { readonly kind: string; readonly value: string }): string;
}

/** A thing learned while the tool runs. */
export type ToolEvent =
  | {
      readonly kind: 'progress';
      readonly percent?: number;
      readonly done?: number;
      readonly total?: number;
      readonly ratePerSecond?: number;
      readonly etaSeconds?: number;
      readonly message?: string;
    }
  /** `draft` is the same that `findings` states for it at the end; without it the event is only told, not kept. */
  | { readonly kind: 'finding'; readonly message: string; readonly draft?: FindingDraft };

/** How the process ended, as the parser sees it. */
export interface ToolEnd {
  readonly exitCode: number | null;
  readonly ending: 'exited' | 'timed_out' | 'cancelled' | 'output_cap';
  readonly stdoutTruncated: boolean;
  /** Scratch-relative path → content, for the files that the tool's `readBack` names. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** The last bytes of stderr, at most 4 KiB, decoded as UTF-8. */
  readonly stderrTail: string;
}

/** What a parser concludes. `complete: false` when the output ended early: "not seen" is then not "not there". */
export interface ParseOutcome<R> {
  readonly result: R;
  readonly complete: boolean;
  /** Set when the tool itself failed (its own rule, usually the exit code): one sentence, no target text. */
  readonly failure?: string;
  /** With `failure`: the program itself broke (not its target), so the circuit breaker counts it. */
  readonly trips?: boolean;
}

/** What the findings and the coverage of an ended run are made from. */
export interface RunFacts<I, R> {
  readonly input: I;
  readonly pinned: PinnedTargets;
  readonly context: ToolContext;
  readonly result: R;
  /** The tool looked to its end at everything it was asked for. */
  readonly complete: boolean;
}

/** A streaming parser of one run. It never throws, whatever bytes come. */
export interface ToolParser<R> {
  stdout(chunk: Buffer): void;
  stderr?(chunk: Buffer): void;
  end(end: ToolEnd): ParseOutcome<R>;
}

/** What a parser is made from. */
export interface ParseInput<I> {
  readonly input: I;
  readonly pinned: PinnedTargets;
  readonly context: ToolContext;
  /** Tells a waiting client; called as often as the tool reports, limited downstream. */
  emit(event: ToolEvent): void;
}

/** An option or a value that raises the risk of a call above the tool's own. */
export interface RiskRaise {
  readonly risk: Risk;
  /** The input property that raised it. */
  readonly option: string;
  readonly why: string;
}

/** What one call takes, before it runs. */
export interface ToolEstimate {
  /** Packets, requests, queries or guesses, by the kind of tool: expected. */
  readonly probes: number;
  /** The most of them that the argv lets a target draw out, never below `probes`: what budgets reserve. Left out where it is `probes`. */
  readonly mostProbes?: number;
  /** The most that leaves at once, bounded by the argv; Infinity when nothing bounds it. */
  readonly packetsPerSecond: number;
  /** Expected, on a network that answers at once; within a factor of two in the lab. */
  readonly durationMs: number;
  /** Guesses by account `service://address:port/login`, `…/*` when nobody knows the login; for tools that guess passwords. */
  readonly accounts?: readonly { readonly account: string; readonly guesses: number }[];
}

/** What a run took in the end, as far as its result says so. */
export interface ToolSpent {
  readonly probes?: number;
  readonly accounts?: readonly { readonly account: string; readonly guesses: number }[];
}

/** One worked call. Golden: the contract test builds exactly this argv from this input. */
export interface ToolExample {
  readonly title: string;
  readonly input: Record<string, unknown>;
  readonly argv: readonly string[];
  /** Names in the input resolve to these addresses in the test. */
  readonly resolves?: Readonly<Record<string, string>>;
  /** Whether raw is available in the example; default false. */
  readonly raw?: boolean;
}

/** One security tool: everything that registration, policy, execution and documentation need to know of it. */
export interface ToolDefinition<I extends TObject = TObject, O extends TSchema = TSchema> {
  /** `[a-z_]+`, the same as its file name; route, MCP name and metric label. */
  readonly name: string;
  readonly title: string;
  /** For a model: what it does, when to use it, what it will not do. At most 900 characters. */
  readonly description: string;
  /** Bare program name, looked up once at start in fixed system directories and pinned as a real path. */
  readonly binary: string;
  /** Other absolute files that must exist (a script run by an interpreter, a data directory). */
  readonly requires?: readonly string[];
  /** Debian package that brings it, for `doctor`. */
  readonly debianPackage: string;
  readonly risk: Risk;
  /** `never`: no capability; `optional`: better with NET_RAW; `required`: unavailable without it. */
  readonly raw?: 'never' | 'optional' | 'required';
  /** Default wall-clock limit and its hard top, milliseconds. */
  readonly timeoutMs: number;
  readonly maxTimeoutMs: number;
  /** Runs at once, and the hard top for configuration. */
  readonly concurrency: number;
  readonly maxConcurrency: number;
  /** Exact size limits of one call. */
  readonly limits: TargetLimits;
  /** RLIMIT_DATA of the process, bytes; default 256 MiB. */
  readonly dataBytes?: number;
  /** RLIMIT_AS of the process, bytes; default 2 GiB. */
  readonly addressSpaceBytes?: number;
  readonly input: I;
  readonly output: O;
  /** A rule between properties that a schema cannot say; returns one sentence per fault. */
  readonly check?: (input: Static<I>) => readonly string[];
  readonly targets: (input: Static<I>) => readonly TargetClaim[];
  readonly wordlists?: (input: Static<I>) => readonly WordlistClaim[];
  readonly raises?: (input: Static<I>) => readonly RiskRaise[];
  /** What of the request cannot be done here and what is done instead (`-sS` → `-sT`), one sentence each. */
  readonly degrades?: (input: Static<I>, context: ToolContext) => readonly string[];
  /** Without one nobody knows what a call takes: a limited budget then refuses it. */
  readonly estimate?: (input: Static<I>, pinned: PinnedTargets, context: ToolContext) => ToolEstimate;
  /** Pure; whole or partial results. What it leaves out counts as reserved. */
  readonly spent?: (facts: RunFacts<Static<I>, Static<O>>) => ToolSpent;
  readonly grammar: ArgvGrammar;
  readonly argv: (input: Static<I>, pinned: PinnedTargets, context: ToolContext) => readonly string[];
  /** Whether this call gets NET_RAW; only asked when `raw` is not `never`. */
  readonly needsRaw?: (input: Static<I>, context: ToolContext) => boolean;
  /** The whole standard input of the process; default none. */
  readonly stdin?: (input: Static<I>, context: ToolContext) => string | { readonly copyOf: string } | undefined;
  /** Files in the scratch directory, which is the working directory: argv names them relatively. */
  readonly files?: (input: Static<I>, context: ToolContext) => readonly ScratchFile[];
  readonly readBack?: readonly string[];
  readonly atStdoutCap?: 'kill' | 'truncate';
  /** Paths and sockets of the machine that it needs; default none. */
  readonly needs?: ToolNeeds;
  /** Whom this call may reach, when that is not exactly its pinned addresses with the ports of their claims (TCP and UDP). */
  readonly reach?: (input: Static<I>, pinned: PinnedTargets, context: ToolContext) => Reach;
  /** Input properties whose values are masked wherever the input or the argv is shown. */
  readonly secrets?: readonly string[];
  readonly parse: (input: ParseInput<Static<I>>) => ToolParser<Static<O>>;
  /** The facts in the result, whole or partial, in the one model of all tools. Pure. */
  readonly findings: (facts: RunFacts<Static<I>, Static<O>>) => readonly FindingDraft[];
  /** What the run looked at to its end: of a run that was cut short only what was finished. Pure. */
  readonly coverage: (facts: RunFacts<Static<I>, Static<O>>) => Coverage;
  /** Harmless self-run: argv and the pattern whose first group is the version. */
  readonly probe: { readonly argv: readonly string[]; readonly version: RegExp };
  readonly presets?: readonly {
    readonly name: string;
    readonly title: string;
    readonly input: Record<string, unknown>;
  }[];
  readonly examples: readonly ToolExample[];
}

/** Any tool, with its types erased; what the registry and the run engine hold. */
export type AnyTool = ToolDefinition<TObject, TSchema>;

/** Declares one tool. The static types of input and output follow from the schemas. */
export function defineTool<I extends TObject, O extends TSchema>(definition: ToolDefinition<I, O>): AnyTool {
  return definition as unknown as AnyTool;
}
