// Who is quicker than the device, or the line. While the next record is on its way the one before can neither be typed
// into nor decided; what comes late belongs to the record that it was asked for, leads nobody back who has gone on, and
// takes nothing away that was typed meanwhile; after the lock nobody is shown a sign-in page that is about to go.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { hold, isHeld, isSpoilt, letGo, mayHold, spoil } from './harness/hold.mjs';

await journey(async ({ demo, browser }) => {
  const officer = await browser();
  await mayHold(officer.context);
  const tab = await officer.tab();
  const { page } = tab;
  const go = (hash) => page.evaluate((hash) => void (location.hash = hash), hash);
  const said = (words) => page.locator('.said', { hasText: words });
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ/);
  await tab.create('residents', { full_name: 'Đặng Thị Chậm', other_name: 'Một' });
  const slow = tab.recordID();
  await tab.type('other_name', 'Một Lần Nữa');
  await tab.save();
  await tab.create('residents', { full_name: 'Đặng Thị Nhanh', other_name: 'Hai' });
  const quick = tab.recordID();

  // From one record to another beside the list.
  await hold(page, 'open');
  await go(`#/register/residents/${slow}`);
  await isHeld(page);
  assert.equal(await page.locator('wb-record form').count(), 0, 'the form before stands under the address of another record');
  await letGo(page);
  await tab.form(slow);
  assert.equal(await tab.field('other_name').inputValue(), 'Một Lần Nữa');

  // A value is brought back, and another record opened before that is done.
  const bringBack = async (held = 'bringBack') => {
    await page.locator('button[aria-expanded=false]', { hasText: 'Lịch sử' }).click();
    const old = page.locator('wb-history .history-field', { hasText: 'Tên gọi khác' }).getByRole('button', { name: /^Dùng lại/ }).first();
    await old.waitFor();
    await hold(page, held);
    await old.click();
    await isHeld(page);
  };
  await bringBack();
  await go(`#/register/residents/${quick}`);
  await tab.form(quick);
  await letGo(page);
  await said('Đã dùng lại giá trị cũ').waitFor();
  assert.equal(await tab.field('full_name').inputValue(), 'Đặng Thị Nhanh', 'one record stands under the address of another');
  await tab.open('residents', slow);
  assert.equal(await tab.field('other_name').inputValue(), 'Một');

  // And once more, typing on in another field.
  await said('Đã dùng lại giá trị cũ').waitFor({ state: 'detached' });
  await bringBack();
  await tab.type('hometown', 'Bến Tre');
  await letGo(page);
  await said('Đã dùng lại giá trị cũ').waitFor();
  await page.waitForFunction(() => document.querySelector('#f-other_name').value === 'Một Lần Nữa');
  assert.equal(await tab.field('hometown').inputValue(), 'Bến Tre', 'what was typed meanwhile is gone');
  await tab.type('other_name', 'Gõ Đè');
  await tab.save();
  assert.equal(await page.locator('wb-field .conflict').count(), 0, 'what is typed over one’s own change is in conflict with it');
  await page.locator('button[aria-expanded=true]', { hasText: 'Lịch sử' }).click();

  // The change is made, and its form is still on its way: the screen shows neither, and what is typed stays.
  await said('Đã dùng lại giá trị cũ').waitFor({ state: 'detached' });
  await bringBack('open');
  await said('Đã dùng lại giá trị cũ').waitFor();
  assert.equal(await tab.field('other_name').inputValue(), 'Gõ Đè', 'the screen shows what the form has not seen');
  await tab.type('hometown', 'Trà Vinh');
  await letGo(page);
  await page.waitForFunction(() => document.querySelector('#f-other_name').value !== 'Gõ Đè');
  assert.equal(await tab.field('hometown').inputValue(), 'Trà Vinh', 'what was typed meanwhile is gone');
  await until(() => page.evaluate(() => dispatchEvent(new Event('beforeunload', { cancelable: true }))), Boolean, 'leaving still warns that what was typed is on the screen alone');
  await go('#/');
  await page.locator('wb-asker dialog[open]').getByRole('button', { name: 'Để lại bản nháp' }).click();
  const unfinished = page.locator('section[aria-labelledby=drafts] li a');
  await unfinished.first().waitFor();
  assert.equal(await unfinished.count(), 1, 'a form that gave way is still there');
  await unfinished.click();
  await tab.form(slow);
  await tab.holds('hometown', 'Trà Vinh');
  await tab.type('other_name', 'Gõ Đè Nữa');
  await tab.save();
  assert.equal(await page.locator('wb-field .conflict').count(), 0, 'what is typed over one’s own change is in conflict with it');

  // A change that cannot be read at once is read a little later.
  const other = await officer.tab();
  await other.entered();
  await other.open('residents', slow);
  await officer.offline(true); // or the receipt would make it look again
  await spoil(page, 'get ');
  await other.type('other_name', 'Từ Thẻ Kia');
  await other.save();
  await isSpoilt(page);
  await page.waitForFunction(() => document.querySelector('#f-other_name').value === 'Từ Thẻ Kia');

  // What is on the screen and what the form has seen change at once: who types in between writes over nothing unseen.
  await hold(page, 'open');
  await other.type('other_name', 'Từ Thẻ Kia Nữa');
  await other.save();
  await isHeld(page);
  assert.equal(await tab.field('other_name').inputValue(), 'Từ Thẻ Kia', 'the screen shows what the form has not seen');
  await letGo(page);
  await page.waitForFunction(() => document.querySelector('#f-other_name').value === 'Từ Thẻ Kia Nữa');
  await other.page.close();
  await officer.offline(false);

  // A new record is saved, and left before that is done.
  await tab.begin('residents');
  await tab.type('full_name', 'Đặng Thị Đi Ngay');
  await hold(page, 'save');
  await page.getByRole('button', { name: 'Lưu', exact: true }).click();
  await isHeld(page);
  await go('#/here');
  await page.locator('wb-asker dialog[open]').getByRole('button', { name: 'Để lại bản nháp' }).click();
  await page.locator('wb-here .scope').first().waitFor();
  await letGo(page);
  await said('Đã lưu trên máy này').waitFor();
  assert.equal(await page.evaluate(() => location.hash), '#/here', 'who has gone on is led back');
  await tab.register('residents');
  await tab.search('dang thi di ngay');
  assert.equal((await tab.titles()).length, 1);

  // A supervisor's keys: the next record is not on the screen yet, so nothing is decided.
  const office = await browser();
  await mayHold(office.context);
  const desk = await office.tab();
  await desk.signIn('supervisor', demo.passwords.supervisor);
  const ask = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  const decisions = async (id) => (await ask('GET', `/api/v1/review/records/${id}`)).decisions.length;
  await desk.page.goto(`${office.url}/#/desk`);
  await desk.page.locator('.filter', { hasText: 'Sạch' }).click();
  await desk.page.locator('.queue-household').first().waitFor();
  const ids = (await desk.page.locator('.queue-row').evaluateAll((rows) => rows.slice(0, 3).map((row) => row.getAttribute('href')))).map((href) => decodeURIComponent(href.split('/').at(-1)));
  const shown = (id) => desk.page.locator(`wb-review article[data-record="${id}"][aria-busy=false]`);
  await desk.page.locator('.queue-row').first().click();
  await shown(ids[0]).waitFor();
  const before = await Promise.all(ids.map(decisions));
  await hold(desk.page, 'api /api/v1/review/records/');
  await desk.page.keyboard.press('j');
  await isHeld(desk.page);
  await desk.page.keyboard.press('a');
  await letGo(desk.page);
  await shown(ids[1]).waitFor();
  assert.equal(await desk.page.locator('wb-asker dialog[open]').count(), 0);
  assert.deepEqual(await Promise.all(ids.map(decisions)), before, 'a record was decided under the name of another');

  // Approved, and gone on before the server has answered: the next one stays, and stays in the queue.
  await hold(desk.page, 'api /api/v1/review/approve');
  await desk.page.keyboard.press('a');
  await isHeld(desk.page);
  await desk.page.keyboard.press('j');
  await desk.page.locator(`wb-review article[data-record="${ids[2]}"]`).waitFor();
  await letGo(desk.page);
  await desk.page.locator('.said', { hasText: 'Đã duyệt' }).waitFor();
  assert.equal(await desk.page.evaluate(() => decodeURIComponent(location.hash.split('/').at(-1))), ids[2], 'the desk goes on by itself from a record that is not decided');
  assert.equal(await desk.page.locator(`.queue-row[href$="/${ids[1]}"]`).count(), 0, 'what was approved is in the queue');
  assert.equal(await desk.page.locator(`.queue-row[href$="/${ids[2]}"]`).count(), 1, 'what was not decided is gone from the queue');
  assert.deepEqual(await Promise.all(ids.map(decisions)), [before[0], before[1] + 1, before[2]]);

  // Locked: the page is loaded anew, and until then there is nothing to type a password into.
  await page.evaluate(() => new MutationObserver(() => document.querySelector('wb-sign-in') && localStorage.setItem('shown-early', 'yes')).observe(document.body, { subtree: true, childList: true }));
  await page.locator('details.who summary').click();
  await page.locator('details.who').getByRole('button', { name: 'Khóa ngay' }).click();
  await page.locator('wb-sign-in').waitFor();
  await tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  assert.equal(await page.evaluate(() => localStorage.getItem('shown-early')), null, 'a sign-in page was shown that goes by itself');
  assert.deepEqual([...officer.complaints, ...office.complaints], []);
});
