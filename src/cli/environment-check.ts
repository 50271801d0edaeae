import { X509Certificate, createPrivateKey } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Config } from '../../schemas/config.ts';
import { findConfiner } from '../core/execution/confinement.ts';
import { readPrivileges } from '../core/execution/privileges.ts';
import { portFault } from './port-check.ts';
import type { Settings } from './settings.ts';

/** Every fault of this machine that would keep the gateway of these settings from starting or from working as written. */
export function environmentFaults(settings: Settings, root: string, isRunning: boolean): readonly string[] {
  const { config, dataDir } = settings;
  const port = isRunning ? undefined : portFault(config.host, config.port);
  return [
    dataDirFault(dataDir),
    port === undefined ? undefined : `port: ${port}`,
    ...config.wordlists.directories.map((directory) => named('wordlists.directories', directoryFault(directory))),
    ...tlsFaults(config.tls, root),
    named('bootstrapKeyFile', fileFault(config.bootstrapKeyFile, root)),
    named('rateLimit.redisUrlFile', fileFault(config.rateLimit.redisUrlFile, root)),
    named(
      'execution.scratchDir',
      config.execution.scratchDir === '' ? undefined : writableFault(resolve(root, config.execution.scratchDir)),
    ),
    ...layerFaults(config),
  ].filter((fault) => fault !== undefined);
}

const named = (key: string, fault: string | undefined): string | undefined =>
  fault === undefined ? undefined : `${key}: ${fault}`;

/** Undefined when the data directory can be written, or be made, and is ours alone as the gateway demands. */
export function dataDirFault(dataDir: string): string | undefined {
  const place = nearestPlace(dataDir);
  const fault = writableFault(place);
  if (fault !== undefined || place !== dataDir) return named('dataDir', fault);
  const { uid, mode } = statSync(place);
  if (uid !== process.geteuid?.()) return `dataDir: ${place} belongs to uid ${uid}, the gateway is ${whoWeAre()}`;
  return (mode & 0o022) === 0 ? undefined : `dataDir: ${place} can be written by others: chmod 700 ${place}`;
}

/** The path itself, or the nearest one above it that is there: the first start makes the rest. */
export function nearestPlace(path: string): string {
  let place = path;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  return place;
}

function writableFault(path: string): string | undefined {
  const kind = kindOf(path);
  if (kind !== 'directory') return kind === 'closed' ? closedTo(path) : `${path} is not a directory`;
  return isAllowed(path, constants.W_OK | constants.X_OK) ? undefined : `${path} cannot be written by ${whoWeAre()}`;
}

function directoryFault(path: string): string | undefined {
  try {
    readdirSync(path);
    return undefined;
  } catch (thrown) {
    return `${path} cannot be read by ${whoWeAre()} (${(thrown as NodeJS.ErrnoException).code})`;
  }
}

function fileFault(path: string, root: string): string | undefined {
  if (path === '') return undefined;
  const full = resolve(root, path);
  const kind = kindOf(full);
  if (kind === 'closed') return closedTo(full);
  if (kind !== 'file') return `${full} is not a file`;
  return isAllowed(full, constants.R_OK) ? undefined : closedTo(full);
}

const whoWeAre = (): string => `uid ${process.geteuid?.()}`;
const closedTo = (path: string): string => `${path} cannot be read by ${whoWeAre()}`;

/** `closed`: a directory above it cannot be entered, so that nobody can say what it is. */
function kindOf(path: string): 'file' | 'directory' | 'other' | 'closed' {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() === true) return 'file';
    return stats?.isDirectory() === true ? 'directory' : 'other';
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EACCES') return 'closed';
    throw thrown;
  }
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false; // the question was whether
  }
}

function tlsFaults(tls: Config['tls'], root: string): readonly (string | undefined)[] {
  const files = (['certFile', 'keyFile', 'clientCaFile'] as const).map((key) =>
    named(`tls.${key}`, fileFault(tls[key], root)),
  );
  const isComplete = tls.certFile !== '' && tls.keyFile !== '' && files.every((fault) => fault === undefined);
  return isComplete
    ? [...files, named('tls', pairFault(resolve(root, tls.certFile), resolve(root, tls.keyFile)))]
    : files;
}

function pairFault(certFile: string, keyFile: string): string | undefined {
  try {
    const certificate = new X509Certificate(readFileSync(certFile));
    if (!certificate.checkPrivateKey(createPrivateKey(readFileSync(keyFile))))
      return 'the key is not that of the certificate';
    return Date.parse(certificate.validTo) > Date.now()
      ? undefined
      : `the certificate expired on ${certificate.validTo}`;
  } catch (thrown) {
    return `the files hold no certificate and key in PEM (${thrown instanceof Error ? thrown.message : String(thrown)})`;
  }
}

function layerFaults({ execution }: Config): readonly (string | undefined)[] {
  const needs = (layer: 'L1' | 'raw'): boolean => execution.require.includes(layer);
  const noL1 = needs('L1') && findConfiner() === undefined;
  const noRaw = needs('raw') && !readPrivileges().mayGiveRaw;
  return [
    noL1 ? 'execution.require: L1 needs prlimit and setpriv of util-linux: apt-get install -y util-linux' : undefined,
    noRaw ? 'execution.require: raw needs a start as root with execution.raw.enabled' : undefined,
  ];
}
