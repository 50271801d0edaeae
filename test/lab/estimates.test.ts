import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { PlanView } from '../../schemas/plan.ts';
import type { RunResult } from '../../schemas/run.ts';
import { type LabGateway, startGateway } from './gateway.ts';
import { type Lab, startLab } from './lab.ts';
import { PORTS, SECOND, TARGET } from './layout.ts';
import { whyNoLab } from './requirements.ts';
import { planTool, runTool } from './rest.ts';

/** One plan, what it must take at the target, and whether its time is its own and not the machine's. */
interface Case {
  readonly tool: string;
  readonly name: string;
  readonly input: (user: string) => Readonly<Record<string, unknown>>;
  /** Counts at the target what has come of this plan so far; absent where nothing there tells. */
  readonly seen?: (lab: Lab) => Promise<number>;
  /** The number of probes follows from the input. Else it depends on the target, and a factor of two is held. */
  readonly isExact?: true;
  /** Too short to be about anything but how busy the machine is. */
  readonly isInstant?: true;
}

const LISTS: Readonly<Record<string, number>> = { 'estimate-40.txt': 40, 'estimate-30.txt': 30 };
const words = (count: number, stem: string) => Array.from({ length: count }, (_, index) => `${stem}${index}`);

/** Packets that came to ports of the target or the second host. */
const packets =
  (from: number, to = from) =>
  async (lab: Lab): Promise<number> => {
    const places = [...(await lab.arrivals())].filter(([place]) => {
      const [address = '', port] = place.split(':');
      return [TARGET, SECOND].includes(address) && Number(port) >= from && Number(port) <= to;
    });
    return places.reduce((sum, [, count]) => sum + count, 0);
  };
const lines =
  (...[log, pattern]: [Parameters<Lab['log']>[0], RegExp]) =>
  (lab: Lab): Promise<number> =>
    Promise.resolve(lab.log(log).filter((line) => pattern.test(line)).length);

const nmap =
  (ports: string, more: Readonly<Record<string, unknown>> = {}) =>
  () => ({ targets: [TARGET], ports, ...more });
const gobuster = (more: Readonly<Record<string, unknown>>) => () => ({ wordlist: 'lists/estimate-40.txt', ...more });
const hydra = (service: string, more: Readonly<Record<string, unknown>>) => () => ({ host: TARGET, service, ...more });
const site = (path: string) => ({ scheme: 'http', host: TARGET, path });
const page =
  (path: string, more: Readonly<Record<string, unknown>> = {}) =>
  () => ({
    url: { scheme: 'http', host: TARGET, port: PORTS.php, path },
    param: 'id',
    ...more,
  });

