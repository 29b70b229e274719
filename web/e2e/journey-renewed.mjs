// A register gets a new version of its definition while somebody types, far from the network until then: what is being
// typed, where the keys go and where they stand stays as it is; the new field is there, and is saved with the others.
import assert from 'node:assert/strict';
import { until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, enter }) => {
  const { browser: officer, tab, page } = await enter('officer.a');
  const id = await tab.received('residents', { full_name: 'Đặng Thị Mẫu Mới', other_name: 'Một', hometown: 'Bến Tre' });

  /** From now on the server has residents with one more field beside their other name. */
  let version = 0;
  const publish = (name, label) =>
    page.context().route('**/api/v1/registers', async (route) => {
      const registers = await (await route.fetch()).json();
      const residents = registers.find((register) => register.id === 'residents');
      version = residents.version + (name === 'added' ? 1 : 2);
      const at = residents.fields.findIndex((field) => field.name === 'other_name');
      const field = (n) => ({ ...residents.fields[at], id: 900 + n, name: n ? 'added_too' : 'added', label: { vi: n ? 'Ô thêm nữa' : 'Ô mới thêm', en: 'An added one' } });
      residents.fields.splice(at, 0, ...(name === 'added' ? [field(0)] : [field(0), field(1)]));
      residents.version = version;
      await route.fulfill({ json: registers });
    });

  const lockedAndOffline = async () => {
    await officer.offline(true);
    await page.locator('details.who summary').click();
    await page.locator('details.who').getByRole('button', { name: 'Khóa ngay' }).click();
    await page.locator('wb-sign-in').waitFor();
    await tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  };
  /** Types on in the middle of a word, before, while and after the new version comes. */
  const typeOn = async (added) => {
    await tab.field('other_name').focus();
    await page.evaluate(() => document.activeElement.setSelectionRange(2, 2));
    await page.keyboard.type('ơ');
    await page.evaluate(() => (globalThis.same = document.activeElement));
    await officer.offline(false);
    await tab.field(added).waitFor();
    assert.deepEqual(await page.evaluate(() => [document.activeElement === globalThis.same, document.activeElement.selectionStart]), [true, 3], 'the keys go somewhere else');
    await page.keyboard.type('i');
    await page.locator('.said', { hasText: 'Phần bạn đang viết vẫn giữ nguyên' }).waitFor();
    await officer.offline(true);
  };

  // A record that is there already.
  await lockedAndOffline();
  await tab.open('residents', id);
  await tab.type('hometown', 'Vĩnh Long');
  await publish('added');
  await typeOn('added');
  assert.equal(await tab.field('other_name').inputValue(), 'Mộơit');
  assert.equal(await tab.field('hometown').inputValue(), 'Vĩnh Long');
  await tab.type('added', 'Chữ trong ô mới');
  await until(() => page.evaluate(() => dispatchEvent(new Event('beforeunload', { cancelable: true }))), Boolean, 'leaving still warns that what was typed is on the screen alone');
  await page.reload();
  await tab.entered();
  await tab.form(id);
  for (const [name, value] of [['other_name', 'Mộơit'], ['hometown', 'Vĩnh Long'], ['added', 'Chữ trong ô mới']]) await tab.holds(name, value);
  await tab.save();
  for (const [name, value] of [['other_name', 'Mộơit'], ['hometown', 'Vĩnh Long'], ['added', 'Chữ trong ô mới']]) assert.equal(await tab.field(name).inputValue(), value);

  // A new one.
  await page.context().unroute('**/api/v1/registers');
  await lockedAndOffline();
  await tab.begin('residents');
  await tab.type('full_name', 'Đặng Thị Gõ Giữa Chừng');
  await tab.type('other_name', 'Hai');
  await publish('added_too');
  await typeOn('added_too');
  assert.equal(await tab.field('other_name').inputValue(), 'Haơii');
  assert.equal(await tab.field('full_name').inputValue(), 'Đặng Thị Gõ Giữa Chừng');
  await tab.type('added_too', 'Cũng mới');
  await tab.save();
  await page.waitForURL(/#\/register\//);
  assert.deepEqual([await tab.field('other_name').inputValue(), await tab.field('added_too').inputValue()], ['Haơii', 'Cũng mới']);
  await page.evaluate(() => (location.hash = '#/'));
  await page.locator('wb-home h1').waitFor();
  assert.deepEqual(officer.complaints, []);
});
