import { ONLY_NET_RAW } from '../core/execution/privileges.ts';
import { capabilitySet } from '../core/execution/proc.ts';
import { type Command, EXIT, parseOptions, requireNoWords } from './command.ts';
import { findGateway, readIfThere } from './gateway-process.ts';
import { loadSettings } from './settings.ts';

/**
 * `needs`: the one capability that this configuration's gateway needs, `net_raw`, or nothing. The command line needs
 * it too beside a gateway that has it: ptrace(2) lets nobody with fewer rights read what that process was started with.
 */
export const needs: Command = async (context) => {
  requireNoWords(parseOptions(context.args, {}).positionals);
  const { config, dataDir } = await loadSettings(context);
  if (config.execution.raw.enabled || holdsRaw(findGateway(dataDir)?.pid)) context.out('net_raw');
  return EXIT.ok;
};

function holdsRaw(pid: number | undefined): boolean {
  const status = pid === undefined ? undefined : readIfThere(`/proc/${pid}/status`);
  return status !== undefined && (capabilitySet(status, 'CapPrm') & ONLY_NET_RAW) !== 0n;
}
