import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { type Attack, attackRunner, type Setting } from './attacks/attack.ts';
import { DIG_ATTACKS } from './attacks/dig.ts';
import { GOBUSTER_ATTACKS } from './attacks/gobuster.ts';
import { HYDRA_ATTACKS } from './attacks/hydra.ts';
import { MASSCAN_ATTACKS } from './attacks/masscan.ts';
import { NMAP_ATTACKS } from './attacks/nmap.ts';
import { SQLMAP_ATTACKS } from './attacks/sqlmap.ts';
import { type LabWithGateway, startLabWithGateway } from './gateway.ts';
import { OUTSIDE, TARGET } from './layout.ts';
import { whyNoLab } from './requirements.ts';

const ATTACKS: Readonly<Record<string, readonly Attack[]>> = {
  nmap: NMAP_ATTACKS,
  masscan: MASSCAN_ATTACKS,
  gobuster: GOBUSTER_ATTACKS,
  hydra: HYDRA_ATTACKS,
  sqlmap: SQLMAP_ATTACKS,
  dig: DIG_ATTACKS,
};
const skip = whyNoLab() ?? false;

it('there are at least forty attacks with names of their own, five for each of the six tools, each with a control', () => {
  const all = Object.entries(ATTACKS);
  assert.equal(all.length, 6);
  for (const [tool, attacks] of all) {
    assert.ok(attacks.length >= 5, tool);
    assert.equal(new Set(attacks.map(({ name }) => name)).size, attacks.length, `${tool} has an attack twice`);
    assert.ok(attacks.filter(({ unguarded }) => unguarded !== undefined).length >= 5, `${tool} proves too few attacks`);
  }
  assert.ok(all.flatMap(([, attacks]) => attacks).length >= 40);
});

describe('attacks through the running gateway, judged by what the other side saw', { skip }, () => {
  let setting: LabWithGateway | undefined;
  const theSetting = (): Setting => {
    assert.ok(setting);
    return setting;
  };

  before(async () => {
    // Without the allow-list of layer 5, which would stop at the last moment what the policy had let through.
    setting = await startLabWithGateway({ disable: ['L5'] });
  });
  after(() => setting?.stop());

  it('an attack that is seen where it must not arrive is not believed, whatever the gateway answers', async () => {
    const carryOut = attackRunner(theSetting(), 'nmap');
    const input = { targets: [TARGET], ports: '80' };
    const control = { input, reaches: { address: TARGET, port: 80 } };
    const place = { name: 'touch a port that is spared', input, control, spares: control.reaches };
    await assert.rejects(carryOut(place), /must not arrive/);
    const stray = ({ lab }: Setting) => {
      execFileSync('ip', ['netns', 'exec', lab.attacker, 'bash', '-c', `: </dev/tcp/${OUTSIDE}/80`]);
      return input;
    };
    await assert.rejects(carryOut({ name: 'go astray', input: stray, control }), /must not arrive/);
    const answered = { name: 'be refused', input, control, refused: ['ERR_TARGET_OUT_OF_SCOPE'] as const };
    await assert.rejects(carryOut(answered), /succeeded/);
  });

  for (const [tool, attacks] of Object.entries(ATTACKS)) {
    describe(tool, () => {
      let carryOut: (attack: Attack) => Promise<void>;
      before(() => {
        carryOut = attackRunner(theSetting(), tool);
      });
      for (const attack of attacks) it(`${tool} does not ${attack.name}`, () => carryOut(attack));
    });
  }
});
