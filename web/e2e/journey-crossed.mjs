// Somebody else's value that comes in the moment of a save, into a field that is being typed into again: it is shown,
// and written over only by who has seen it.
import assert from 'node:assert/strict';
import { signIn } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { hold, isHeld, letGo, mayHold } from './harness/hold.mjs';

await journey(async ({ demo, browser }) => {
  const one = await browser();
  await mayHold(one.context);
  const a = await one.tab();
  await a.signIn('officer.a', demo.passwords['officer.a']);
  await a.says(/Đã đồng bộ/);
  await a.create('residents', { full_name: 'Đặng Thị Cùng Lúc' });
  await a.stands(/đã nhận/);
  const id = a.recordID();
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
  assert.deepEqual(one.complaints, []);
});
