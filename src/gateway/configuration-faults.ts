import type { Config } from '../../schemas/config.ts';
import { SallyportError } from '../core/errors.ts';
import { denyPortFaults } from '../core/targets/ports.ts';
import { parseScope } from '../core/targets/scope.ts';
import type { AnyTool } from '../core/tool/definition.ts';
import { unusedPatterns } from '../core/tool/patterns.ts';
import { toolSettingFaults } from './tool-settings.ts';

/** What the schema cannot see because it needs the policy or the tools: one sentence per fault. */
export function configurationFaults(config: Config, tools: readonly AnyTool[]): string[] {
  const { scope, denyPorts } = config.policy;
  const names = tools.map((tool) => tool.name);
  return [
    ...parseScope(scope.allow, scope.deny),
    ...denyPortFaults(denyPorts),
    ...unusedPatterns(config.tools, names)
      .filter((pattern) => pattern !== '*')
      .map((pattern) => `tools.include/exclude: ${JSON.stringify(pattern)} is no tool`),
    ...toolSettingFaults(config, tools),
  ];
}

/** Throws ERR_CONFIG_INVALID with every fault in `details.faults`. */
export function requireSound(config: Config, tools: readonly AnyTool[]): void {
  const faults = configurationFaults(config, tools);
  if (faults.length === 0) return;
  throw new SallyportError('ERR_CONFIG_INVALID', `The configuration is at fault: ${faults.join('; ')}.`, {
    details: { faults },
  });
}
