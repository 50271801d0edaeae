/**
 * The namespace's half of the bridge: takes connections from a UNIX socket and makes them to a TCP port of this
 * namespace's loopback. A UNIX socket of the file system is reached from every network namespace.
 * Arguments: path of the socket, port.
 */
import { connect, createServer } from 'node:net';
import { pipeBoth } from './pipe-both.ts';

const [path = '', port = ''] = process.argv.slice(2);

createServer({ allowHalfOpen: true }, (client) => {
  pipeBoth(client, connect({ host: '127.0.0.1', port: Number(port), allowHalfOpen: true }));
}).listen(path);
