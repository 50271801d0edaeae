import type { HealthCheck } from '../health/monitor.ts';
import type { KillSwitch } from './types.ts';

/**
 * Important: whether a kill switch is on. Never critical: a killed gateway does exactly what its operator wants, and has
 * to stay reachable for the one who lifts it. Ids and reasons are for holders of `admin:kill`.
 */
export function killSwitchOff(killSwitch: Pick<KillSwitch, 'state'>): HealthCheck {
  return {
    name: 'kill-switch',
    priority: 'important',
    run: async () => {
      const { switches } = killSwitch.state();
      const everything = switches.some(({ engagement }) => engagement === null);
      const engagements = switches.filter(({ engagement }) => engagement !== null).length;
      const data = { active: switches.length > 0, everything, engagements };
      if (switches.length === 0) return { ok: true, message: 'no kill switch is on', data };
      const [first] = switches.map(({ since }) => since).sort();
      const what = everything ? 'everything' : `${engagements} engagement(s)`;
      return { ok: false, message: `the kill switch is on for ${what}`, data: { ...data, since: first } };
    },
  };
}
