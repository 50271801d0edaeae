import type { Static, TObject } from '@sinclair/typebox';
import { section } from './config-keys.ts';
import { EXECUTION } from './config-execution.ts';
import { APPROVALS, AUDIT, ENGAGEMENTS, KILL, PLANS, QUOTAS } from './config-policy.ts';
import { RUNS } from './config-runs.ts';
import {
  GATEWAY,
  HEALTH,
  LOG,
  MCP,
  POLICY,
  RATE_LIMIT,
  RESOLVER,
  TLS,
  TOOL,
  TOOL_CHOICE,
  WORDLISTS,
} from './config-sections.ts';

/** The configuration file's schema for the given tools. Every key has a description, default, range and unit. */
export function configSchema<N extends string>(toolNames: readonly N[]) {
  const perTool = Object.fromEntries(toolNames.map((name) => [name, TOOL()])) as Record<N, ReturnType<typeof TOOL>>;
  return section('Sallyport', {
    ...GATEWAY,
    tls: TLS,
    log: LOG,
    policy: POLICY,
    engagements: ENGAGEMENTS,
    plans: PLANS,
    quotas: QUOTAS,
    approvals: APPROVALS,
    kill: KILL,
    audit: AUDIT,
    resolver: RESOLVER,
    runs: RUNS,
    execution: EXECUTION,
    wordlists: WORDLISTS,
    rateLimit: RATE_LIMIT,
    health: HEALTH,
    mcp: MCP,
    tools: section('Which tools are offered, and their overrides.', { ...TOOL_CHOICE, ...perTool }),
  });
}

/** The overrides of one tool. */
export type ToolConfig = Static<ReturnType<typeof TOOL>>;
/** The configuration as the program sees it: frozen, complete, checked. Tool sections are read through `toolConfig`. */
export type Config = Static<ReturnType<typeof configSchema<never>>>;
/** Any object schema, for code that walks the keys. */
export type ConfigSchema = TObject;

/** The overrides of one tool. Throws when the configuration was not made for it. */
export function toolConfig(config: Config, name: string): ToolConfig {
  const found = (config.tools as unknown as Record<string, ToolConfig | undefined>)[name];
  if (found === undefined) throw new Error(`the configuration has no section for tool ${name}`);
  return found;
}
