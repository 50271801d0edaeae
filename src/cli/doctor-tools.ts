import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../schemas/config.ts';
import { systemClock } from '../core/clock.ts';
import { findConfiner } from '../core/execution/confinement.ts';
import { createExecutor } from '../core/execution/executor.ts';
import { launcherPlaceOf } from '../core/execution/launcher.ts';
import type { LayerState } from '../core/execution/types.ts';
import type { Log } from '../core/log.ts';
import type { AnyTool } from '../core/tool/definition.ts';
import { isSelected } from '../core/tool/patterns.ts';
import { probeTool } from '../core/tool/probe.ts';
import type { ToolAvailability } from '../core/tool/registry-types.ts';
import { confinementOptions } from '../gateway/tool-settings.ts';
import { type Finding, missing, note, ok } from './doctor-finding.ts';
import type { Settings } from './settings.ts';

const SILENT: Log = { info: () => {}, warn: () => {}, error: () => {} };

/** Attacks the confinement and starts every configured tool once, exactly as the gateway does at its start. */
export async function* toolFindings({ config, tools }: Settings, root: string): AsyncGenerator<Finding> {
  yield confinerFinding();
  const scratchParent = await mkdtemp(join(tmpdir(), 'sallyport-doctor-'));
  try {
    const executor = await createExecutor({
      clock: systemClock,
      log: SILENT,
      scratchParent,
      places: 1,
      ...confinementOptions(config.execution),
      launcher: launcherPlaceOf(root),
    });
    for (const layer of executor.layers) yield layerFinding(layer, config);
    for (const tool of tools.filter(({ name }) => isSelected(name, config.tools))) {
      const signal = new AbortController().signal;
      const availability = await probeTool(tool, { executor, clock: systemClock, signal });
      yield describeTool(tool, availability, executor.rawAvailable);
    }
    await executor.close();
  } finally {
    await rm(scratchParent, { recursive: true, force: true });
  }
}

function confinerFinding(): Finding {
  const confiner = findConfiner();
  if (confiner === undefined)
    return missing('util-linux: no prlimit and setpriv, so layer L1 stands on the native launcher alone', 'util-linux');
  return ok(`util-linux: ${confiner.prlimit}, ${confiner.setpriv}`);
}

function layerFinding({ name, state, evidence }: LayerState, { execution }: Config): Finding {
  const text = `layer ${name} ${state}: ${evidence}`;
  if (state === 'proved') return ok(text);
  return execution.require.includes(name) ? missing(text) : note(text);
}

function describeTool(tool: AnyTool, seen: ToolAvailability, rawAvailable: boolean): Finding {
  if (seen.available) return ok(`${tool.name} ${seen.version ?? ''} (${seen.path})`);
  const text = `${tool.name}: ${seen.fault ?? 'not found'}`;
  if (seen.path === undefined) return missing(text, tool.debianPackage);
  // Raw packets are off until the operator wants them: a sound machine is not faulty for that.
  return tool.raw === 'required' && !rawAvailable ? note(text) : missing(text);
}
