import { resolve } from 'node:path';
import { readEngagementFiles } from '../config/engagements.ts';
import { inspectEngagementFiles } from '../core/engagement/inspect.ts';
import { type Command, EXIT, parseOptions, requireNoWords } from './command.ts';
import { dataDirFault, environmentFaults } from './environment-check.ts';
import { findGateway } from './gateway-process.ts';
import { configFaults, guessDataDir, loadSettings, type Settings } from './settings.ts';

/**
 * `validate`: checks configuration, engagements and environment without starting anything, and lists every fault at
 * once. Rules that overlap or contradict each other are told as notices, which are no faults.
 */
export const validate: Command = async (context) => {
  requireNoWords(parseOptions(context.args, {}).positionals);
  const { faults, notices } = await inspect(context.root, context.environment);
  for (const notice of notices) context.err(`notice: ${notice}`);
  if (faults.length === 0) {
    context.out('Configuration and environment are sound.');
    return EXIT.ok;
  }
  context.err(`sallyport: ${faults.length} fault(s):`);
  for (const fault of faults) context.err(`  - ${fault}`);
  return EXIT.failed;
};

interface Findings {
  readonly faults: readonly string[];
  readonly notices: readonly string[];
}

async function inspect(root: string, environment: Record<string, string | undefined>): Promise<Findings> {
  try {
    const settings = await loadSettings({ environment, root });
    const isRunning = findGateway(settings.dataDir) !== undefined;
    const engagements = inspectEngagements(settings, root);
    const around = environmentFaults(settings, root, isRunning);
    return { faults: [...around, ...engagements.faults], notices: engagements.notices };
  } catch (thrown) {
    const faults = configFaults(thrown);
    if (faults === undefined) throw thrown;
    // What does not depend on the refused values is still looked at: one round of mending, not two.
    const dataDir = dataDirFault(guessDataDir({ environment, root }));
    return { faults: dataDir === undefined ? faults : [...faults, dataDir], notices: [] };
  }
}

function inspectEngagements({ config, tools }: Settings, root: string): Findings {
  const { directory } = config.engagements;
  const files = readEngagementFiles(directory === '' ? '' : resolve(root, directory));
  const names = tools.map(({ name }) => name);
  return inspectEngagementFiles(files, names);
}
