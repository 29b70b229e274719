// A large ward on one device: first synchronisation, start without a network, list, search, open, save and scroll, as
// the page shows them, in Chromium on OPFS. Prints each figure beside its budget, at full speed and with the renderer
// slowed four times. Nothing here passes or fails: a figure over its budget is marked.
//
//   node e2e/measure/ward.mjs [RECORDS]        100000 if not said
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { Browser } from '../harness/app.mjs';
import { Brake, isRenderer } from '../harness/brake.mjs';
import { Demo } from '../harness/demo.mjs';
import { Network } from '../harness/network.mjs';
import { processesOn } from '../harness/processes.mjs';

const records = Number(process.argv[2] ?? 100_000);
const SLOW = 4;

const ms = (n) => `${n < 10 ? n.toFixed(1) : Math.round(n)} ms`;
const quantile = (list, q) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(q * list.length))];

/** Rows of the table: what, budget in ms, and the figures of each speed. */
const table = new Map();
function note(what, speed, text, { budget, value } = {}) {
  const row = table.get(what) ?? { budget };
  row[speed] = text + (budget !== undefined && value > budget ? ' (over)' : '');
  table.set(what, row);
}
const times = (what, speed, list, { budget, q = 0.5, of = 'p50' } = {}) =>
  note(what, speed, `${of} ${ms(quantile(list, q))}, max ${ms(Math.max(...list))}`, { budget, value: quantile(list, q) });

/** Runs in the page before anything else: when the first row stands in the list. */
function watchFirstRow() {
  const look = new MutationObserver(() => {
    if (!document.querySelector('wb-rows .row-title')) return;
    window.__firstRow = performance.now();
    look.disconnect();
  });
  look.observe(document, { childList: true, subtree: true });
}

/** ms from typing into the search field to the new rows. */
const searched = (page, text) =>
  page.evaluate(async (text) => {
    const input = document.querySelector('.search input');
    const list = document.querySelector('wb-rows');
    const began = performance.now();
    input.value = text;
    input.dispatchEvent(new InputEvent('input', { bubbles: true }));
    await new Promise((resolve) => queueMicrotask(resolve));
    for (const end = began + 60_000; ; ) {
      await new Promise((resolve) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => resolve();
        channel.port2.postMessage(0);
      });
      if (list.getAttribute('aria-busy') === 'false' && performance.now() > began + 0.1) break;
      if (performance.now() > end) throw new Error(`no answer to ${text}`);
    }
    return { took: performance.now() - began, rows: list.querySelectorAll('.row-title').length, said: document.querySelector('.count').innerText };
  }, text);

/** Waits until the number of hits is known. */
const counted = (page) => page.waitForFunction(() => !/đang đếm/.test(document.querySelector('.count').innerText));

const prefixes = ['nguyen', 'tr', 'dang thi', 'phuong', 'quynh', 'uyen', 'khoa', 'vinh vien', 'le hong', 'hu', 'oanh', 'ta thi dung', 'chau bich', 'lam kh', 'zzz'];
const substrings = ['guye', 'hanh', 'uynh', 'ong t', '12345', '0903', '987654', 'oan anh', 'xyz'];
const keys = ['n', 'ng', 'ngu', 'nguy', 'nguye', 'nguyen', 'nguyen t', 'nguyen th', 'nguyen thi', 'nguyen thi h', 'nguyen thi ho', 'nguyen thi hoa'];

async function searches(page, speed) {
  for (const [what, list, budget] of [['search, a word prefix', prefixes, 50], ['search, any substring', substrings, 400]]) {
    const took = [];
    for (let round = 0; round < 3; round++) {
      for (const text of list) {
        await searched(page, '');
        await counted(page);
        took.push({ text, ...(await searched(page, text)) });
      }
    }
    times(what, speed, took.map((t) => t.took), { budget });
    const worst = took.reduce((a, b) => (b.took > a.took ? b : a));
    note(`${what}, the slowest`, speed, `“${worst.text}”, ${ms(worst.took)}`);
  }
  // Somebody types on: a key each 60 ms; the last one must not wait for those before.
  const last = [];
  for (let round = 0; round < 5; round++) {
    await searched(page, '');
    await counted(page);
    await page.evaluate(async (keys) => {
      const input = document.querySelector('.search input');
      for (const text of keys) {
        input.value = text;
        input.dispatchEvent(new InputEvent('input', { bubbles: true }));
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
    }, keys.slice(0, -1));
    last.push((await searched(page, keys.at(-1))).took);
  }
  times('search, the last of 12 keys typed fast', speed, last, { budget: 50 });
  await searched(page, '');
}

/** ms from a click on the i-th of the first rows to its form. */
const opened = (page, i) =>
  page.evaluate(async (i) => {
    const row = document.querySelectorAll('wb-rows .row')[i % 8];
    const began = performance.now();
    row.click();
    const wanted = row.getAttribute('href');
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve));
      const form = document.querySelector('wb-record');
      if (location.hash === wanted && form?.querySelector('article.record h1') && form.querySelector('article.record h1').innerText === row.querySelector('.row-title').innerText) break;
      if (performance.now() - began > 30_000) throw new Error('the form does not open');
    }
    return performance.now() - began;
  }, i);

