// The network between browser and server: a relay that can be cut. The browser knows only the relay's address, which
// stays the same, so that a page, its service worker and its private files outlive every cut.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

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

  /** kbit/s that all connections share, each way, from those that are made next; 0 for as fast as it goes. */
  kbits = 0;
  #busy = { up: 0, down: 0 }; // until when each way is taken

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
      for (const [one, other, way] of [[near, far, 'up'], [far, near, 'down']]) {
        network.#open.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          network.#open.delete(one);
          other.destroy();
        });
        if (network.kbits) one.pipe(network.#slow(way)).pipe(other);
        else one.pipe(other);
      }
    });
    network.#relay.listen(0, '127.0.0.1');
    await once(network.#relay, 'listening');
    return network;
  }

  /** A stretch of the line that carries no more than `kbits`, a packet of one connection after one of another. */
  #slow(way) {
    const network = this;
    return new Transform({
      highWaterMark: 1400,
      async transform(bytes, _, done) {
        for (let at = 0; at < bytes.length; at += 1400) {
          const packet = bytes.subarray(at, at + 1400);
          if (network.kbits) network.#busy[way] = Math.max(network.#busy[way], Date.now()) + (packet.length * 8) / network.kbits;
          if (network.kbits) await sleep(network.#busy[way] - Date.now());
          this.push(packet);
        }
        done();
      },
    });
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
