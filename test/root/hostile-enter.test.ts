/* What another user of the machine, or an operator's choice, could make of a start as root. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { findLauncher } from '../../src/core/execution/launcher.ts';
import { ROOT } from '../cli/command-line.ts';
import { LAUNCHER_PLACE } from '../fixtures/launcher-place.ts';
import { launcherPlace } from '../fixtures/launcher.ts';
import { directory, NEEDS_ROOT } from './real-checkout.ts';

const STRANGER = 64_281;

test('native programs that another user put in their place are refused', { skip: NEEDS_ROOT }, (t) => {
  const built = join(launcherPlace().launcher, '..');
  const builds = join(directory(t), 'builds');
  const copy = join(builds, basename(built));
  cpSync(built, copy, { recursive: true });
  chmodSync(builds, 0o755);
  const place = { sources: LAUNCHER_PLACE.sources, builds };
  const refusal = (): string => {
    const found = findLauncher(place);
    return typeof found === 'string' ? found : '';
  };
  assert.equal(refusal(), '');
  for (const path of [join(copy, 'supervisor'), copy, builds]) {
    chownSync(path, STRANGER, STRANGER);
    assert.match(refusal(), new RegExp(`^${path} belongs to uid ${STRANGER}`));
    chownSync(path, 0, 0);
  }
  chmodSync(builds, 0o777);
  assert.match(refusal(), /may be written by others/);
});

test('a gateway with NET_RAW does not start where nothing takes it from its tools', { skip: NEEDS_ROOT }, (t) => {
  const scratch = directory(t);
  chownSync(scratch, STRANGER, STRANGER);
  const script = `
    import { createExecutor } from '${ROOT}/src/core/execution/executor.ts';
    import { systemClock } from '${ROOT}/src/core/clock.ts';
    const log = { info() {}, warn() {}, error() {} };
    const options = { clock: systemClock, log, scratchParent: '${scratch}/s', places: 1, killGraceMs: 100, rawEnabled: false,
      disable: ['L1', 'L2', 'L3'], cgroupLimits: { memoryBytes: 1e9, processes: 99, cpuPercent: 99 } };
    await createExecutor(options).then((made) => made.close().then(() => console.log('made')), ({ code }) => console.log(code));`;
  const start = (capabilities: string) =>
    spawnSync(
      'setpriv',
      [
        `--reuid=${STRANGER}`,
        `--regid=${STRANGER}`,
        '--clear-groups',
        `--inh-caps=${capabilities}`,
        `--ambient-caps=${capabilities}`,
        '--',
        process.execPath,
        '--input-type=module',
        '-e',
        script,
      ],
      { encoding: 'utf8', timeout: 60_000 },
    );
  assert.equal(start('-all,+net_raw').stdout, 'ERR_EXEC_CONFINEMENT\n');
  assert.equal(start('-all').stdout, 'made\n');
});
