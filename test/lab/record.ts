import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = '/run/sallyport-lab';

/** What a lab has put on the machine, written before the first of it is made: a crash leaves nothing unknown. */
export interface LabRecord {
  readonly id: string;
  /** The process that owns the lab, and its start time, because pids come again. */
  readonly pid: number;
  readonly startedAt: string;
  readonly directory: string;
  readonly attacker: string;
  readonly target: string;
  readonly user: string;
}

/** Start time of a process in clock ticks since boot, field 22 of proc(5) stat; undefined when there is none. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Writes the record of a new lab. */
export function remember(record: LabRecord): void {
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o700 });
  writeFileSync(join(DIRECTORY, `${record.id}.json`), JSON.stringify(record), { mode: 0o600 });
}

/** Removes the record of a lab that is gone. */
export function forget(record: LabRecord): void {
  rmSync(join(DIRECTORY, `${record.id}.json`), { force: true });
}

/** Records whose owner has ended without cleaning up. */
export function orphans(): readonly LabRecord[] {
  return all().filter((record) => startTimeOf(record.pid) !== record.startedAt);
}

function all(): readonly LabRecord[] {
  try {
    return readdirSync(DIRECTORY)
      .filter((name) => name.endsWith('.json'))
      .flatMap(readRecord);
  } catch {
    return [];
  }
}

function readRecord(name: string): readonly LabRecord[] {
  try {
    return [JSON.parse(readFileSync(join(DIRECTORY, name), 'utf8')) as LabRecord];
  } catch {
    // Half-written by a lab that is starting now, or removed since the listing.
    return [];
  }
}
