import { StringDecoder } from 'node:string_decoder';
import { SallyportError } from '../errors.ts';
import type { Execution } from '../execution/types.ts';
import type { Plan } from '../plan/plan.ts';
import type { ParseOutcome, ToolEvent } from '../tool/definition.ts';

const STDERR_TAIL_BYTES = 4096;

/** A parser of one run that cannot throw into the process's streams. */
export interface GuardedParser {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
  /** The outcome, or the fault of a parser that broke its promise never to throw. */
  end(execution: Execution): ParseOutcome<unknown> | undefined;
}

/** Starts the tool's own parser. A parser that throws loses its result, never the gateway or the run's record. */
export function startParser(plan: Plan, emit: (event: ToolEvent) => void): GuardedParser {
  const { definition } = plan.tool;
  const parser = definition.parse({ input: plan.input, pinned: plan.pinned, context: plan.context, emit });
  let tail = Buffer.alloc(0);
  let broken: unknown;
  const guarded = (work: () => void) => {
    if (broken !== undefined) return;
    try {
      work();
    } catch (thrown) {
      broken = thrown;
    }
  };
  return {
    stdout: (chunk) => guarded(() => parser.stdout(chunk)),
    stderr(chunk) {
      tail = Buffer.concat([tail, chunk]).subarray(-STDERR_TAIL_BYTES);
      guarded(() => parser.stderr?.(chunk));
    },
    end(execution) {
      if (execution.ending === 'not_started') return undefined;
      const { exitCode, ending, files } = execution;
      const end = {
        exitCode,
        ending,
        files,
        stdoutTruncated: execution.stdout.truncated,
        stderrTail: new StringDecoder('utf8').end(tail),
      };
      let outcome: ParseOutcome<unknown> | undefined;
      guarded(() => {
        outcome = parser.end(end);
      });
      if (broken !== undefined) throw parserFault(broken);
      return outcome;
    },
  };
}

function parserFault(cause: unknown): SallyportError {
  return new SallyportError('ERR_INTERNAL', 'The output of the tool could not be read; the run itself has ended.', {
    cause,
  });
}
