// The writing tab goes, over and over, while the others save: forty times, or as often as WARDBOOK_WRITERS says. A tab
// here is what a tab is without its screen: the app's own worker, four of them in one page. The writer is ended in the
// midst of saves, at a random moment; sometimes the next one with it, or while it takes over. There is one writer at all
// times, no call fails, whoever opens a form is shown the last save, and at the end the server has each save once, with
// nothing beside another. WARDBOOK_SEED plays the same moments again, as far as the machine lets it.
import assert from 'node:assert/strict';
import { signIn } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

const changes = Number(process.env.WARDBOOK_WRITERS ?? 40);
const seed = Number(process.env.WARDBOOK_SEED ?? Date.now() % 2 ** 31);

await journey(async ({ demo, enter }) => {
  const { browser: officer, tab } = await enter('officer.a');
  await tab.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  const script = tab.page.workers().map((worker) => worker.url()).find((url) => url.endsWith('/worker.js'));

  // A page of the app's origin that is not the app.
  const { page } = await officer.tab('/icon.svg');
  page.setDefaultTimeout(0);
  await page.evaluate(tabs, { script, account: 'officer.a', seed });
  for (let n = 0; n < 4; n++) await page.evaluate(() => window.tabs.begin());
  await tab.page.close();
  const began = Date.now();
  for (let told = 0, done = 0; done < changes; ) {
    done = await page.evaluate(() => window.tabs.round());
    if (done >= told + 100) console.log(`${(told = done)} changes of the writer after ${Math.round((Date.now() - began) / 1000)} s`);
  }
  const { writers, records, ended, taking } = await page.evaluate(() => window.tabs.end());

  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  let kept = 0;
  for (const { id, saved, asked } of records) {
    const { steps, truncated } = await supervisor('GET', `/api/v1/records/${id}/history`);
    assert.ok(!truncated);
    const there = steps.filter(({ field }) => field === 'other_name').map(({ value }) => value);
    for (const value of saved) assert.equal(there.filter((each) => each === value).length, 1, `${value} of ${id}, once, with seed ${seed}`);
    // A tab that went while it saved heard no answer: its save is there or not, and nothing else is.
    assert.equal(new Set(there).size, there.length, `something twice among ${there}, with seed ${seed}`);
    for (const value of there) assert.ok(asked.includes(value), `${value} of ${id}, which nobody wrote, with seed ${seed}`);
    const states = steps.filter(({ field }) => field === 'other_name').map(({ state }) => state);
    assert.equal(states.filter((state) => state !== 'superseded').join(), 'current', `values of ${id} beside each other, with seed ${seed}`);
    kept += saved.length;
  }
  assert.ok(writers >= changes, `${writers} writers told of themselves`);
  assert.deepEqual(officer.complaints, []);
  console.log(`${writers} changes of the writer in ${Math.round((Date.now() - began) / 1000)} s: ${kept} saves were acknowledged and are there once; ${ended} tabs were ended, ${taking} of them while they took over`);
});

