import { FINDING_READS } from './finding-reads.ts';
import { KEY_READS } from './key-reads.ts';
import { OUTPUT_READS } from './output-reads.ts';
import { RUN_READS } from './run-reads.ts';
import { UPKEEP } from './upkeep.ts';

/** Every question to the file. */
export const READS = { ...RUN_READS, ...FINDING_READS, ...OUTPUT_READS, ...KEY_READS, ...UPKEEP };
