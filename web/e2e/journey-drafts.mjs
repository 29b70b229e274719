// Words in a form of a record that is there already: they outlive a reload, the lock, and being left for later; from the
// first screen one comes back to them. One tab at a time types into a form. What others wrote meanwhile is on the screen
// when the form is taken up again, and what came under the words is asked about.
import assert from 'node:assert/strict';
import { until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, enter }) => {
  const { browser: officer, tab, page } = await enter('officer.a');
  const id = await tab.received('residents', { full_name: 'Đặng Thị Viết Dở', other_name: 'Một', hometown: 'Bến Tre' });
  const onDisk = () => until(() => page.evaluate(() => dispatchEvent(new Event('beforeunload', { cancelable: true }))), Boolean, 'leaving still warns that what was typed is on the screen alone');
  const asked = page.locator('wb-asker dialog[open]');
  const home = async (tab) => {
    await tab.page.goto(`${tab.page.url().split('#')[0]}#/`);
    await tab.page.locator('wb-home h1, wb-home h2').first().waitFor();
  };
  const unfinished = (tab) => tab.page.locator('section[aria-labelledby=drafts] li a', { hasText: 'Đặng Thị Viết Dở' });
  const finished = async (why) => {
    await home(tab);
    await page.locator('section[aria-labelledby=drafts] li', { hasText: 'Đặng Thị Mới' }).waitFor(); // the list is here
    assert.equal(await unfinished(tab).count(), 0, why);
  };
  const conflicts = () => page.locator('wb-field .conflict').count();

  // A new record that stays unfinished to the end.
  await tab.begin('residents');
  await tab.type('full_name', 'Đặng Thị Mới');
  await page.evaluate(() => (location.hash = '#/'));
  // Who answers and goes on at once comes to where they went last.
  await asked.getByRole('button', { name: 'Để lại bản nháp' }).evaluate((button, id) => {
    button.click();
    location.hash = `#/register/residents/${id}`;
  }, id);
  await tab.form(id);

  // So does who is quicker than a save: of the list, the first screen and a record they get the record, and what was typed is saved.
  const inOneMoment = (answer, ...places) => asked.getByRole('button', { name: answer, exact: true }).evaluate((button, places) => {
    button.click();
    for (const place of places) location.hash = place;
  }, places);
  const later = await tab.received('residents', { full_name: 'Đặng Thị Sau Cùng' });
  for (const [n, places] of [['#/'], ['#/', `#/register/residents/${later}`]].entries()) {
    await tab.open('residents', id);
    await tab.type('other_name', `Lần ${n}`);
    await page.evaluate(() => (location.hash = '#/inbox'));
    await inOneMoment('Lưu', ...places);
    await (n ? tab.form(later) : page.locator('wb-home h2').first().waitFor());
    await page.locator('.said', { hasText: 'Đã lưu' }).waitFor();
    await until(() => page.evaluate(() => location.hash), (hash) => hash === places.at(-1), 'the tab is not where they went last');
    await tab.open('residents', id);
    await tab.holds('other_name', `Lần ${n}`);
  }

  // Who comes back to the form itself stays there: what was saved stands in it, and what was given up does not.
  for (const [answer, holds] of [['Lưu', 'Về lại'], ['Bỏ thay đổi', 'Về lại']]) {
    await tab.type('other_name', answer === 'Lưu' ? 'Về lại' : 'Thôi không');
    await page.evaluate(() => (location.hash = '#/inbox'));
    await inOneMoment(answer, `#/register/residents/${id}`);
    await tab.holds('other_name', holds);
    await page.locator('wb-record article[aria-busy=false] .record-foot .main:disabled').waitFor();
    await until(() => page.evaluate(() => location.hash), (hash) => hash === `#/register/residents/${id}`, 'the address still names a form that is finished');
  }
  await tab.type('other_name', 'Một');
  await tab.save();

  // A reload.
  await tab.type('other_name', 'Hai');
  await onDisk();
  await page.reload();
  await tab.entered();
  await tab.form(id);
  await tab.holds('other_name', 'Hai');

  // The lock: everything typed is behind it, and on the first screen after it.
  await page.locator('details.who summary').click();
  await page.locator('details.who').getByRole('button', { name: 'Khóa ngay' }).click();
  await page.locator('wb-sign-in').waitFor();
  await tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  await home(tab);
  await unfinished(tab).filter({ hasText: 'Đặng Thị Viết Dở' }).click();
  await tab.form(id);
  await tab.holds('other_name', 'Hai');

  // Its own row in the list is no way out of it.
  await page.locator('.search input').fill('dang thi viet do');
  await page.locator('wb-rows .row', { hasText: 'Đặng Thị Viết Dở' }).click();
  await tab.type('hometown', 'Vĩnh Long');
  assert.equal(await asked.count(), 0, 'it asks to leave for where it is');
  await tab.holds('other_name', 'Hai');

  // Another tab does not type into the same form.
  const other = await officer.tab();
  await other.entered();
  await onDisk();
  await home(other);
  await unfinished(other).click();
  await other.page.locator('.said', { hasText: 'đang mở ở một thẻ khác' }).waitFor();
  await other.form(id);
  assert.equal(await other.field('other_name').inputValue(), 'Một');

  // Saved, it is finished, and a reload shows what was saved.
  await tab.save();
  await page.reload();
  await tab.entered();
  await tab.form(id);
  assert.equal(await tab.field('other_name').inputValue(), 'Hai');
  await finished('it is still unfinished');

  // Left for later; meanwhile another tab writes into that field and into another one.
  await tab.open('residents', id);
  await tab.type('other_name', 'Ba');
  await page.evaluate(() => (location.hash = '#/'));
  await asked.getByRole('button', { name: 'Để lại bản nháp' }).click();
  await unfinished(tab).waitFor();
  await other.holds('other_name', 'Hai');
  await other.type('other_name', 'Của Thẻ Kia');
  await other.type('hometown', 'Trà Vinh');
  await other.save();
  await unfinished(tab).click();
  await asked.filter({ hasText: 'Của Thẻ Kia' }).waitFor();
  assert.equal(await tab.field('hometown').inputValue(), 'Trà Vinh', 'the form shows what stood before');
  await asked.getByRole('button', { name: 'Giữ chữ đang gõ' }).click();
  await tab.holds('other_name', 'Ba');
  await tab.type('hometown', 'Cần Thơ');
  await tab.save();
  await page.reload();
  await tab.entered();
  await tab.form(id);
  assert.deepEqual([await tab.field('other_name').inputValue(), await tab.field('hometown').inputValue()], ['Ba', 'Cần Thơ']);
  assert.equal(await conflicts(), 0, 'what was on the screen is in conflict with what was typed over it');
  await finished('a form that gave way is still among those that are unfinished');

  // And given up.
  await tab.open('residents', id);
  await tab.type('other_name', 'Bốn');
  await onDisk();
  await page.reload();
  await tab.entered();
  await tab.form(id);
  await page.locator('.record-foot').getByRole('button', { name: 'Bỏ thay đổi' }).click();
  await asked.getByRole('button', { name: 'Bỏ thay đổi' }).click();
  await tab.holds('other_name', 'Ba');
  await finished('it is still unfinished');

  // Whoever signs out is told of the one that is left.
  await page.locator('details.who summary').click();
  await page.locator('details.who').getByRole('button', { name: 'Đăng xuất' }).click();
  await asked.getByText('Còn 1 bản nháp chưa lưu').waitFor();
  await asked.getByRole('button', { name: 'Hủy' }).click();
  assert.deepEqual(officer.complaints, []);
});
