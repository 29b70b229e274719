// The network between browser and server: a relay that can be cut. The browser knows only the relay's address, which
// stays the same, so that a page, its service worker and its private files outlive every cut.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Network {
  #relay;
  #open = new Set();
  #cut = false;

  /** True for a network that breaks sockets and lets requests through. */
  breaksSockets = false;

  /** How many it has broken. */
  broken = 0;

  /** Bytes that have come down to the browser. */
  down = 0;

  /** Relays to the port that `server.port` names at the time of each connection. */
  static async to(server) {
    const network = new Network();
    network.#relay = createServer((near) => {
      if (network.#cut) {
        near.destroy();
        return;
      }
      const far = connect(server.port, '127.0.0.1');
      far.on('data', (bytes) => (network.down += bytes.length));
      near.once('data', (head) => {
        if (network.breaksSockets && /^upgrade: *websocket/im.test(head.toString('latin1'))) {
          network.broken++;
          near.destroy();
        }
      });
      for (const [one, other] of [[near, far], [far, near]]) {
        network.#open.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          network.#open.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    network.#relay.listen(0, '127.0.0.1');
    await once(network.#relay, 'listening');
    return network;
  }

  get port() {
    return this.#relay.address().port;
  }

  /** Where the browser finds the server. */
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Breaks every connection and lets no new one through. */
  cut() {
    this.#cut = true;
    for (const socket of this.#open) socket.destroy();
  }

  mend() {
    this.#cut = false;
  }

  async close() {
    this.cut();
    this.#relay.close();
    await once(this.#relay, 'close');
  }
}
