// A ward of 40,000 over a slow line that is paid by the byte: the time left that is said while its records come is about
// what it takes. At the day's limit receiving stops, the screen says why, nothing is called synced, and what is saved is
// still sent; a reload changes none of it. Whoever says so goes on for the day, and is not asked again.
import assert from 'node:assert/strict';
import { until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { look } from './harness/look.mjs';

const KBITS = 300;
const RESIDENTS = 40_000; // some 1.6 MB
const LIMIT = 1; // MB
const WORTH = 10; // s: from how much left on it is compared; less is said in single seconds

const numeral = (text) => Number(text.replaceAll('.', '').replace(',', '.'));
const seconds = { giây: 1, phút: 60, giờ: 3600 };

await journey(async ({ demo, network, browser }) => {
  const officer = await browser();
  const tab = await officer.tab();
  const { page } = tab;
  await page.locator('input[name=name]').waitFor();
  await page.locator('.loading').waitFor({ state: 'detached' });
  await page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active.state)); // what it fetches is not what is timed
  network.kbits = KBITS;
  page.setDefaultTimeout(120_000); // everything waits for the line
  await tab.signIn('officer.a', demo.passwords['officer.a']);

  const said = page.locator('wb-here p[role=status]');
  const here = async () => numeral((await page.locator('#here-now').innerText()).match(/^([\d.]+) /)[1]);
  const used = async () => numeral((await page.getByText(/Hôm nay đã nhận/).innerText()).match(/nhận ([\d.,]+) MB/)[1]);
  const told = []; // what was said to be left, and when
  /** Waits until the screen says that, taking note of the time left that it says until then; returns when it was. */
  const says = async (pattern) => {
    await until(async () => {
      const words = await said.innerText();
      const [, n, unit] = words.match(/còn khoảng ([\d.]+) (giây|phút|giờ)/) ?? [];
      if (n) told.push({ at: Date.now(), left: numeral(n) * seconds[unit] });
      return words;
    }, (words) => pattern.test(words), `the screen says ${pattern}`, 300_000);
    return Date.now();
  };

  // An officer who pays says so, and sets a limit for the day, while the records come.
  await page.goto(`${officer.url}/#/here`);
  await page.getByLabel('Máy này đang dùng dữ liệu di động').check();
  await page.getByLabel('Mỗi ngày nhận nhiều nhất').selectOption({ label: `${LIMIT} MB` });
  const spent = await says(/hết mức dữ liệu di động/);
  const before = told.length;
  assert.ok(before > 3, `the time left was said ${before} times`);
  await tab.says(/Đang tạm dừng nhận/);
  assert.ok((await used()) >= LIMIT && (await used()) < LIMIT * 1.3, `${await used()} MB of ${LIMIT} were received`);
  await look(page, 'here-spent');

  // What is saved is sent; nothing else comes, also after a reload.
  await tab.create('residents', { full_name: 'Đặng Thị Hết Dung Lượng' });
  await tab.stands(/đã nhận/, 60_000);
  await tab.says(/Đang tạm dừng nhận/);
  await page.goto(`${officer.url}/#/here`);
  await says(/hết mức dữ liệu di động/);
  const have = await here(); // what was on its way has come by now
  assert.ok(have > RESIDENTS / 10 && have < RESIDENTS, `${have} records came for ${LIMIT} MB`);
  await page.reload();
  await tab.entered();
  await says(/hết mức dữ liệu di động/);
  assert.equal(await here(), have, 'nothing came');
  await tab.says(/Đang tạm dừng nhận/);

  // What is made here meanwhile counts among what is here.
  await tab.create('residents', { full_name: 'Đặng Thị Thêm Một' });
  await page.goto(`${officer.url}/#/here`);
  await says(/hết mức dữ liệu di động/);
  await until(here, (n) => n === have + 1, 'the record that was made here is counted');

  // More, for today.
  await page.evaluate(() => {
    const said = document.querySelector('wb-here p[role=status]');
    globalThis.words = [];
    new MutationObserver(() => globalThis.words.push(said.innerText)).observe(said, { subtree: true, childList: true, characterData: true });
  });
  await page.getByRole('button', { name: 'Hôm nay nhận tiếp' }).click();
  const resumed = Date.now();
  const done = await says(/Đã đủ những gì bạn chọn/);
  const words = await page.evaluate(() => globalThis.words);
  assert.ok(words.length > 1 && !words.some((text) => /Chưa có kết nối/.test(text)), `while it goes on it says ${[...new Set(words)].join(' | ')}`);
  assert.equal(await here(), RESIDENTS + 2); // with those that were made here
  assert.ok((await used()) > LIMIT, 'what came after is counted, too');
  await tab.says(/Đã đồng bộ/);
  await page.reload();
  await tab.entered();
  await says(/Đã đủ những gì bạn chọn/);
  assert.equal(await page.getByRole('button', { name: 'Hôm nay nhận tiếp' }).count(), 0, 'it is not asked again');

  // What was said to be left, beside what it took; the time that nothing was to come does not count.
  const ratios = told
    .map(({ at, left }) => ({ left, took: (done - at - (at < spent ? resumed - spent : 0)) / 1000 }))
    .filter(({ took }) => took > WORTH)
    .map(({ left, took }) => left / took)
    .sort((a, b) => a - b);
  const middle = ratios[Math.floor(ratios.length / 2)];
  assert.ok(ratios.length > 5, `the time left was said ${ratios.length} times`);
  assert.ok(middle > 0.4 && middle < 2.5, `the time left that was said is ${middle.toFixed(2)} times what it took`);
  console.log(`${KBITS} kbit/s, ${ratios.length} times: the time left that was said is ${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)} times what it took, in the middle ${middle.toFixed(2)}; ${have} records for ${LIMIT} MB`);
  assert.deepEqual(officer.complaints, []);
}, { residents: RESIDENTS });
