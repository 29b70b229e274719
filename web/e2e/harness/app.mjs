// The app as a person uses it, in a real browser on a profile of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './api.mjs';
import { Demo } from './demo.mjs';
import { Network } from './network.mjs';

/** Whether the journeys run in Firefox: BROWSER=firefox. Otherwise in Chromium. */
export const firefox = process.env.BROWSER === 'firefox';
const { launchOn } = await import(firefox ? './firefox.mjs' : './chromium.mjs');

/** What browsers say of requests that reached nobody: first Chromium, then Firefox. */
const noNetwork = /Failed to load resource|WebSocket connection to|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION|^Firefox can’t establish a connection|The connection to wss?:\S+ was interrupted/;

/** One person's browser: a profile that outlives the browser, and the pages that are open in it. */
export class Browser {
  context = null;

  /** `line` is its own line to the network, for a browser that cannot be taken off the network otherwise. */
  constructor(url, profile, line = null) {
    this.url = url;
    this.profile = profile;
    this.line = line;
    /** What pages reported that no page should: errors, refused content. */
    this.complaints = [];
  }

  /** A browser that reaches the server over the network. */
  static async make(network) {
    // Firefox can be told that it is offline, but a service worker's requests go through all the same.
    const line = firefox ? await Network.to(network) : null;
    const browser = new Browser((line ?? network).url, await mkdtemp(join(tmpdir(), 'wardbook-profile-')), line);
    await browser.start();
    return browser;
  }

  /** Takes it off the network, or puts it back. */
  async offline(off) {
    if (off) this.line?.cut();
    else this.line?.mend();
    await this.context.setOffline(off);
  }

  async start(options = {}) {
    this.context = await launchOn(this.profile, { viewport: { width: 1280, height: 800 }, locale: 'vi-VN', timezoneId: 'Asia/Ho_Chi_Minh', ...options });
    this.context.setDefaultTimeout(20_000);
    this.context.on('page', (page) => this.#listen(page));
    for (const page of this.context.pages()) this.#listen(page);
  }

  #listen(page) {
    page.on('pageerror', (error) => this.#complain('page', error.stack ?? error.message));
    page.on('console', (message) => message.type() === 'error' && this.#complain('console', message.text()));
  }

  /** Notes an error, unless it only says that there is no network. */
  #complain(where, text) {
    if (!noNetwork.test(text)) this.complaints.push(`${where}: ${text}`);
  }

  /** Closes the browser as a person would; its profile stays. */
  async stop() {
    await this.context?.close();
    this.context = null;
  }

  async remove() {
    await this.stop().catch(() => {});
    await this.line?.close();
    await rm(this.profile, { recursive: true, force: true });
  }

  /** Opens the app in a new tab. */
  async tab(path = '/') {
    const first = this.context.pages().find((page) => page.url() === 'about:blank');
    const page = first ?? (await this.context.newPage());
    await page.goto(this.url + path);
    return new Tab(page);
  }
}

/** One tab with the app in it. */
export class Tab {
  constructor(page) {
    this.page = page;
  }

  /** Signs in over the network, on a device that does not know the account. */
  async signIn(name, password, { borrowed = false } = {}) {
    const { page } = this;
    const other = page.getByRole('button', { name: 'Tài khoản khác' });
    const field = page.locator('input[name=name]');
    await other.or(field).first().waitFor();
    if (await other.isVisible()) await other.click();
    await field.fill(name);
    await page.locator('input[name=password]').fill(password);
    if (borrowed) await page.locator('input[name=borrowed]').check();
    await page.getByRole('button', { name: 'Đăng nhập', exact: true }).click();
    await this.entered();
  }

  /** Opens an account that has signed in here before; needs no network. */
  async unlock(display, password) {
    const { page } = this;
    await page.getByRole('button', { name: display }).click();
    await page.locator('input[name=password]').fill(password);
    await page.getByRole('button', { name: 'Mở khóa' }).click();
    await this.entered();
  }

  /** Signs out; with unsent work it agrees to leave that on the device. */
  async signOut() {
    const { page } = this;
    await page.locator('details.who summary').click();
    await page.locator('details.who').getByRole('button', { name: 'Đăng xuất' }).click();
    await page.locator('wb-asker dialog[open] button', { hasText: 'Đăng xuất' }).or(page.locator('wb-asker dialog[open] button.danger')).first().click();
    await page.locator('wb-sign-in').waitFor();
  }

  /** Waits until the frame of a signed-in person is there, or fails with what the sign-in page says. */
  async entered() {
    const frame = this.page.locator('.app');
    const refusal = this.page.locator('wb-sign-in [role=alert]');
    await frame.or(refusal).first().waitFor();
    if (await refusal.isVisible()) throw new Error(`sign-in: ${await refusal.innerText()}`);
  }

  /** What the line at the foot says, and its colour. */
  async status() {
    const line = this.page.locator('wb-status button.status');
    const words = (await line.locator('.status-words').innerText()).trim();
    const tone = (await line.getAttribute('class')).match(/status-(green|blue|amber|red)/)?.[1];
    return { words, tone };
  }

  /** Waits until the line at the foot says something that matches. */
  async says(pattern, timeout = 30_000) {
    const until = Date.now() + timeout;
    for (;;) {
      const { words } = await this.status();
      if (pattern.test(words)) return words;
      if (Date.now() > until) throw new Error(`the status line says “${words}”, want ${pattern}`);
      await this.page.waitForTimeout(50);
    }
  }

