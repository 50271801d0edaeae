import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { RunResult } from '../../schemas/run.ts';
import { run } from './command.ts';
import { type GatewayWishes, type LabGateway, startGateway, whyNoTun } from './gateway.ts';
import { type Lab, startLab } from './lab.ts';
import { OUTSIDE, SECOND, TARGET } from './layout.ts';
import { whyNoCompiler, whyNoLab } from './requirements.ts';
import { layersOf, runTool } from './rest.ts';

/** Two ports that the calls below name; everything else that the stand-in sends goes where no call ever pointed. */
const PERMITTED = { socket: `${TARGET}:80`, frame: `${TARGET}:81` };
const BY_SOCKET = [`${SECOND}:80`, `${OUTSIDE}:80`, `${TARGET}:7005`, `${OUTSIDE}:7006`];
const BY_FRAME = [`${TARGET}:7001`, `${SECOND}:7002`, `${OUTSIDE}:7003`];

/** The same tools, taken over: with no capability, and with NET_RAW. */
const CONNECT = { tool: 'nmap', input: { targets: [TARGET], ports: '80,81' } };
const RAW = { tool: 'masscan', input: { cidrs: [TARGET], ports: '80,81', rate: 200 } };
type Call = typeof CONNECT | typeof RAW;

const skip = whyNoLab() ?? whyNoTun() ?? whyNoCompiler() ?? false;

describe('a tool that was taken over, started by the gateway', { skip }, () => {
  let lab: Lab;
  let standIn: string;

  before(async () => {
    lab = await startLab();
    standIn = join(lab.directory, 'taken-over');
    const places = Object.entries({ TARGET, SECOND, OUTSIDE }).map(([name, value]) => `-D${name}="${value}"`);
    await run('cc', ['-O1', '-static', ...places, '-o', standIn, join(import.meta.dirname, 'taken-over.c')]);
  });
  after(() => lab.stop());

  /** Starts a gateway that finds the stand-in where nmap and masscan are. */
  async function withGateway(wishes: GatewayWishes, use: (gateway: LabGateway) => Promise<void>): Promise<void> {
    const standIns = { '/usr/bin/nmap': standIn, '/usr/bin/masscan': standIn };
    const gateway = await startGateway(lab, { ...wishes, standIns });
    try {
      await use(gateway);
    } finally {
      await gateway.stop();
    }
  }

  async function attempt(gateway: LabGateway, { tool, input }: Call): Promise<Attempted> {
    const earlier = await lab.arrivals();
    const { run: whole, error } = await runTool(gateway, tool, { input });
    const ended = whole ?? (error?.details?.['run'] as RunResult | undefined);
    assert.equal(ended?.exitCode, 77, `not every attempt was made: ${JSON.stringify(error ?? whole)}`);
    const now = await lab.arrivals();
    const seen = [...now].filter(([place, count]) => count > (earlier.get(place) ?? 0)).map(([place]) => place);
    return { layers: ended.layers, seen: seen.filter((place) => /^[\d.]+:\d+$/.test(place)).toSorted() };
  }

  it('reaches what it likes without layer 5: what is counted below would be seen', async () => {
    await withGateway({ disable: ['L5'], tun: true }, async (gateway) => {
      const connect = await attempt(gateway, CONNECT);
      // Another TCP port was refused all the same, by layer 2; without NET_RAW no frame was sent.
      assert.deepEqual(connect.seen, [PERMITTED.socket, ...BY_SOCKET].toSorted());
      const raw = await attempt(gateway, RAW);
      assert.deepEqual(raw.seen, [...Object.values(PERMITTED), ...BY_SOCKET, ...BY_FRAME].toSorted());
      assert.ok(!connect.layers.includes('L5') && !raw.layers.includes('L5') && raw.layers.includes('raw'));
    });
  });

  it('reaches with layer 5 the ports of its call alone, by sockets and by frames past the kernel', async (t) => {
    await withGateway({ tun: true }, async (gateway) => {
      const layer = (await layersOf(gateway)).find(({ name }) => name === 'L5');
      if (layer?.state === 'absent') return t.skip(layer.evidence);
      const connect = await attempt(gateway, CONNECT);
      assert.deepEqual(connect.seen, [PERMITTED.socket]);
      const raw = await attempt(gateway, RAW);
      assert.deepEqual(raw.seen, Object.values(PERMITTED).toSorted());
      assert.ok(connect.layers.includes('L5') && raw.layers.includes('L5') && raw.layers.includes('raw'));
    });
  });
});

interface Attempted {
  /** The layers that the run's record names. */
  readonly layers: readonly string[];
  /** `address:port` on the target's side to which something came meanwhile. */
  readonly seen: readonly string[];
}
