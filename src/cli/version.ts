import { VERSION } from '../version.ts';
import { type Command, EXIT, parseOptions, requireNoWords } from './command.ts';

/** `version`: prints the version of the gateway and of the Node that runs it. */
export const version: Command = async ({ args, out }) => {
  requireNoWords(parseOptions(args, {}).positionals);
  out(`sallyport ${VERSION} (node ${process.versions.node})`);
  return EXIT.ok;
};
