import type { ToolDetail, ToolSummary } from '../../../schemas/tool.ts';
import type { Principal } from '../auth/types.ts';
import type { AnyTool } from './definition.ts';
import { callerSchema } from './input-schema.ts';
import type { RegisteredTool } from './registry-types.ts';

/** The room's state of one tool, as src/core/resilience reports it. */
export interface GateState {
  readonly active: number;
  readonly queued: number;
  readonly breaker: ToolDetail['breaker'];
}

/** What the views are made from. */
export interface ViewSources {
  /** Whether any engagement of this principal permits the tool. */
  readonly permits: (who: Principal, tool: AnyTool) => boolean;
  readonly gateState: (tool: string) => GateState;
  readonly limits: (tool: RegisteredTool) => { readonly timeoutMs: number; readonly concurrency: number };
}

/** How tools are shown, the same over every channel. */
export interface ToolViews {
  /** As this principal may use it. */
  summary(tool: RegisteredTool, who: Principal): ToolSummary;
  detail(tool: RegisteredTool, who: Principal): ToolDetail;
}

/** Makes the views over live state. */
export function createToolViews(sources: ViewSources): ToolViews {
  const summary = (tool: RegisteredTool, who: Principal): ToolSummary => {
    const { definition, availability } = tool;
    return {
      name: definition.name,
      title: definition.title,
      risk: definition.risk,
      enabled: tool.enabled,
      available: availability.available,
      permitted: sources.permits(who, definition),
      ...(availability.version === undefined ? {} : { version: availability.version }),
      ...(availability.fault === undefined ? {} : { fault: availability.fault }),
    };
  };
  return {
    summary,
    detail(tool, who) {
      const { definition } = tool;
      const { active, queued, breaker } = sources.gateState(definition.name);
      const { state, failures, retryAfterMs } = breaker;
      return {
        ...summary(tool, who),
        description: definition.description,
        inputSchema: callerSchema(definition.input),
        outputSchema: tool.outputSchema,
        limits: {
          ...sources.limits(tool),
          maxAddresses: definition.limits.maxAddresses,
          maxPorts: definition.limits.maxPorts,
        },
        active,
        queued,
        breaker: { state, failures, ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }) },
        presets: [...(definition.presets ?? [])],
        examples: definition.examples.map(({ title, input }) => ({ title, input })),
      };
    },
  };
}