async function opens(page, speed) {
  const took = [];
  for (let i = 0; i < 20; i++) took.push(await opened(page, i));
  times('open a record', speed, took);
}

/** How many saves are timed: with fewer than a hundred, the 99th percentile is the slowest of them. */
const SAVES = 200;

/**
 * ms from the click on save until the page says that it is on the device, in one record after the other: one that waits
 * for the network with hundreds of changes takes longer with each. The page is told of what it waits for by what
 * changes in it: asking again and again took a CPU from the worker, and its garbage was collected within the time.
 */
async function saves(page, speed) {
  const took = [];
  for (let i = 0; i < SAVES; i++) {
    await opened(page, i);
    await page.locator('#f-other_name').waitFor();
    took.push(await page.evaluate(async (i) => {
      const field = document.querySelector('#f-other_name');
      field.value = `Tên gọi ${i} ${Math.random()}`;
      field.dispatchEvent(new InputEvent('input', { bubbles: true }));
      const button = document.querySelector('.record-foot .main');
      const until = (met) => new Promise((resolve, reject) => {
        if (met()) return resolve();
        const late = setTimeout(() => reject(new Error('it does not save')), 30_000);
        const look = new MutationObserver(() => {
          if (!met()) return;
          look.disconnect();
          clearTimeout(late);
          resolve();
        });
        look.observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true });
      });
      await until(() => !button.disabled);
      const close = document.querySelector('wb-said button');
      if (close) {
        close.click();
        await until(() => !document.querySelector('wb-said p'));
      }
      const began = performance.now();
      button.click();
      await until(() => document.querySelector('wb-said p'));
      const took = performance.now() - began;
      if (document.querySelector('wb-said .said-bad')) throw new Error(document.querySelector('wb-said').innerText);
      await until(() => button.disabled && !document.querySelector('.record-foot button:not(.main)').disabled);
      return took;
    }, i));
  }
  times('save acknowledged', speed, took, { budget: 30, q: 0.99, of: 'p99' });
  note('save acknowledged, p50', speed, ms(quantile(took, 0.5)));
}

