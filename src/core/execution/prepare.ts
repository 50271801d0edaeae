import { writeFile } from 'node:fs/promises';
import type { RunCgroup } from './cgroup.ts';
import { type ChainRequest, egressRulesOf } from './chain.ts';
import { removeTree } from './remove-tree.ts';
import type { RunSetting } from './run-setting.ts';
import { createScratch } from './scratch.ts';
import type { Command } from './types.ts';

/** What was made for one run before its process starts. */
export interface Prepared extends ChainRequest {
  readonly cgroup: RunCgroup | undefined;
}

const RULES_FILE = 'egress.nft';

/** Makes the working directory, the control group and the egress rules of one run; leaves nothing when it throws. */
export async function prepareRun(setting: RunSetting, command: Command, scratch: string): Promise<Prepared> {
  const { means } = setting;
  await createScratch({ path: scratch, files: command.files ?? [] });
  try {
    const rules = egressRulesOf(means, command);
    const rulesFile = `${scratch}/${RULES_FILE}`;
    // Loaded before anything of the tool runs; what the tool does to the file afterwards changes nothing.
    if (rules !== undefined) await writeFile(rulesFile, rules, { flag: 'wx', mode: 0o600 });
    const cgroup = means.cgroups?.create(command.runId, setting.cgroupLimits);
    return {
      command,
      scratch,
      cgroup,
      cgroupProcs: cgroup?.procs ?? [],
      egressRules: rules === undefined ? undefined : rulesFile,
    };
  } catch (error) {
    await removeTree(scratch);
    throw error;
  }
}
