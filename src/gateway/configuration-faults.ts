import type { Config } from '../../schemas/config.ts';
import type { BrokenRule } from '../config.ts';
import { SallyportError } from '../core/errors.ts';
import { parseScope } from '../core/targets/scope.ts';
import type { AnyTool } from '../core/tool/definition.ts';
import { toolSettingFaults } from './tool-settings.ts';

/** What the schema cannot see because it needs the policy or the tools. */
export function brokenSettings(config: Config, tools: readonly AnyTool[]): readonly BrokenRule[] {
  const { allow, deny } = config.policy.scope;
  return [
    ...scopeFaults('policy.scope.allow', parseScope(allow, [])),
    ...scopeFaults('policy.scope.deny', parseScope([], deny)),
    ...toolSettingFaults(config, tools),
  ];
}

function scopeFaults(key: string, faults: readonly string[]): BrokenRule[] {
  return faults.map((fault) => ({ keys: [key], wrong: fault, right: 'a CIDR, an address, a name or *.name' }));
}

/** Throws ERR_CONFIG_INVALID with every fault in `details.faults`. */
export function requireSound(config: Config, tools: readonly AnyTool[]): void {
  const faults = brokenSettings(config, tools).map(
    ({ keys, wrong, right }) => `${keys.join(', ')}: ${wrong}; expected ${right}`,
  );
  if (faults.length === 0) return;
  throw new SallyportError('ERR_CONFIG_INVALID', `The configuration is at fault: ${faults.join('; ')}.`, {
    details: { faults },
  });
}