/** The cases of one tool run one after the other. Each has ports, paths or logins of its own. */
const CASES: readonly (readonly Case[])[] = [
  [
    {
      tool: 'nmap',
      name: 'a thousand ports at the usual rate',
      input: nmap('20000-20999'),
      seen: packets(20_000, 20_999),
      isExact: true,
    },
    {
      tool: 'nmap',
      name: 'few ports of two hosts, slowly',
      input: () => ({ targets: [TARGET, SECOND], ports: '21000-21074', maxRate: 50 }),
      seen: packets(21_000, 21_074),
      isExact: true,
    },
    {
      tool: 'nmap',
      name: 'a polite scan',
      input: nmap('21100-21106', { timing: 2 }),
      seen: packets(21_100, 21_106),
      isExact: true,
    },
    {
      tool: 'nmap',
      name: 'a half-open scan',
      input: nmap('22000-22899', { scan: 'syn', maxRate: 300 }),
      seen: packets(22_000, 22_899),
    },
    {
      tool: 'nmap',
      name: 'versions',
      input: () => ({ targets: [SECOND], ports: '80,2323,9998', version: 5 }),
      seen: async (lab) => {
        const counts = [80, 2323, 9998].map((port) => lab.arrived({ address: SECOND, port }));
        return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
      },
    },
  ],
  [
    {
      tool: 'masscan',
      name: 'few ports, slowly',
      input: () => ({ cidrs: [TARGET], ports: '23000-23099', rate: 50 }),
      seen: packets(23_000, 23_099),
      isExact: true,
    },
    {
      tool: 'masscan',
      name: 'many ports of two hosts, fast',
      input: () => ({ cidrs: ['10.77.0.10/31'], ports: '24000-24999', rate: 1000 }),
      seen: packets(24_000, 24_999),
      isExact: true,
    },
  ],
  [
    {
      tool: 'gobuster',
      name: 'paths at the usual rate',
      input: gobuster({ mode: 'dir', url: site('/e1/') }),
      seen: lines('nginx', /"GET \/e1\//),
      isExact: true,
    },
    {
      tool: 'gobuster',
      name: 'paths with extensions',
      input: gobuster({ mode: 'dir', url: site('/e2/'), extensions: ['php', 'bak'], threads: 5, delayMs: 100 }),
      seen: lines('nginx', /"GET \/e2\//),
      isExact: true,
    },
    {
      tool: 'gobuster',
      name: 'names at the usual rate',
      input: gobuster({ mode: 'dns', domain: 'lab.internal', resolver: TARGET, wordlist: 'lists/estimate-30.txt' }),
      seen: lines('dnsmasq', /query\[A+\] (?:[\w-]+\.)?lab\.internal from/),
      isExact: true,
    },
  ],
  [
    {
      tool: 'hydra',
      name: 'a protected page',
      input: hydra('http-get', { path: '/private/h1', users: ['admin'], passwords: words(15, 'p') }),
      seen: lines('nginx', /\/private\/h1/),
      isExact: true,
    },
    {
      tool: 'hydra',
      name: 'a login form',
      input: hydra('http-post-form', {
        port: PORTS.php,
        path: '/login.php',
        users: ['admin', 'guest'],
        passwords: words(5, 'p'),
        form: { userField: 'user', passwordField: 'pass', failureText: 'Login failed' },
      }),
      seen: lines('php', /\/login\.php/),
      isExact: true,
    },
    {
      tool: 'hydra',
      name: 'an ftp login',
      input: hydra('ftp', { users: ['nobody-here'], passwords: words(8, 'p') }),
    },
    {
      tool: 'hydra',
      name: 'an ssh login, beyond what the server takes at once',
      input: (user) => ({ host: TARGET, service: 'ssh', users: [user], passwords: words(24, 'p') }),
      seen: lines('sshd', /Failed password/),
    },
  ],
  [
    {
      tool: 'dig',
      name: 'an address',
      input: () => ({ name: 'web.lab.internal', server: TARGET, type: 'TXT' }),
      seen: lines('dnsmasq', /query\[TXT\] web\.lab\.internal/),
      isExact: true,
      isInstant: true,
    },
    {
      tool: 'sqlmap',
      name: 'a parameter that cannot be injected into',
      input: page('/constant.php?id=1'),
      seen: lines('php', /\/constant\.php/),
      isInstant: true,
    },
    {
      tool: 'sqlmap',
      name: 'a parameter that can, and the tables behind it',
      input: page('/item.php?id=1', { action: 'tables' }),
      seen: lines('php', /\/item\.php/),
      isInstant: true,
    },
  ],
];

const TRIES = 3;
const FACTOR = 2;
const skip = whyNoLab() ?? false;

describe('what a plan estimates is what its run takes', { skip, concurrency: true }, () => {
  let lab: Lab;
  let gateway: LabGateway;
  before(async () => {
    lab = await startLab();
    for (const [name, count] of Object.entries(LISTS)) {
      writeFileSync(join(lab.lists, name), `${words(count, 'w').join('\n')}\n`);
    }
    gateway = await startGateway(lab);
  });
  after(async () => {
    await gateway.stop();
    await lab.stop();
  });

  for (const cases of CASES) {
    describe(`of ${cases[0]?.tool}`, { concurrency: 1 }, () => {
      for (const each of cases) {
        it(`${each.tool}: ${each.name}`, async (t) => {
          const estimate = await estimateOf(each);
          // A machine that is busy at the wrong moment makes one run slow, not every one.
          for (let tried = 1; ; tried += 1) {
            const { probes, durationMs } = await take(each);
            const ratio = { probes: estimate.probes / probes, time: estimate.durationMs / durationMs };
            const counted =
              each.seen === undefined ? '' : `${estimate.probes} of ${probes} probes ×${ratio.probes.toFixed(2)}, `;
            const shown = `${counted}${estimate.durationMs} of ${durationMs} ms ×${ratio.time.toFixed(2)}`;
            t.diagnostic(shown);
            const isTimely = each.isInstant === true || isNear(ratio.time);
            if (!isTimely && tried < TRIES) continue;
            assert.ok(isTimely, `the estimated time is off: ${shown}`);
            if (each.seen === undefined) return;
            assert.ok(isNear(ratio.probes), `the estimated probes are off: ${shown}`);
            const { mostProbes = estimate.probes } = estimate;
            assert.ok(probes <= mostProbes, `more than the budgets reserved, ${mostProbes}: ${shown}`);
            if (each.isExact === true) assert.equal(probes, estimate.probes);
            break;
          }
        });
      }
    });
  }

  async function estimateOf({ tool, input }: Case): Promise<NonNullable<PlanView['estimate']>> {
    const { estimate, refusal } = await planTool(gateway, tool, { input: input(lab.user.name) });
    return estimate ?? assert.fail(`no estimate: ${JSON.stringify(refusal)}`);
  }

  async function take(each: Case): Promise<{ readonly probes: number; readonly durationMs: number }> {
    const count = each.seen ?? (() => Promise.resolve(Number.NaN));
    const earlier = await count(lab);
    const { run, error } = await runTool(gateway, each.tool, { input: each.input(lab.user.name) });
    assert.equal(error, undefined, JSON.stringify(error));
    return { probes: (await settled(() => count(lab), earlier)) - earlier, durationMs: (run as RunResult).durationMs };
  }

  /** A service writes its log a moment after its answer. */
  async function settled(count: () => Promise<number>, earlier: number): Promise<number> {
    for (let last = earlier; ; ) {
      await new Promise((resolve) => {
        setTimeout(resolve, 100);
      });
      const now = await count();
      if (Object.is(now, last)) return now;
      last = now;
    }
  }
});

function isNear(ratio: number): boolean {
  return ratio >= 1 / FACTOR && ratio <= FACTOR;
}
