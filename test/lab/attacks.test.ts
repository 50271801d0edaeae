import { after, before, describe, it } from 'node:test';
import { type Attack, attackRunner, type Setting } from './attacks/attack.ts';
import { DIG_ATTACKS } from './attacks/dig.ts';
import { GOBUSTER_ATTACKS } from './attacks/gobuster.ts';
import { HYDRA_ATTACKS } from './attacks/hydra.ts';
import { MASSCAN_ATTACKS } from './attacks/masscan.ts';
import { NMAP_ATTACKS } from './attacks/nmap.ts';
import { SQLMAP_ATTACKS } from './attacks/sqlmap.ts';
import { startGateway } from './gateway.ts';
import { startLab } from './lab.ts';
import { whyNoLab } from './requirements.ts';

const ATTACKS: Readonly<Record<string, readonly Attack[]>> = {
  nmap: NMAP_ATTACKS,
  masscan: MASSCAN_ATTACKS,
  gobuster: GOBUSTER_ATTACKS,
  hydra: HYDRA_ATTACKS,
  sqlmap: SQLMAP_ATTACKS,
  dig: DIG_ATTACKS,
};
const skip = whyNoLab({ tools: true }) ?? false;

describe('attacks through the running gateway, judged by what the other side saw', { skip }, () => {
  let setting: Setting;

  before(async () => {
    const lab = await startLab();
    setting = { lab, gateway: await startGateway(lab) };
  });
  after(async () => {
    await setting.gateway.stop();
    await setting.lab.stop();
  });

  for (const [tool, attacks] of Object.entries(ATTACKS)) {
    describe(tool, () => {
      let carryOut: (attack: Attack) => Promise<void>;
      before(() => {
        carryOut = attackRunner(setting, tool);
      });
      for (const attack of attacks) it(`${tool} does not ${attack.name}`, () => carryOut(attack));
    });
  }
});
