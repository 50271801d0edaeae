/** What the measured processes are asked over their IPC channel, with the answer of each. */
export interface Questions {
  /** One call of the executor without HTTP. Answer: milliseconds. */
  readonly hardened: { readonly ask: object; readonly answer: number };
  /** One call of the run engine without HTTP. Answer: milliseconds. */
  readonly engine: { readonly ask: object; readonly answer: number };
  /** One start of the same program by child_process alone. Answer: milliseconds. */
  readonly plain: { readonly ask: object; readonly answer: number };
  /** CPU time of the process so far, milliseconds. */
  readonly cpu: { readonly ask: object; readonly answer: number };
  /** Collects garbage and begins to look at the resident memory. */
  readonly watch: { readonly ask: object; readonly answer: object };
  /** Growth of the resident memory since then at its highest, bytes. */
  readonly watched: { readonly ask: object; readonly answer: number };
  /** Answers that the bare server gives: route `/0` gives the first. */
  readonly answers: { readonly ask: { readonly answers: readonly Answer[] }; readonly answer: object };
  /** Keeps everything that a child writes. Answer: bytes kept. */
  readonly accumulate: { readonly ask: { readonly mib: number }; readonly answer: number };
  /** The ways to start the program that does nothing which this machine can go, and which layers it lacks. */
  readonly ways: {
    readonly ask: object;
    readonly answer: { readonly names: string[]; readonly absent: readonly string[] };
  };
  /** Starts in every named way in turn. Answer: milliseconds of each start, by way: until its end, or its longest stall. */
  readonly starts: {
    readonly ask: { readonly names: readonly string[]; readonly count: number; readonly measure: 'wall' | 'block' };
    readonly answer: number[][];
  };
  /** Starts in one way, so many at once, for so long. Answer: starts in a second. */
  readonly rate: {
    readonly ask: { readonly name: string; readonly width: number; readonly ms: number };
    readonly answer: number;
  };
  /** Keeps so much memory in Buffers from now on. */
  readonly ballast: { readonly ask: { readonly mib: number }; readonly answer: object };
}

/** One recorded answer of the gateway. */
export interface Answer {
  readonly status: number;
  readonly json: string;
}

export type QuestionName = keyof Questions;

/** One side of a measured process: some of the questions, and where it listens. */
export interface Role {
  /** Origin of the HTTP server; empty without one. */
  readonly origin: string;
  /** A key of all scopes; empty without one. */
  readonly key: string;
  readonly handlers: { readonly [Q in QuestionName]?: (ask: Questions[Q]['ask']) => Promise<Questions[Q]['answer']> };
  readonly close: () => Promise<void>;
}
