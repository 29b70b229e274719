// Somebody else's value that comes in the moment of a save, into a field that is being typed into again: it is shown,
// and written over only by who has seen it.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { hold, isHeld, letGo, mayHold } from './harness/hold.mjs';

await journey(async ({ demo, browser }) => {
  const one = await browser();
  await mayHold(one.context);
  const a = await one.tab();
  await a.signIn('officer.a', demo.passwords['officer.a']);
  await a.says(/Đã đồng bộ/);
  const id = await a.received('residents', { full_name: 'Đặng Thị Cùng Lúc' });
  const watcher = await one.tab(); // what has come to this device
  await watcher.entered();
  await watcher.open('residents', id);

  const other = await (await browser()).tab();
  await other.signIn('officer.b', demo.passwords['officer.b']);
  await other.says(/Đã đồng bộ/);
  await other.open('residents', id);

  const holds = (tab, value) => tab.holds('other_name', value);
  const dialog = a.page.locator('wb-asker dialog[open]');

  /** Officer A saves, and types on before the save has shown what it did; meanwhile officer B writes into the same field. */
  const cross = async (first, theirs, mine) => {
    await a.type('other_name', first);
    await hold(a.page, 'open');
    await a.page.getByRole('button', { name: 'Lưu', exact: true }).click();
    await isHeld(a.page); // saved; the form goes on
    await a.type('other_name', mine);
    await holds(other, first);
    await other.type('other_name', theirs);
    await other.save();
    await holds(watcher, theirs);
    await letGo(a.page);
    await dialog.getByText(theirs).waitFor();
  };

  await cross('Một', 'Hai', 'Ba');
  await dialog.getByRole('button', { name: 'Lấy giá trị kia' }).click();
  await holds(a, 'Hai');

  await cross('Bốn', 'Năm', 'Sáu');
  await dialog.getByRole('button', { name: 'Giữ chữ đang gõ' }).click();
  assert.equal(await a.field('other_name').inputValue(), 'Sáu');
  await a.save();
  await a.stands(/đã nhận/);
  await holds(other, 'Sáu');

  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  const { steps } = await supervisor('GET', `/api/v1/records/${id}/history`);
  assert.deepEqual(steps.filter(({ field }) => field === 'other_name').map(({ value }) => value).reverse(), ['Một', 'Hai', 'Bốn', 'Năm', 'Sáu']);

  // What both wrote unseen stands in one order on each device, at the desk and in the inbox: what was received last, first.
  const apart = async (field, early, late) => {
    for (const tab of [a, other]) await tab.page.context().setOffline(true);
    await other.type(field, early);
    await other.save();
    await a.type(field, late);
    await a.save();
  };
  const arrive = async (tab) => {
    await tab.page.context().setOffline(false);
    await tab.says(/Đã đồng bộ/, 60_000);
  };
  await apart('other_name', 'Đến Trước', 'Đến Sau');
  await arrive(other);
  await arrive(a);
  await apart('hometown', 'Gửi Sau', 'Gửi Trước');
  await arrive(a);
  await arrive(other);
  const [names, towns] = [['Đến Sau', 'Đến Trước'], ['Gửi Sau', 'Gửi Trước']];
  const shows = async (page, list, field, values) => {
    const items = page.locator(list, { hasText: field }).locator('.conflict ul li, .siblings li');
    await until(() => items.locator('.data').allInnerTexts(), (texts) => texts.join() === values.join(), `${field} at ${page.url().split('#')[1]}`);
  };
  for (const { page } of [a, other]) {
    await shows(page, 'wb-field', 'Tên gọi khác', names);
    await shows(page, 'wb-field', 'Quê quán', towns);
  }
  await a.page.goto(`${a.page.url().split('#')[0]}#/inbox/conflicts`);
  await shows(a.page, 'wb-field', 'Tên gọi khác', names);
  await shows(a.page, 'wb-field', 'Quê quán', towns);
  const desk = await (await browser()).tab();
  await desk.signIn('supervisor', demo.passwords.supervisor);
  await desk.page.goto(`${desk.page.url().split('#')[0]}#/desk/${encodeURIComponent(id)}`);
  await shows(desk.page, 'li.compare-torn', 'Tên gọi khác', names);
  await shows(desk.page, 'li.compare-torn', 'Quê quán', towns);
  assert.deepEqual(one.complaints, []);
});