  /** Goes to a register's list, and waits until it is that one and no record stands beside it. */
  async register(id) {
    const address = `#/register/${id}`;
    await this.page.goto(this.page.url().split('#')[0] + address);
    await this.page.locator(`.nav-registers a[href="${address}"][aria-current=page]`).waitFor({ state: 'attached' });
    await this.page.locator('wb-register .split:not(.split-open) wb-rows').waitFor();
  }

  /** The titles of the rows that are drawn. */
  async titles() {
    return this.page.locator('wb-rows .row-title').allInnerTexts();
  }

  /** Searches the open list, and waits until the hits and their number are there. */
  async search(text) {
    await this.page.locator('.search input').fill(text);
    await this.page.locator('wb-rows[aria-busy=false]').waitFor();
    await this.page.locator('.count', { hasText: 'Tìm thấy' }).waitFor();
  }

  /** The form's control for the field with that name in the definition. */
  field(name) {
    return this.page.locator(`#f-${name}`);
  }

  /** Opens the row at that place of the list. */
  async openRow(index) {
    const href = await this.page.locator('wb-rows .row').nth(index).getAttribute('href');
    await this.page.locator(`wb-rows .row[href="${href}"]`).click();
    await this.form(decodeURIComponent(href.split('/').at(-1)));
  }

  /** Opens a record by its id. */
  async open(register, id) {
    await this.page.goto(`${this.page.url().split('#')[0]}#/register/${register}/${id}`);
    await this.form(id);
  }

  /** Waits for the form of the record `id`, or for any where there was none before. */
  async form(id) {
    await this.page.locator(`wb-record article.record${id ? `[data-record="${id}"]` : ''}`).waitFor();
  }

  /** The id of the open record. */
  recordID() {
    return decodeURIComponent(this.page.url().split('?')[0].split('/').at(-1));
  }

  /** Waits until a field of the open record holds that value. */
  async holds(name, value) {
    await until(() => this.field(name).inputValue(), (held) => held === value, `${name} does not become “${value}”`);
  }

  /** Types into a field and leaves it. */
  async type(name, text) {
    await this.field(name).fill(text);
    await this.field(name).blur();
  }

  /** Shows a masked field of the open record, and returns what it says. */
  async reveal(name) {
    const field = this.page.locator('wb-field').filter({ has: this.field(name) });
    await field.getByRole('button', { name: 'Hiện' }).click();
    await field.getByRole('button', { name: 'Hiện' }).waitFor({ state: 'detached' });
    const shown = this.field(name);
    return (await shown.evaluate((element) => element.value ?? element.innerText)).replaceAll(' ', '');
  }

  /** Saves the open form, and waits until it is saved. */
  async save({ submit = false } = {}) {
    await this.page.getByRole('button', { name: submit ? 'Lưu và trình duyệt' : 'Lưu', exact: true }).click();
    await this.page.locator('wb-record article[aria-busy=false] .record-foot .main:disabled').waitFor();
  }

  /** Begins a new record. */
  async begin(register) {
    await this.page.goto(`${this.page.url().split('#')[0]}#/new/${register}`);
    await this.page.locator('wb-record article.record').getByText('chưa lưu', { exact: true }).waitFor(); // not the form before
  }

  /** Creates a record from values by field name, and leaves it open. */
  async create(register, values) {
    await this.begin(register);
    for (const [name, text] of Object.entries(values)) await this.type(name, text);
    await this.save();
    await this.page.waitForURL(/#\/register\//);
  }

  /** Creates a record as create does, waits until the server has received it, and returns its id. */
  async received(register, values) {
    await this.create(register, values);
    await this.stands(/đã nhận/);
    return this.recordID();
  }

  /** Where the open record stands. */
  async way() {
    return (await this.page.locator('wb-record .way').first().innerText()).trim();
  }

  /** Waits until the open record stands where the pattern says. */
  async stands(pattern, timeout = 20_000) {
    const until = Date.now() + timeout;
    for (;;) {
      const way = await this.way();
      if (pattern.test(way)) return way;
      if (Date.now() > until) throw new Error(`the record stands “${way}”, want ${pattern}`);
      await this.page.waitForTimeout(50);
    }
  }
}

/** Runs a journey over a fresh server and network, with the browsers that it asks for, and removes them after it whatever happens. `options` are the demonstration's. */
export async function journey(travel, options = {}) {
  const made = [];
  try {
    const demo = await Demo.start(options);
    made.push(() => demo.remove());
    const network = await Network.to(demo);
    made.push(() => network.close());
    const browser = async () => {
      const b = await Browser.make(network);
      made.push(() => b.remove());
      return b;
    };
    /** Somebody in a browser of their own: signed in, and all of their records are here. */
    const enter = async (name) => {
      const b = await browser();
      const tab = await b.tab();
      await tab.signIn(name, demo.passwords[name]);
      await tab.says(/Đã đồng bộ/);
      return { browser: b, tab, page: tab.page };
    };
    await travel({ demo, network, browser, enter });
  } catch (error) {
    console.error(error.stack ?? error);
    process.exitCode = 1;
  } finally {
    for (const undo of made.reverse()) await undo().catch((error) => console.error(`cleaning up: ${error.message}`));
  }
}
