import convict from 'convict';
import { type Config, configSchema, type ToolConfig, toolConfig } from '../schemas/config.ts';
import { environmentLayer } from './config/environment.ts';
import { fileLayer } from './config/file.ts';
import { type ConfigFault, type ConfigKey, configKeys, type Layer } from './config/keys.ts';
import type { LoadedConfig } from './config/loaded.ts';
import { readRegularFile } from './config/regular-file.ts';
import { type Broken, brokenRules } from './config/rules.ts';
import { deepFreeze, nest } from './config/tree.ts';
import { checkValue } from './config/value.ts';

/** What the rest of the program uses of src/config/. */
export type { ConfigFault } from './config/keys.ts';
/** The loaded configuration. */
export type { LoadedConfig } from './config/loaded.ts';
/** The reference, for the documentation and the command line. */
export { type ConfigRow, describeConfig, environmentExample, referenceTable } from './config/reference.ts';
/** Whether an address is this machine's only. */
export type { Broken as BrokenRule } from './config/rules.ts';
export { isLoopback } from './config/rules.ts';
/** Hot reload. */
export { type ConfigWatch, type ReloadResult, watchConfig } from './config/watch.ts';

/** The configuration is refused. `details.faults` has every fault; the code is the one of the error table. */
export class ConfigError extends Error {
  readonly code = 'ERR_CONFIG_INVALID';
  readonly details: { readonly faults: readonly ConfigFault[] };

  constructor(faults: readonly ConfigFault[]) {
    super(`The configuration has ${faults.length} fault(s):\n${faults.map(sentence).join('\n')}`);
    this.name = 'ConfigError';
    this.details = { faults };
  }
}

/** What the configuration is made from. */
export interface ConfigInput {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The tools that were found on disk: each has its section. */
  readonly toolNames: readonly string[];
  /** Rules that need more than the schema (the policy, the tools); their faults are told together with all others. */
  readonly further?: (config: Config) => readonly Broken[];
  /** Reads a file whole; the default is the file system. */
  readonly readFile?: (path: string) => Buffer;
}

/** A copy of the process environment. Nothing else in the program reads it. */
export function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return Object.freeze({ ...process.env });
}

/** Defaults < YAML file < environment, all of it checked. Throws ConfigError with every fault at once. */
export function loadConfig({ environment, toolNames, further, readFile = readRegularFile }: ConfigInput): LoadedConfig {
  const schema = configSchema(toolNames);
  const keys = configKeys(schema);
  const file = environment['SALLYPORT_CONFIG'];
  const fromFile = file === undefined ? EMPTY : readLayer(file, readFile, (content) => fileLayer(schema, content));
  const fromEnvironment = environmentLayer(keys, environment);
  const config = merge(keys, [fromFile, fromEnvironment]);
  const sources = Object.fromEntries(
    keys.map(({ path }) => [
      path,
      fromEnvironment.values.get(path)?.where ?? fromFile.values.get(path)?.where ?? 'default',
    ]),
  );
  const faults = [...fromFile.faults, ...fromEnvironment.faults];
  faults.push(...ruleFaults({ config, sources, toolNames, further, faulty: new Set(faults.map(({ key }) => key)) }));
  if (faults.length > 0) throw new ConfigError(faults);
  return deepFreeze({ config, sources, toolNames: [...toolNames], ...(file === undefined ? {} : { file }) });
}

const EMPTY: Layer = { values: new Map(), faults: [] };

function readLayer(
  path: string,
  readFile: (path: string) => Buffer,
  read: (file: { path: string; content: Buffer }) => Layer,
): Layer {
  // `SALLYPORT_CONFIG=$UNSET` must not start a gateway with the default scope.
  if (path === '') return unreadable('empty');
  let content: Buffer;
  try {
    content = readFile(path);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    return unreadable(`the file ${path} cannot be read by uid ${process.geteuid?.()} (${why})`);
  }
  return read({ path, content });
}

function unreadable(wrong: string): Layer {
  const right = 'the path of a readable YAML file, or unset it';
  return { values: new Map(), faults: [{ key: '', from: 'SALLYPORT_CONFIG', wrong, right }] };
}

/** convict lays the sources over each other and checks the result; texts were read by our own strict formats before. */
function merge(keys: readonly ConfigKey[], layers: readonly Layer[]): Config {
  const definition = nest(
    keys.map(({ path, schema }) => [
      path,
      {
        doc: schema.description ?? '',
        default: schema['default'] as unknown,
        format: (value: unknown) => {
          const wrong = checkValue(schema, value);
          if (wrong !== undefined) throw new Error(`${path} is ${wrong}`);
        },
      },
    ]),
  );
  // Without `env` and `args` convict would read the process's own, with its own conversions ("yes" is true, "5abc" is 5).
  const store = convict<Config>(definition as unknown as convict.Schema<Config>, { env: {}, args: [] });
  for (const { values } of layers) store.load(nest([...values].map(([path, { value }]) => [path, value])));
  store.validate({ allowed: 'strict' });
  return store.getProperties();
}

function ruleFaults(input: {
  readonly config: Config;
  readonly sources: Readonly<Record<string, string>>;
  readonly toolNames: readonly string[];
  readonly further: ConfigInput['further'];
  readonly faulty: ReadonlySet<string>;
}): readonly ConfigFault[] {
  const tools = new Map(input.toolNames.map((name): [string, ToolConfig] => [name, toolConfig(input.config, name)]));
  return [...brokenRules(input.config, tools), ...(input.further?.(input.config) ?? [])]
    .filter(({ keys }) => !keys.some((key) => input.faulty.has(key)))
    .map(({ keys, wrong, right }) => {
      const written = [...new Set(keys.map((key) => input.sources[key] ?? 'default'))].filter((at) => at !== 'default');
      return { key: keys.join(', '), from: written.join(', ') || 'default', wrong, right };
    });
}

/** The configuration for people: no secret lives in it by design, and credentials pasted into a URL are masked anyway. */
export function redactConfig(config: Config): unknown {
  return JSON.parse(JSON.stringify(config), (_key, value: unknown) =>
    typeof value === 'string'
      ? value.replace(/\/\/[^/\s]*@/g, '//[redacted]@').replace(/\bsp_\w{1,16}_[\w-]+/g, '[redacted]')
      : value,
  );
}

function sentence({ key, from, wrong, right }: ConfigFault): string {
  return `- ${key === '' ? 'configuration' : key} (${from}): ${wrong}; expected ${right}.`;
}
