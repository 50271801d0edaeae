import { type ConfigFault, type ConfigKey, type Layer, nearest, type PlacedValue } from './keys.ts';
import { checkValue, readWord, rightFor } from './value.ts';

/** Variables of the name space that are no configuration keys, and what reads them. */
export const PROCESS_VARIABLES: Readonly<Record<string, string>> = {
  SALLYPORT_CONFIG: 'Path of the YAML configuration file. Unset: defaults and environment only.',
  SALLYPORT_KEY_FILE: 'File with the API key that the command line sends. Unset: <dataDir>/first-key.',
  SALLYPORT_TEST_NIGHTLY: '1 adds the long test profiles.',
  SALLYPORT_TEST_SEED: 'Seed of the property tests in test/fuzz, to replay one. Unset: by chance.',
};

/** Docker and Kubernetes inject these for a service named "sallyport"; they look like ours and are not. */
const SERVICE_LINK = /^SALLYPORT_(?:\w+_)?(?:SERVICE_(?:HOST|PORT)\w*|PORT_\d+_(?:TCP|UDP|SCTP)\w*)$/;

/** Reads every SALLYPORT_ variable. An unknown one is a fault, because a misspelt limit is a limit that is not there. */
export function environmentLayer(
  keys: readonly ConfigKey[],
  environment: Readonly<Record<string, string | undefined>>,
): Layer {
  const values = new Map<string, PlacedValue>();
  const faults: ConfigFault[] = [];
  const byVariable = new Map(keys.map((key) => [key.variable, key]));
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || !/^sallyport_/i.test(variable) || Object.hasOwn(PROCESS_VARIABLES, variable)) continue;
    const key = byVariable.get(variable);
    if (key === undefined) {
      faults.push(unknownVariable(variable, [...byVariable.keys(), ...Object.keys(PROCESS_VARIABLES)]));
      continue;
    }
    const read = readWord(key.schema, text);
    const wrong = 'wrong' in read ? read.wrong : checkValue(key.schema, read.value);
    if (wrong !== undefined) faults.push({ key: key.path, from: variable, wrong, right: right(key, text) });
    else if ('value' in read) values.set(key.path, { value: read.value, where: variable });
  }
  return { values, faults };
}

function right(key: ConfigKey, text: string): string {
  const hint = /^(?:tcp|udp):\/\//.test(text) ? '; this looks like a service link: set enableServiceLinks: false' : '';
  const comma = key.schema['type'] === 'array' ? ', separated by commas' : '';
  return `${rightFor(key.schema)}${comma}, or unset it${hint}`;
}

function unknownVariable(variable: string, known: readonly string[]): ConfigFault {
  const from = /^\w{1,128}$/.test(variable) ? variable : 'SALLYPORT_…';
  if (SERVICE_LINK.test(variable)) {
    return {
      key: '',
      from,
      wrong: 'a service link of the container platform, not a configuration key',
      right: 'enableServiceLinks: false in the pod, or another service name',
    };
  }
  const close = nearest(variable.toUpperCase(), known);
  return {
    key: '',
    from,
    wrong: 'no such key',
    right: close === undefined ? 'a variable of docs/configuration.md, or unset it' : `the name ${close}`,
  };
}
