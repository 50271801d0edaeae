import type { TSchema } from '@sinclair/typebox';
import { isAbove, type Risk } from '../../../schemas/risk.ts';
import { type RunOptions, runResultSchema } from '../../../schemas/run.ts';
import { SallyportError } from '../errors.ts';
import type { AnyTool } from './definition.ts';
import { argumentsSchema, callerSchema, runSchema } from './input-schema.ts';
import { createValidator, inputInvalid } from './input-validator.ts';
import type { RegisteredTool, Registry, ToolAvailability } from './registry-types.ts';

/** What the registry is made of. */
export interface RegistryOptions {
  /** In any order; they are listed by name. */
  readonly tools: readonly AnyTool[];
  /** The ceiling in force now: it may change while the gateway runs. */
  readonly riskCeiling: () => Risk;
  /** Whether a tool starts enabled. */
  readonly isEnabled: (name: string) => boolean;
}

interface State {
  readonly fixed: Omit<RegisteredTool, 'enabled' | 'availability'>;
  enabled: boolean;
  availability: ToolAvailability;
}

/** Compiles every tool's schemas once and keeps its state. A tool is unavailable until a probe has said otherwise. */
export function createRegistry(options: RegistryOptions): Registry {
  const states = initialStates(options);
  const listeners = new Set<(name: string) => void>();
  const stateOf = (name: string): State => states.get(name) ?? unknownTool(name);
  const change = (name: string, apply: (state: State) => boolean): void => {
    if (!apply(stateOf(name))) return;
    for (const listener of listeners) listener(name);
  };

  return {
    all: () => [...states.values()].map(view),
    offered: () => {
      const ceiling = options.riskCeiling();
      return [...states.values()]
        .filter((state) => state.enabled && state.availability.available)
        .filter((state) => !isAbove(state.fixed.definition.risk, ceiling))
        .map(view);
    },
    get: (name) => view(stateOf(name)),
    setEnabled: (name, enabled) =>
      change(name, (state) => {
        const changed = state.enabled !== enabled;
        state.enabled = enabled;
        return changed;
      }),
    setAvailability: (name, availability) =>
      change(name, (state) => {
        const changed = !isSameAvailability(state.availability, availability);
        state.availability = availability;
        return changed;
      }),
    onChange: (listener) => {
      // A closure of its own, so that the same function registered twice is also removed one by one.
      const own = (name: string): void => listener(name);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}

function view(state: State): RegisteredTool {
  return { ...state.fixed, enabled: state.enabled, availability: state.availability };
}

function initialStates(options: RegistryOptions): ReadonlyMap<string, State> {
  const states = new Map<string, State>();
  for (const definition of [...options.tools].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (states.has(definition.name)) {
      throw new SallyportError('ERR_CONFIG_INVALID', `Tool ${definition.name} is defined twice.`);
    }
    states.set(definition.name, {
      fixed: compile(definition),
      enabled: options.isEnabled(definition.name),
      availability: { available: false, fault: 'It was not probed yet.', probedAt: 0 },
    });
  }
  return states;
}

function compile(definition: AnyTool): State['fixed'] {
  const validateInput = createValidator(callerSchema(definition.input));
  const validateRun = createValidator(runSchema(definition), '/run');
  return {
    definition,
    inputSchema: argumentsSchema(definition),
    outputSchema: runResultSchema<TSchema>(definition.output),
    split: splitArguments,
    validate: (input, run) => {
      const checked = validateInput(input);
      const faults = definition.check?.(checked) ?? [];
      if (faults.length > 0) throw inputInvalid(faults.map((message) => ({ path: '', message })));
      return { input: checked, run: validateRun(run ?? {}) };
    },
  };
}

function splitArguments(args: unknown): { input: unknown; run: RunOptions | undefined } {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return { input: args, run: undefined };
  // Own properties only: an inherited `run` (prototype pollution, CWE-1321) must not choose how something runs.
  if (!Object.hasOwn(args, 'run')) return { input: args, run: undefined };
  const { run, ...input } = args as { run: unknown };
  return { input, run: run as RunOptions | undefined };
}

function isSameAvailability(a: ToolAvailability, b: ToolAvailability): boolean {
  return a.available === b.available && a.path === b.path && a.version === b.version && a.fault === b.fault;
}

function unknownTool(name: string): never {
  throw new SallyportError('ERR_TOOL_UNKNOWN', `There is no tool ${JSON.stringify(name.slice(0, 64))}.`);
}
