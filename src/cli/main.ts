import { dirname } from 'node:path';
import { readEnvironment } from '../config.ts';
import { toSallyportError } from '../core/errors.ts';
import { type Command, EXIT, type Screen } from './command.ts';
import { configFaults } from './settings.ts';

const USAGE = `Usage: sallyport VERB [ARGUMENTS]

  up [--foreground] [--no-install]   make everything ready, start the gateway, wait until it answers
  stop                               end it
  restart                            stop, then up
  status                             is it running, and how well
  logs [--lines N] [--follow]        its log
  validate                           check configuration and environment; every fault at once
  doctor                             what is missing on this machine, and the command that mends it
  keys create NAME --scope S [--scope S]... [--expires D] [--json]
  keys list [--json]
  keys revoke ID
  plan TOOL [--input JSON | KEY=VALUE...] [--engagement E] [--timeout D] [--json]   what would run; nothing runs
  run TOOL [--input JSON | KEY=VALUE...] [--engagement E] [--plan ID] [--timeout D] [--detach] [--quiet] [--key-file FILE] [--json]
  runs [--tool T] [--state S]... [--target X] [--since D] [--limit N] [--json]   runs, newest first
  show RUN [--result | --findings | --output | --stderr] [--json]   one run: its record, or what it brought
  watch RUN [--quiet] [--json]       follow a run until it ends; Ctrl-C leaves it running
  cancel RUN                         end a run
  diff FROM TO [--unchanged] [--json]   compare two runs; exit code 0 same, 1 different, 2 no comparison
  export RUN --format F [--output FILE]   json, csv, sarif, defectdojo, markdown or html
  engagements [list | show ID | versions ID | put FILE] [--json]   what may be touched, by whom and when
  engagements revoke ID --reason R | reinstate ID --reason R | remove ID --reason R
  approvals [list | show RUN] [--json]   runs that wait for consent
  approvals approve RUN --reason R | deny RUN --reason R
  kill [--engagement E] --reason R   end all runs, or those of one engagement, and refuse new ones
  kill --lift [--engagement E] --reason R | --state
  audit verify [--anchor FILE] [--public-key FILE] [--json]   has anybody changed the record of what happened?
  audit tail [--lines N] [--follow] [--json] | export --format jsonl|ocsf [--output FILE] [--since D] | key
  backup FILE                        a consistent copy of everything durable
  test [--nightly] [--no-install]    make everything ready and run the whole check
  lab up [--port N] | status | down  the scan lab: real services that nothing can leave, with a gateway inside (root)
  version
  help [VERB]

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 the gateway is not running or cannot be reached.`;

const VERBS: Record<string, () => Promise<Command>> = {
  up: async () => (await import('./up.ts')).up,
  stop: async () => (await import('./stop.ts')).stop,
  restart: async () => (await import('./restart.ts')).restart,
  status: async () => (await import('./status.ts')).status,
  logs: async () => (await import('./logs.ts')).logs,
  validate: async () => (await import('./validate.ts')).validate,
  doctor: async () => (await import('./doctor.ts')).doctor,
  keys: async () => (await import('./keys.ts')).keys,
  plan: async () => (await import('./plan.ts')).plan,
  run: async () => (await import('./run.ts')).run,
  runs: async () => (await import('./runs.ts')).runs,
  show: async () => (await import('./show.ts')).show,
  watch: async () => (await import('./watch.ts')).watch,
  cancel: async () => (await import('./cancel.ts')).cancel,
  diff: async () => (await import('./diff.ts')).diff,
  engagements: async () => (await import('./engagements.ts')).engagements,
  approvals: async () => (await import('./approvals.ts')).approvals,
  kill: async () => (await import('./kill.ts')).kill,
  audit: async () => (await import('./audit.ts')).audit,
  export: async () => (await import('./export.ts')).exportRun,
  backup: async () => (await import('./backup.ts')).backup,
  version: async () => (await import('./version.ts')).version,
  // For the launcher: before it gives root up it must know what to keep.
  needs: async () => (await import('./needs.ts')).needs,
};

const ROOT = dirname(dirname(import.meta.dirname));
const err = (line: string): void => console.error(line);
const out = (line: string): void => console.log(line);
// `write` answers for itself; without a listener a closed pipe would end the process with a stack trace.
process.stdout.on('error', () => undefined);
const write = (bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });

function screenOf(environment: Readonly<Record<string, string | undefined>>): Screen {
  return {
    isOutTerminal: process.stdout.isTTY,
    isErrTerminal: process.stderr.isTTY && environment['TERM'] !== 'dumb',
    columns: () => process.stdout.columns ?? process.stderr.columns ?? 80,
    draw: (text) => void process.stderr.write(text),
  };
}

/** Runs one verb and resolves to the exit code; never throws. */
async function main([verb = 'help', ...args]: readonly string[], signal: AbortSignal): Promise<number> {
  if (['help', '--help', '-h'].includes(verb)) return help(args[0]);
  if (['--version', '-V'].includes(verb)) return main(['version', ...args], signal);
  if (usageOf(verb).length > 0 && asksForHelp(args)) return help(verb);
  const load = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (load === undefined) {
    err(`sallyport: unknown verb '${verb}'\n\n${USAGE}`);
    return EXIT.usage;
  }
  if (process.geteuid?.() === 0 && verb !== 'version') {
    err(
      `sallyport: this program does not run as root: start it with ${ROOT}/sallyport, which becomes another user first`,
    );
    return EXIT.failed;
  }
  try {
    const command = await load();
    const environment = readEnvironment();
    const screen = screenOf(environment);
    return await command({ args, environment, root: ROOT, cwd: process.cwd(), out, err, write, screen, signal });
  } catch (thrown) {
    return explain(thrown);
  }
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((word) => word === '--help' || word === '-h');
}

function help(verb: string | undefined): number {
  const lines = verb === undefined ? [] : usageOf(verb);
  if (verb !== undefined && lines.length === 0) {
    err(`sallyport: unknown verb '${verb}'\n\n${USAGE}`);
    return EXIT.usage;
  }
  out(
    verb === undefined
      ? USAGE
      : `Usage: sallyport VERB [ARGUMENTS]\n\n${lines.join('\n')}\n\n${USAGE.split('\n').at(-1)}`,
  );
  return EXIT.ok;
}

function usageOf(verb: string): readonly string[] {
  return USAGE.split('\n').filter((line) => line.startsWith('  ') && line.trim().split(' ')[0] === verb);
}

function explain(thrown: unknown): number {
  const faults = configFaults(thrown);
  if (faults !== undefined) {
    err(`sallyport: ERR_CONFIG_INVALID: ${faults.length} fault(s) in the configuration`);
    for (const fault of faults) err(`  - ${fault}`);
    return EXIT.failed;
  }
  const error = toSallyportError(thrown);
  if (error.code !== 'ERR_INTERNAL') err(`sallyport: ${error.code}: ${error.message}`);
  else err(`sallyport: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}`);
  return error.code === 'ERR_INPUT_INVALID' ? EXIT.usage : EXIT.failed;
}

const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
process.exitCode = await main(process.argv.slice(2), interrupted.signal);
