import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chownSync } from 'node:fs';
import { describe, it } from 'node:test';
import masscan from '../../src/tools/masscan/index.ts';
import type { MasscanResult } from '../../src/tools/masscan/parse.ts';
import { missing } from '../tools/loopback-run.ts';
import { feed, prepare, registered } from '../tools/under-test.ts';
import { RAW_UID, withRawRights } from './raw-rights.ts';
import { directory, NEEDS_ROOT } from './real-checkout.ts';

const TOOL = registered(masscan);
const LINK = { interface: 'va', adapterIp: '10.77.0.1', routerMac: '02:00:00:00:00:02' };

// Two network namespaces that end with their processes: `$1` is node, the rest is masscan and its argv.
const NETWORK = `
set -e
node=$1; shift
unshare -n sleep 120 & peer=$!
trap 'kill $peer' EXIT
until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ] && grep -qs sleep /proc/$peer/comm; do sleep 0.02; done
ip link add va type veth peer name vb address 02:00:00:00:00:02 netns $peer
ip addr add 10.77.0.1/24 dev va; ip link set va up
nsenter -t $peer -n ip addr add 10.77.0.10/24 dev vb
nsenter -t $peer -n ip link set vb up
nsenter -t $peer -n "$node" -e 'require("net").createServer().listen(8080, "10.77.0.10", () => console.log("up"))' > ready & server=$!
trap 'kill $peer $server' EXIT
until grep -q up ready; do sleep 0.02; done
"$@"
`;

describe('the real masscan', async () => {
  const skip = NEEDS_ROOT || (await missing(masscan));

  it('takes exactly this argv and finds the open port, not the closed one', { skip }, async (t) => {
    const input = { cidrs: ['10.77.0.10'], ports: '8079-8081', rate: 50 };
    const prepared = await prepare(TOOL, input, { raw: true, link: LINK });
    const cwd = directory(t, 0o700);
    chownSync(cwd, RAW_UID, RAW_UID);
    const ran = await new Promise<{ stdout: string; stderr: string; code: number }>((resolve) => {
      const tool = withRawRights('/usr/bin/masscan', prepared.argv);
      const command = ['-n', 'sh', '-c', NETWORK, 'sh', process.execPath, ...tool];
      execFile('unshare', command, { cwd }, (error, stdout, stderr) =>
        resolve({ stdout, stderr, code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1 }),
      );
    });
    assert.equal(ran.code, 0, ran.stderr);
    const streams = { stdout: [Buffer.from(ran.stdout)], stderr: [Buffer.from(ran.stderr)] };
    const { result, complete } = feed(TOOL, prepared, streams);
    const { hosts, notes } = result as MasscanResult;
    assert.deepEqual(
      hosts.map(({ address, ports }) => [address, ports.map(({ port }) => port)]),
      [['10.77.0.10', [8080]]],
    );
    assert.equal(complete, true, JSON.stringify(notes));
  });
});
