import type { TSchema } from '@sinclair/typebox';
import type { Risk } from '../../schemas/risk.ts';
import { toolAnswerSchema } from '../../schemas/run.ts';
import type { Principal } from '../core/auth/types.ts';
import type { RegisteredTool, Registry } from '../core/tool/registry-types.ts';
import type { Cursors } from './cursor.ts';
import type { RunTool } from './run-tool-entries.ts';
import { frozen, type JsonObjectSchema, type ToolEntry } from './tool-entry.ts';

/** How long a client of the modern era may keep the list, milliseconds. */
export const TOOL_LIST_TTL_MS = 5000;

/** One page of tools/list. */
export interface ToolPage {
  readonly tools: readonly ToolEntry[];
  readonly nextCursor?: string;
}

/**
 * The list of offered tools and of the run tools that the principal may call, in the order of their names; every entry
 * is made once and frozen.
 */
export interface ToolList {
  page(principal: Principal, cursor: string | undefined): ToolPage;
  /** Called when the list became another one. Returns the way to stop listening. */
  onChange(listener: () => void): () => void;
  /** Listeners now. */
  readonly listeners: number;
  close(): void;
}

/** Which tools a principal may call at all, and when that changes. */
export interface Permits {
  allows(who: Principal, tool: string): boolean;
  onChange(listener: () => void): () => void;
}

/** What the list is made with besides the registry. */
export interface ToolListFrame {
  readonly cursors: Cursors;
  /** Entries of one page. */
  readonly pageSize: number;
  /** Tools of ours that are there. */
  readonly own: readonly RunTool[];
  /** Whether any engagement of this principal permits the tool. A tool that it may not call would only cost context. */
  readonly permits?: Permits | undefined;
}

/** The list over a registry, page by page. */
export function createToolList(registry: Registry, frame: ToolListFrame): ToolList {
  const { cursors, pageSize, own, permits } = frame;
  const listeners = new Set<() => void>();
  const known = new WeakMap<RegisteredTool['definition'], ToolEntry>();
  let entries: readonly ToolEntry[] = [];
  // Compared at each use too: a reloaded configuration changes what is offered without an event of the registry.
  const refresh = () => {
    const fresh = registry.offered().map((tool) => known.get(tool.definition) ?? remember(known, tool));
    fresh.sort(byName);
    if (fresh.length === entries.length && fresh.every((entry, index) => entry === entries[index])) return;
    entries = Object.freeze(fresh);
    for (const listener of listeners) listener();
  };
  refresh();
  const stops = [
    registry.onChange(refresh),
    // Whose list it is that became another one, each client sees when it asks.
    permits?.onChange(() => {
      refresh();
      for (const listener of listeners) listener();
    }),
  ];
  return {
    page: (principal, cursor) => {
      refresh();
      // Keyset pagination: a tool that appears or goes between two pages neither repeats nor hides another one.
      const after = cursor === undefined ? undefined : cursors.open(principal.id, cursor);
      const mine = entries.filter(({ name }) => permits?.allows(principal, name) ?? true);
      const all = [...mine, ...ownEntries(own, principal)].sort(byName);
      const rest = after === undefined ? all : all.filter((entry) => entry.name > after);
      const tools = rest.slice(0, pageSize);
      const last = tools.at(-1);
      if (last === undefined || tools.length === rest.length) return { tools };
      return { tools, nextCursor: cursors.seal(principal.id, last.name) };
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    get listeners() {
      return listeners.size;
    },
    close: () => {
      for (const stop of stops) stop?.();
    },
  };
}

/** A tool that it may not call would only cost a model's context. */
function ownEntries(own: readonly RunTool[], { scopes }: Principal): ToolEntry[] {
  return own.filter(({ scope }) => scopes.has(scope)).map(({ entry }) => entry);
}

function byName(one: ToolEntry, other: ToolEntry): number {
  return one.name < other.name ? -1 : 1;
}

function remember(known: WeakMap<RegisteredTool['definition'], ToolEntry>, tool: RegisteredTool): ToolEntry {
  const entry = entryOf(tool);
  known.set(tool.definition, entry);
  return entry;
}

function entryOf({ definition, inputSchema }: RegisteredTool): ToolEntry {
  const { name, title, description, risk } = definition;
  // Through JSON: what goes over the wire, without the symbols that TypeBox puts into its schemas.
  return frozen({
    name,
    title,
    description,
    inputSchema: JSON.parse(JSON.stringify(inputSchema)) as JsonObjectSchema,
    outputSchema: JSON.parse(JSON.stringify(toolAnswerSchema<TSchema>(definition.output))) as JsonObjectSchema,
    annotations: { title, ...hintsOf(risk) },
  });
}

/** Hints for a client's own caution; the policy never reads them. Every tool touches machines that are not ours. */
function hintsOf(risk: Risk) {
  return {
    readOnlyHint: risk === 'observe',
    destructiveHint: risk === 'intrusive' || risk === 'exploit',
    openWorldHint: true,
  };
}
