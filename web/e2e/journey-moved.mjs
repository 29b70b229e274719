// An officer is moved to another ward while their tablet is out with work that nobody has received: an edit, a new
// record, and words in a form. With a network the work arrives where it was written for, the old ward's records leave the
// tablet, and the officer is told; what the form then saves waits for the old ward's supervisor, and nothing else does.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { look } from './harness/look.mjs';

await journey(async ({ demo, network, enter }) => {
  const { browser: tablet, tab, page } = await enter('officer.a');
  const unit = (await page.locator('.top-unit').innerText()).trim();
  const old = (await page.locator('.topbar, header').first().innerText()).trim();
  const kept = await tab.received('residents', { full_name: 'Đặng Thị Ở Lại' });
  const typed = await tab.received('residents', { full_name: 'Đặng Thị Đang Gõ' });

  const open = async (id, name) => {
    await tab.open('residents', id);
    await page.waitForFunction((name) => document.querySelector('#f-full_name')?.value === name, name); // not the form before
  };

  network.cut();
  await tablet.offline(true);
  await open(kept, 'Đặng Thị Ở Lại');
  await tab.type('other_name', 'Viết trước khi chuyển');
  await tab.save();
  await tab.create('residents', { full_name: 'Đặng Thị Chưa Gửi' });
  const made = tab.recordID();
  await open(typed, 'Đặng Thị Đang Gõ');
  await tab.type('other_name', 'Gõ trước khi chuyển');
  await tab.says(/Chưa gửi: 2 thay đổi$/);

  const admin = await signIn(demo.url, 'admin', demo.passwords.admin);
  const { accounts } = await admin('GET', '/api/v1/admin/accounts');
  const { id, unit: code } = accounts.find(({ name }) => name === 'officer.a');
  const other = accounts.find((account) => account.unit && account.unit !== code).unit;
  await admin('POST', `/api/v1/admin/accounts/${id}/move`, { unit: other });
  network.mend();
  await tablet.offline(false);

  // It is told, and nothing that was typed is lost to it.
  const told = page.locator('wb-asker dialog[open]');
  await told.filter({ hasText: 'Bạn đã được chuyển đến' }).waitFor({ timeout: 60_000 });
  await look(page, 'moved');
  await told.getByRole('button', { name: 'Đóng' }).click();
  await tab.says(/Đã đồng bộ/, 60_000);
  assert.notEqual((await page.locator('.topbar, header').first().innerText()).trim(), old, 'the frame names the new ward');
  assert.equal(await tab.field('other_name').inputValue(), 'Gõ trước khi chuyển');

  // What was saved before is the old ward's, not aside.
  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  const values = async (id, name) => (await supervisor('GET', `/api/v1/records/${id}/history`)).steps.filter(({ field }) => field === name).map(({ value, state }) => `${value} ${state}`);
  const aside = async () => (await supervisor('GET', '/api/v1/quarantine')).items.filter(({ author }) => author === 'officer.a');
  assert.deepEqual(await values(kept, 'other_name'), ['Viết trước khi chuyển current']);
  assert.deepEqual(await values(made, 'full_name'), ['Đặng Thị Chưa Gửi current']);
  assert.deepEqual(await aside(), []);

  // What is saved after it waits for the old ward, and its author sees that it does.
  await tab.save();
  await until(aside, (items) => items.length === 1 && items[0].code === 'forbidden', 'what was saved after the move is not with the old ward’s supervisor');
  assert.deepEqual(await values(typed, 'other_name'), ['Gõ trước khi chuyển quarantined']);
  await page.goto(`${page.url().split('#')[0]}#/inbox/quarantined`);
  await look(page, 'moved-inbox');
  await page.locator('wb-inbox').getByText('Gõ trước khi chuyển').or(page.locator('wb-inbox li')).first().waitFor({ timeout: 20_000 });

  // The old ward's records are gone from the device; a new one is the new ward's.
  await tab.register('residents');
  for (const name of ['Đặng Thị Ở Lại', 'Đặng Thị Chưa Gửi']) {
    await tab.search(name);
    assert.ok(!(await tab.titles()).includes(name), `${name} is still on the device`);
  }
  await tab.create('residents', { full_name: 'Đặng Thị Nơi Mới' });
  await tab.stands(/đã nhận/, 60_000);
  await assert.rejects(supervisor('GET', `/api/v1/records/${tab.recordID()}/history`), /40[34]/);

  // Locked, the sign-in page names the unit that the officer works for.
  const now = (await page.locator('.top-unit').innerText()).trim();
  await page.locator('details.who summary').click();
  await page.locator('details.who').getByRole('button', { name: 'Khóa ngay' }).click();
  const here = await page.locator('.account-list').innerText();
  assert.ok(here.includes(now) && !here.includes(unit), `the sign-in page says “${here}”, want ${now} and not ${unit}`);
  assert.deepEqual(tablet.complaints, []);
});
