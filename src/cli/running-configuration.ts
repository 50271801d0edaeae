import { resolve } from 'node:path';
import type { LockHolder } from '../../schemas/stored.ts';
import { processEnvironment } from '../core/execution/proc.ts';
import type { CommandContext } from './command.ts';
import { configFaults, loadSettings, type Settings } from './settings.ts';

type Environment = CommandContext['environment'];
type Place = Pick<CommandContext, 'environment' | 'root'>;

/** Read by the command line or by the tests only: they change nothing about a gateway. */
const NOT_CONFIGURATION = new Set(['SALLYPORT_KEY_FILE', 'SALLYPORT_TEST_NIGHTLY', 'SALLYPORT_TEST_SEED']);
const SHOWN_SCOPE = 4;

/** The configuration variables that a running gateway was started with; undefined when they may not be read. */
export function environmentOf({ pid }: LockHolder): Environment | undefined {
  const entries = processEnvironment(pid).filter((entry) => entry.includes('='));
  if (entries.length === 0) return undefined;
  return configurationVariables(
    Object.fromEntries(
      entries.map((entry) => {
        const text = Buffer.from(entry, 'latin1').toString('utf8');
        return [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)];
      }),
    ),
  );
}

/** What this environment would change about a running gateway: one phrase for each variable, never a value but the file. */
export function environmentDifferences(gateway: LockHolder, environment: Environment): readonly string[] {
  const there = environmentOf(gateway);
  if (there === undefined) return [];
  const here = configurationVariables(environment);
  const names = [...new Set([...Object.keys(there), ...Object.keys(here)])].toSorted();
  return names.filter((name) => there[name] !== here[name]).map((name) => difference(name, there[name], here[name]));
}

function difference(name: string, there: string | undefined, here: string | undefined): string {
  const how = there === undefined ? 'set only here' : here === undefined ? 'set only there' : 'another value here';
  return name === 'SALLYPORT_CONFIG' && there !== undefined ? `${name} (${how}; there ${there})` : `${name} (${how})`;
}

function configurationVariables(environment: Environment): Environment {
  const ours = Object.entries(environment).filter(
    ([name, value]) => value !== undefined && /^sallyport_/i.test(name) && !NOT_CONFIGURATION.has(name),
  );
  return Object.fromEntries(ours);
}

/** One or two lines for a reader: where the configuration of the gateway comes from, and what may be touched. */
export async function describeConfiguration(gateway: LockHolder | undefined, place: Place): Promise<readonly string[]> {
  const environment = (gateway && environmentOf(gateway)) ?? place.environment;
  const file = environment['SALLYPORT_CONFIG'];
  const source = file ? resolve(place.root, file) : 'defaults and environment';
  try {
    return [`configuration: ${source}`, policyLine(await loadSettings({ environment, root: place.root }))];
  } catch (thrown) {
    if (configFaults(thrown) === undefined) throw thrown;
    return [`configuration: ${source} (at fault now: the gateway keeps the last valid one)`];
  }
}

function policyLine({ config }: Settings): string {
  const { scope, risk } = config.policy;
  const shown = scope.allow.slice(0, SHOWN_SCOPE);
  const more = scope.allow.length - shown.length;
  const allowed = shown.length === 0 ? 'nothing' : shown.join(', ');
  const denied = scope.deny.length === 0 ? '' : `, ${scope.deny.length} denied`;
  return `scope: ${allowed}${more > 0 ? ` and ${more} more` : ''}${denied}; risk: ${risk}`;
}

/** The certificate that the gateway shows: by this environment, else by its own; empty when neither can say it. */
export async function findCertificate(gateway: LockHolder, { environment, root }: Place): Promise<string> {
  for (const each of [environment, environmentOf(gateway)]) {
    if (each === undefined) continue;
    const settings = await loadSettings({ environment: each, root }).catch(() => undefined);
    const file = settings?.config.tls.certFile ?? each['SALLYPORT_TLS_CERT_FILE'] ?? '';
    if (file !== '') return file;
  }
  return '';
}
