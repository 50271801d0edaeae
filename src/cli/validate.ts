import { type Command, EXIT, parseOptions, requireNoWords } from './command.ts';
import { dataDirFault, environmentFaults } from './environment-check.ts';
import { findGateway } from './gateway-process.ts';
import { configFaults, guessDataDir, loadSettings } from './settings.ts';

/** `validate`: checks configuration and environment without starting anything, and lists every fault at once. */
export const validate: Command = async (context) => {
  requireNoWords(parseOptions(context.args, {}).positionals);
  const faults = await findFaults(context.root, context.environment);
  if (faults.length === 0) {
    context.out('Configuration and environment are sound.');
    return EXIT.ok;
  }
  context.err(`sallyport: ${faults.length} fault(s):`);
  for (const fault of faults) context.err(`  - ${fault}`);
  return EXIT.failed;
};

async function findFaults(root: string, environment: Record<string, string | undefined>): Promise<readonly string[]> {
  try {
    const settings = await loadSettings({ environment, root });
    const isRunning = findGateway(settings.dataDir) !== undefined;
    return environmentFaults(settings, root, isRunning);
  } catch (thrown) {
    const faults = configFaults(thrown);
    if (faults === undefined) throw thrown;
    // What does not depend on the refused values is still looked at: one round of mending, not two.
    const dataDir = dataDirFault(guessDataDir({ environment, root }));
    return dataDir === undefined ? faults : [...faults, dataDir];
  }
}