/** Runs in the page: tabs without a screen, and what they do. */
async function tabs({ script, account, seed }) {
  const here = new URL('.', script);
  const version = here.pathname.split('/').at(-2);
  const lock = `wardbook-writer-${version}-${account}`;
  const worker = self.trustedTypes ? trustedTypes.createPolicy('wardbook', { createScriptURL: (url) => url }).createScriptURL(script) : script;
  const within = 90_000; // ms in which a call is answered, whatever became of the writer
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  let state = seed;
  /** A random number below `n`: mulberry32. */
  const random = (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };

  let writers = 0;
  new BroadcastChannel(`wardbook-${version}-${account}`).onmessage = ({ data }) => 'writer' in data && writers++;

  class Tab {
    #worker = new Worker(worker, { name: 'wardbook' });
    #waiting = new Map();
    #last = 0;
    id = ''; // of its locks
    over = false;

    constructor(record) {
      this.record = record;
      this.#worker.onmessage = ({ data }) => {
        if (data.event === 'failure') this.failure = data.data;
        if (!('id' in data)) return;
        this.#waiting.get(data.id)?.(data.answer);
        this.#waiting.delete(data.id);
      };
      this.#worker.onerror = ({ message }) => (this.failure = message);
      this.#worker.postMessage({ start: { lang: 'vi', version, client: new URL('client.wasm', here).href, sqlite: new URL('mc-wa-sqlite.wasm', here).href, fresh: false } });
    }

    /** Asks the worker; answers nothing when the tab has been ended. */
    async call(name, args = null) {
      const id = ++this.#last;
      const answered = new Promise((resolve) => this.#waiting.set(id, resolve));
      this.#worker.postMessage({ ask: { id, name, args } });
      const answer = await Promise.race([answered, sleep(within).then(() => null)]);
      if (this.over) return undefined;
      if (this.failure) throw new Error(`a tab failed: ${JSON.stringify(this.failure)}`);
      if (!answer) throw new Error(`${name} was not answered in ${within} ms`);
      if ('error' in answer) throw new Error(`${name}: ${JSON.stringify(answer.error)}`);
      return answer.ok;
    }

    /** Ends it as the browser does: at once. */
    end() {
      this.over = true;
      this.#worker.terminate();
      for (const resolve of this.#waiting.values()) resolve(null);
    }
  }

  let open = [];
  const records = []; // what was written: {id, saved, asked}
  const known = new Set(); // ids of who has, waits for or has had the lock
  let ended = 0;
  let taking = 0;

  const locks = async () => {
    const { held, pending } = await navigator.locks.query();
    const of = (all) => all.filter(({ name }) => name === lock).map(({ clientId }) => clientId);
    if (of(held).length > 1) throw new Error(`${of(held).length} writers at once`);
    return { held: of(held)[0], all: [...of(held), ...of(pending)] };
  };

  /** Opens one more tab, for a record that no open tab has. */
  async function begin() {
    const tab = new Tab(records.find((record) => record.asked.length < 100 && !open.some((other) => other.record === record)));
    while (!(await tab.call('session'))) await sleep(20); // it waits at the sign-in page until somebody lets it in
    while (!tab.id) {
      [tab.id] = (await locks()).all.filter((id) => !known.has(id));
      await sleep(5);
    }
    known.add(tab.id);
    if (!tab.record) {
      const { key } = await tab.call('open', { register: 'residents' });
      const { id } = await tab.call('save', { key, values: { full_name: `Đặng Thị Thẻ ${records.length + 1}` }, submit: false });
      tab.record = { id, saved: [], asked: [] };
      records.push(tab.record);
    }
    open.push(tab);
  }
  /** Opens the tab's record, looks at what it says, and saves another value. */
  async function save(tab) {
    const { record } = tab;
    const form = await tab.call('open', { id: record.id });
    if (!form) return;
    const shown = form.values.other_name ?? '';
    const last = record.saved.at(-1) ?? '';
    const since = record.asked.slice(record.asked.indexOf(last) + 1); // asked by who went before it was answered
    if (shown !== last && !since.includes(shown)) throw new Error(`a form shows ${shown || 'nothing'}, after ${last} was saved`);
    const value = `Lần ${record.asked.length + 1}`;
    record.asked.push(value);
    const reply = await tab.call('save', { key: form.key, values: { other_name: value }, submit: false });
    if (!reply) return;
    if (!reply.saved) throw new Error(`${value} was not saved`);
    record.saved.push(value);
  }

  /** Ends the tab that has the lock. */
  async function endWriter() {
    const { held } = await locks();
    const writer = open.find(({ id }) => id === held);
    if (!writer) return false; // nobody has it at this moment
    writer.end();
    open = open.filter((tab) => tab !== writer);
    ended++;
    return true;
  }

  /** Everybody saves and the writer goes, and as many as went are opened again. Returns how many changes there were. */
  async function round() {
    const saves = open.map(save);
    await sleep(random(60));
    await endWriter();
    if (random(4) === 0) {
      await sleep(random(500)); // the next one has begun, or is there
      const before = writers;
      if (await endWriter()) taking += writers === before ? 1 : 0;
    }
    await Promise.all(saves);
    // What is saved is there for everybody, whoever saved it.
    for (const { id, saved, asked } of open.map(({ record }) => record)) {
      const { fields } = await open[random(open.length)].call('get', { id });
      const held = fields.find(({ name }) => name === 'other_name').value;
      if (asked.indexOf(held) < asked.indexOf(saved.at(-1))) throw new Error(`${held || 'nothing'} is there after ${saved.at(-1)} was saved`);
    }
    while (open.length < 4) await begin();
    return writers;
  }

  async function end() {
    await Promise.all(open.map(save));
    for (;;) {
      const { synced, unsent } = await open[0].call('status');
      if (synced && !unsent) break;
      await sleep(200);
    }
    return { writers, records, ended, taking };
  }

  known.add((await locks()).held); // the app's own tab
  window.tabs = { begin, round, end };
}