/** Bytes of memory that the renderers have in RAM, and what the page's own thread holds. */
async function memory(browser, page) {
  const client = await page.context().newCDPSession(page);
  await client.send('HeapProfiler.collectGarbage');
  await client.send('Performance.enable');
  const { metrics } = await client.send('Performance.getMetrics');
  const of = (name) => metrics.find((m) => m.name === name).value;
  await client.detach();
  let ram = 0;
  for (const pid of await processesOn(browser.profile)) {
    if (isRenderer(pid)) ram += Number(/^Pss:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
  }
  return { heap: of('JSHeapUsedSize'), nodes: await page.evaluate(() => document.querySelectorAll('*').length), ram };
}

async function scrolls(browser, page, speed) {
  await counted(page);
  const before = await memory(browser, page);
  const took = await page.evaluate(async () => {
    const list = document.querySelector('wb-rows');
    const took = [];
    const settled = async () => {
      const began = performance.now();
      do {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        if (performance.now() - began > 30_000) throw new Error('rows do not come');
      } while (list.querySelector('.row-coming'));
      return performance.now() - began;
    };
    const height = list.scrollHeight;
    for (let i = 0; i < 60; i++) {
      list.scrollTop = ((i * 7919) % 60) / 60 * height; // here and there
      took.push(await settled());
    }
    for (let i = 0; i < 300; i++) {
      list.scrollTop += list.clientHeight; // screen by screen
      await settled();
    }
    list.scrollTop = 0;
    await settled();
    return took;
  });
  const after = await memory(browser, page);
  times('scroll anywhere, rows shown', speed, took);
  const mb = (n) => `${(n / 1e6).toFixed(1)} MB`;
  note('elements before and after scrolling', speed, `${before.nodes} → ${after.nodes}`);
  note('page heap before and after scrolling', speed, `${mb(before.heap)} → ${mb(after.heap)}`);
  note('renderer in RAM before and after', speed, `${mb(before.ram)} → ${mb(after.ram)}`);
}

/** What a fixed piece of work takes in the page's renderer now: says how slow the brake and this machine's other work make it. */
const floor = (page) =>
  page.evaluate(() => {
    const began = performance.now();
    let x = 0;
    for (let i = 0; i < 1e8; i++) x = (x * 31 + i) | 0;
    return performance.now() - began + (x & 0);
  });

const made = [];
try {
  const demo = await Demo.start({ residents: records });
  made.push(() => demo.remove());
  const network = await Network.to(demo);
  made.push(() => network.close());
  const browser = await Browser.make(network);
  made.push(() => browser.remove());
  const brake = await Brake.make();
  if (brake) made.push(() => brake.remove());
  browser.context.setDefaultTimeout(120_000); // the machine may be busy
  await browser.context.addInitScript(watchFirstRow);
  let tab = await browser.tab('/#/register/residents');
  const { page } = tab;

  // The first synchronisation.
  const began = Date.now();
  const down = network.down;
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await page.locator('wb-rows .row-title').first().waitFor({ timeout: 120_000 });
  note('first synchronisation, first rows', 'full', ms(Date.now() - began));
  await tab.says(/Đã đồng bộ/, 30 * 60_000);
  note('first synchronisation, everything', 'full', `${((Date.now() - began) / 1000).toFixed(1)} s, ${((network.down - down) / 1e6).toFixed(1)} MB`);

  for (const speed of brake ? ['full', 'slow'] : ['full']) {
    const share = speed === 'full' ? 1 : 1 / SLOW;
    // Without a network, in a browser that was closed.
    await browser.stop();
    await browser.start();
    browser.context.setDefaultTimeout(120_000);
    await browser.context.addInitScript(watchFirstRow);
    await browser.offline(true);
    tab = await browser.tab('/#/register/residents');
    const { page } = tab;
    await brake?.hold(browser.profile, share);
    note('a loop of 10⁸ steps in the renderer', speed, ms(await floor(page)));
    await page.locator('wb-sign-in button').first().waitFor();
    await page.getByRole('button', { name: 'Nguyễn Thị An' }).click();
    await page.locator('input[name=password]').fill(demo.passwords['officer.a']);
    const clicked = await page.evaluate(() => {
      const now = performance.now();
      document.querySelector('wb-sign-in form').requestSubmit();
      return now;
    });
    await page.waitForFunction(() => window.__firstRow, null, { timeout: 120_000 });
    note('unlock by password to first rows, offline', speed, ms((await page.evaluate(() => window.__firstRow)) - clicked));
    const starts = [];
    for (let i = 0; i < 5; i++) {
      await page.reload();
      await page.waitForFunction(() => window.__firstRow, null, { timeout: 120_000 });
      starts.push(await page.evaluate(() => window.__firstRow));
    }
    times('offline start to first rows', speed, starts, { budget: 800 });
    await counted(page);
    await searches(page, speed);
    await counted(page);
    await scrolls(browser, page, speed);
    await opens(page, speed);
    await saves(page, speed);
    await brake?.hold(browser.profile, 1);
  }

  console.log(`${records} records in one register, Chromium on OPFS, encrypted; load of this machine ${loadavg()[0].toFixed(1)} on its CPUs`);
  console.log(brake ? `slow: the renderer, its workers included, has 1/${SLOW} of one CPU (control group)` : 'no control group to be had: not measured slowed');
  const width = Math.max(...[...table.keys()].map((what) => what.length));
  console.log(`${''.padEnd(width)}  ${'budget'.padEnd(8)} ${'full speed'.padEnd(34)} slowed ${SLOW} times`);
  for (const [what, row] of table) console.log(`${what.padEnd(width)}  ${(row.budget ? ms(row.budget) : '').padEnd(8)} ${(row.full ?? '').padEnd(34)} ${row.slow ?? ''}`);
} catch (error) {
  console.error(error.stack ?? error);
  process.exitCode = 1;
} finally {
  for (const undo of made.reverse()) await undo().catch((error) => console.error(`cleaning up: ${error.message}`));
}
