// A supervisor clears 300 records without touching the mouse: what wants eyes first, then what is clean, each opened and
// decided: approved, returned with a question, refused with a reason. Prints the time of each decision, from the key to
// the next record on the screen; none may take longer than twelve seconds. A reload in the middle comes back to the same
// record of the same queue, and at the end every number agrees with the server's.
import assert from 'node:assert/strict';
import { signIn } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

const RECORDS = 300;
const LONGEST = 12_000; // ms

await journey(async ({ demo, browser }) => {
  const b = await browser();
  const tab = await b.tab();
  const { page } = tab;
  await tab.signIn('supervisor', demo.passwords.supervisor);
  const ask = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  await page.goto(`${b.url}/#/desk`);
  await page.locator('.queue-row').first().waitFor();
  await page.evaluate(() => document.querySelector('wb-said')?.remove()); // its lines come and go over what is measured

  /** Opens a queue from the keyboard: Tab as far as its button, then Enter. */
  const choose = async (name) => {
    const wanted = page.locator('.filter', { hasText: name }).first();
    for (let i = 0; i < 60 && !(await wanted.evaluate((one) => one === document.activeElement)); i++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('.filter[aria-pressed=true]', { hasText: name }).waitFor();
  };
  /** What stands on the screen: the open record's id once it is drawn, or "" when nothing is open. */
  const shown = () =>
    page.evaluate(() => {
      const id = decodeURIComponent(location.hash.split('/')[2] ?? '');
      const review = document.querySelector('wb-review');
      return !id ? '' : review?.record?.id === id && review.querySelector('.compares') && !review.busy ? id : null;
    });
  /** Waits until a record other than `before` stands there, drawn. */
  const next = async (before) => {
    for (const end = Date.now() + 60_000; ; ) {
      const id = await shown();
      if (id !== null && id !== before) return id;
      if (Date.now() > end) throw new Error(`the desk does not move on from ${before}: ${await page.locator('wb-review').innerText()}`);
      await page.waitForTimeout(10);
    }
  };
  const asks = page.locator('wb-asker dialog[open]');
  const counts = async () => (await ask('GET', '/api/v1/review/queue?limit=1')).counts;
  const chips = async () =>
    Object.fromEntries(await page.locator('.filters').first().locator('.filter').evaluateAll((all) => all.map((one) => [one.textContent.replace(/[\d.\s]+$/, '').trim(), Number(one.querySelector('.figures').textContent.replaceAll('.', ''))])));

  const began = await counts();
  assert.ok(began.all === began.conflict + began.eyes + began.clean && began.eyes + began.clean >= RECORDS, JSON.stringify(began));
  const done = { approve: 0, return: 0, refuse: 0 };
  const times = [];
  await choose('Cần xem');
  await page.locator('.filters-why').waitFor();
  await page.keyboard.press('j');
  let at = await next('');
  let clean = false;
  while (times.length < RECORDS) {
    const n = times.length;
    if (n === RECORDS / 2) {
      const before = { at, hash: await page.evaluate(() => location.hash), pressed: await page.locator('.filter[aria-pressed=true]').first().innerText() };
      await page.reload();
      await tab.entered();
      at = await next('');
      assert.deepEqual({ at, hash: await page.evaluate(() => location.hash) }, { at: before.at, hash: before.hash }, 'a reload comes back to the record');
      const current = page.locator('.queue-row[aria-current=true]');
      await current.waitFor();
      assert.match(await page.locator('.filter[aria-pressed=true]').first().innerText(), new RegExp(before.pressed.split(/\s/)[0]), 'and to the queue');
      const box = await current.boundingBox();
      assert.ok(box && box.y >= 0 && box.y + box.height <= 800, 'and to the place in it');
    }
    const began = Date.now();
    const act = n % 12 === 5 ? 'return' : n % 25 === 9 ? 'refuse' : 'approve';
    if (act === 'approve') {
      await page.keyboard.press('a');
    } else {
      await page.keyboard.press(act === 'return' ? 'r' : 'x');
      await asks.waitFor();
      if (await asks.locator('.ask-ticks').count()) {
        if (!(await asks.locator('.ask-ticks input:checked').count())) await page.keyboard.press('Space'); // the first field has the focus
        for (let i = 0; i < 40 && !(await asks.locator('textarea').evaluate((one) => one === document.activeElement)); i++) await page.keyboard.press('Tab');
      }
      await page.keyboard.type(act === 'return' ? 'Xin ghi rõ căn cứ.' : 'Không có giấy tờ kèm theo.');
      await page.keyboard.press('Control+Enter');
    }
    // A deletion, or a warning without a reason, is asked about: Enter on the answer that has the focus.
    for (;;) {
      const id = await shown();
      if (id !== null && id !== at) {
        times.push(Date.now() - began);
        at = id;
        break;
      }
      if (act === 'approve' && (await asks.isVisible())) {
        await page.keyboard.press('Enter');
        await asks.waitFor({ state: 'detached' });
      }
      if (Date.now() - began > 60_000) throw new Error(`record ${n}: the desk does not move on: ${await page.locator('wb-review').innerText()}`);
      await page.waitForTimeout(10);
    }
    done[act]++;
    if (at === '' && times.length < RECORDS) {
      assert.equal(clean, false, 'the clean queue ran dry');
      clean = true;
      await choose('Sạch');
      await page.locator('.queue-household').first().waitFor();
      await page.keyboard.press('j');
      at = await next('');
      // What was approved before is open again in its changed field alone.
      assert.match(await page.locator('#waiting').innerText(), /^Mở lại: 1 trường/);
      assert.equal(await page.locator('wb-review section[aria-labelledby=waiting] .compare').count(), 1);
      assert.equal(await page.locator('wb-review section[aria-labelledby=waiting] .compare-side:visible').count(), 2, 'approved and present value side by side');
    }
  }
  times.sort((x, y) => x - y);
  const of = (q) => `${(times[Math.min(times.length - 1, Math.floor(q * times.length))] / 1000).toFixed(2)} s`;
  console.log(`${times.length} records by keyboard: ${done.approve} approved, ${done.return} returned, ${done.refuse} refused; each p50 ${of(0.5)}, p95 ${of(0.95)}, longest ${of(1)}`);
  assert.ok(times.at(-1) <= LONGEST, `the longest took ${of(1)}, want 12 s at most`);
  assert.ok(clean, 'both queues were worked');

  // The numbers agree: what was decided is gone from the queue, and stands in the day.
  const ended = await counts();
  assert.equal(ended.all, began.all - RECORDS);
  assert.equal(ended.returned, began.returned + done.return);
  const day = await ask('GET', '/api/v1/unit/day');
  assert.deepEqual(day.waiting, ended);
  await page.reload();
  await page.locator('.filters .filter').first().waitFor();
  assert.deepEqual(await chips(), { 'Tất cả': ended.all, 'Xung đột': ended.conflict, 'Cần xem': ended.eyes, Sạch: ended.clean, 'Đã trả lại': ended.returned });
  await choose('Đã trả lại');
  await page.locator('.queue-row', { hasText: 'Xin ghi rõ căn cứ.' }).first().waitFor();

  // The rest of what is clean in one act, its households counted beforehand.
  await page.locator('.filter', { hasText: 'Sạch' }).first().click();
  await page.locator('.queue-household').first().waitFor();
  const rest = page.getByRole('button', { name: /^Duyệt [\d.]+ hồ sơ sạch/ });
  assert.match(await rest.innerText(), new RegExp(`Duyệt ${ended.clean} hồ sơ sạch của ${ended.households} hộ`));
  await rest.click();
  await asks.locator('button.main').click();
  await page.locator('.empty', { hasText: 'Không còn hồ sơ nào chờ.' }).waitFor({ timeout: 120_000 });
  const last = await counts();
  assert.deepEqual([last.all, last.clean], [ended.all - ended.clean, 0]);
  assert.deepEqual(b.complaints, []);
}, { waiting: 320 });
