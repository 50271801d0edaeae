import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { findGateway } from '../../src/cli/gateway-process.ts';
import { type Ended, runCli, temporaryDirectory } from './command-line.ts';

/** A data directory of its own, and the command line for it. */
export interface Place {
  readonly dataDir: string;
  readonly environment: Record<string, string>;
  readonly cli: (...args: string[]) => Promise<Ended>;
}

/** A data directory of its own whose gateway, if one runs, is stopped with the test. */
export function placeFor(t: TestContext, port = '0'): Place {
  // Hooks run in the order of their registration: the gateway must end before its directory goes.
  const place: { stop?: () => Promise<unknown> } = {};
  t.after(() => place.stop?.());
  const directory = temporaryDirectory(t);
  const dataDir = join(directory, 'data');
  const environment = {
    SALLYPORT_DATA_DIR: dataDir,
    SALLYPORT_PORT: port,
    SALLYPORT_EXECUTION_SCRATCH_DIR: join(directory, 'scratch'),
  };
  const cli = (...args: string[]): Promise<Ended> => runCli(args, { environment });
  place.stop = async () => findGateway(dataDir) && (await cli('stop'));
  return { dataDir, environment, cli };
}
