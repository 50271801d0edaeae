import type { ToolContext } from '../tool/definition.ts';
import type { RegisteredTool } from '../tool/registry-types.ts';
import type { EngineParts } from './engine-parts.ts';

/** Keeps what one run finds, for its owner. */
export interface OwnedSecrets {
  readonly keep: ToolContext['keepSecret'];
  /** Resolves once everything found so far is durable. Rejects with ERR_STORE_UNAVAILABLE. */
  readonly kept: () => Promise<void>;
}

/** The keeper of one run's secrets: its references are shown only after `kept`. */
export function keepOwned(
  parts: Pick<EngineParts, 'keepSecret'>,
  of: { readonly tool: RegisteredTool; readonly runId: string; readonly owner: string },
): OwnedSecrets {
  const writes: Promise<void>[] = [];
  return {
    keep: (secret) => {
      const { id, kept } = parts.keepSecret({
        owner: of.owner,
        runId: of.runId,
        tool: of.tool.definition.name,
        ...secret,
      });
      // Whoever shows the reference hears of a failure; until then it must not be an unhandled one.
      kept.catch(() => undefined);
      writes.push(kept);
      return id;
    },
    kept: async () => {
      await Promise.all(writes);
    },
  };
}
