import { statfsSync } from 'node:fs';
import { readPrivileges } from '../core/execution/privileges.ts';
import { systemServers } from '../core/targets/dns.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords } from './command.ts';
import { gatewayFindings } from './doctor-gateway.ts';
import { type Finding, missing, note, ok } from './doctor-finding.ts';
import { storeFinding } from './doctor-store.ts';
import { toolFindings } from './doctor-tools.ts';
import { dataDirFault, nearestPlace } from './environment-check.ts';
import { configFaults, guessDataDir, loadSettings, type Settings } from './settings.ts';

const NODE_MAJOR = 24;
const MIB = 1_048_576;

/** `doctor`: what this machine has and lacks, and the exact command for what is missing; then exit code 1. */
export const doctor: Command = async (context) => {
  requireNoWords(parseOptions(context.args, {}).positionals);
  const findings: Finding[] = [];
  for await (const finding of examine(context)) {
    findings.push(finding);
    context.out(`${finding.state.padEnd(7)}  ${finding.text}`);
  }
  const packages = [...new Set(findings.flatMap(({ mend }) => mend ?? []))];
  if (packages.length > 0) context.out(`\nTo install what is missing:\n  ${installCommand(packages)}`);
  return findings.some(({ state }) => state === 'missing') ? EXIT.failed : EXIT.ok;
};

/** The one command that brings Debian packages to this machine. */
export function installCommand(packages: readonly string[], uid: number | undefined = process.geteuid?.()): string {
  const sudo = uid === 0 ? '' : 'sudo ';
  return `${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends ${packages.join(' ')}`;
}

async function* examine(context: CommandContext): AsyncGenerator<Finding> {
  yield nodeFinding();
  yield rightsFinding();
  const loaded = await loadSettings(context).catch((thrown: unknown) => {
    const faults = configFaults(thrown);
    if (faults === undefined) throw thrown;
    return faults;
  });
  if (isFaults(loaded)) {
    for (const fault of loaded) yield missing(`configuration: ${fault}`);
    yield dataDirFinding(guessDataDir(context));
    return;
  }
  yield dataDirFinding(loaded.dataDir);
  yield storeFinding(loaded.dataDir);
  yield resolverFinding(loaded);
  yield* toolFindings(loaded, context.root);
  yield* gatewayFindings(context, loaded);
}

function isFaults(loaded: Settings | readonly string[]): loaded is readonly string[] {
  return Array.isArray(loaded);
}

function nodeFinding(): Finding {
  const { node } = process.versions;
  return Number(node.split('.')[0]) >= NODE_MAJOR ? ok(`Node ${node}`) : missing(`Node ${NODE_MAJOR}: this is ${node}`);
}

function rightsFinding(): Finding {
  const { uid, mayGiveRaw } = readPrivileges();
  const text = `rights: user ${uid}, as the gateway and its tools`;
  return mayGiveRaw ? ok(`${text}; raw packets are possible`) : note(`${text}; no raw packets (NET_RAW)`);
}

function dataDirFinding(dataDir: string): Finding {
  const fault = dataDirFault(dataDir);
  if (fault !== undefined) return missing(fault);
  const disk = statfsSync(nearestPlace(dataDir));
  return ok(`data directory ${dataDir}: can be written, ${Math.floor((disk.bavail * disk.bsize) / MIB)} MiB free`);
}

function resolverFinding({ config }: Settings): Finding {
  const { servers } = config.resolver;
  if (servers.length > 0) return ok(`DNS servers: ${servers.join(', ')} (configured)`);
  const system = systemServers();
  return system.length > 0
    ? ok(`DNS servers: ${system.join(', ')} (the system's)`)
    : note('DNS servers: none; targets must be addresses, or set resolver.servers');
}
