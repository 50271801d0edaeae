import { join, resolve } from 'node:path';
import type { Config } from '../../schemas/config.ts';
import { ConfigError, type ConfigFault, loadConfig } from '../config.ts';
import { readRegularFile } from '../config/regular-file.ts';
import { SallyportError } from '../core/errors.ts';
import type { AnyTool } from '../core/tool/definition.ts';
import { loadTools } from '../core/tool/discovery.ts';
import { brokenSettings } from '../gateway/configuration-faults.ts';
import type { CommandContext } from './command.ts';

/** The configuration as a start of the gateway would see it now, and where its durable files are. */
export interface Settings {
  readonly config: Config;
  /** Absolute. */
  readonly dataDir: string;
  readonly tools: readonly AnyTool[];
}

type Place = Pick<CommandContext, 'environment' | 'root'>;

/** Reads the whole configuration. Throws ERR_CONFIG_INVALID with every fault; `configFaults` reads them. */
export async function loadSettings({ environment, root }: Place): Promise<Settings> {
  const tools = await loadTools(join(root, 'src', 'tools'));
  const { config } = loadConfig({
    environment,
    toolNames: tools.map((tool) => tool.name),
    further: (each) => brokenSettings(each, tools),
    readFile: (path) => readRegularFile(resolve(root, path)),
  });
  return { config, dataDir: resolve(root, config.dataDir), tools };
}

/** One sentence for each fault of a refused configuration; undefined when something else was thrown. */
export function configFaults(thrown: unknown): readonly string[] | undefined {
  if (!(thrown instanceof ConfigError || thrown instanceof SallyportError) || thrown.code !== 'ERR_CONFIG_INVALID') {
    return undefined;
  }
  const faults = thrown.details?.['faults'];
  return Array.isArray(faults) && faults.length > 0 ? faults.map(sentence) : [thrown.message];
}

function sentence(fault: string | ConfigFault): string {
  if (typeof fault === 'string') return fault;
  const { key, from, wrong, right } = fault;
  return `${key === '' ? 'configuration' : key} (${from}): ${wrong}; expected ${right}`;
}

/** Where the durable files are when the configuration cannot say it. */
export function guessDataDir({ environment, root }: Place): string {
  return resolve(root, environment['SALLYPORT_DATA_DIR'] || 'data');
}

/**
 * Where the durable files are, also while the configuration is at fault: whoever broke it must still be able to stop
 * the gateway and to read its log.
 */
export async function findDataDir(context: Place & Pick<CommandContext, 'err'>): Promise<string> {
  try {
    return (await loadSettings(context)).dataDir;
  } catch (thrown) {
    if (configFaults(thrown) === undefined) throw thrown;
    const dataDir = guessDataDir(context);
    context.err(`sallyport: the configuration is at fault (see 'validate'); looking in ${dataDir}`);
    return dataDir;
  }
}
