// One person recorded by two officers who did not know of each other: both see a pair, nothing is held back; one says
// without a network that they are one, the other sees it; taken back, both records stand again and wait to be decided.
// A record that was begun from an empty result carries its mark until somebody has looked.
import assert from 'node:assert/strict';
import { journey } from './harness/app.mjs';
import { look } from './harness/look.mjs';

const person = { full_name: 'Đặng Thị Song Sinh', dob: '05/08/1990' };

await journey(async ({ demo, browser }) => {
  const people = [];
  for (const name of ['officer.a', 'officer.b']) {
    const b = await browser();
    const tab = await b.tab();
    await tab.signIn(name, demo.passwords[name]);
    await tab.says(/Đã đồng bộ/);
    people.push({ b, tab, page: tab.page });
  }
  const [a, c] = people;
  const go = ({ page }, hash) => page.goto(`${page.url().split('#')[0]}#/${hash}`);
  const pair = ({ page }) => page.locator('wb-inbox .card', { hasText: 'Song Sinh' }).locator('wb-pair');

  await Promise.all(people.map(({ b }) => b.context.setOffline(true)));
  await a.tab.create('residents', { ...person, hometown: 'Bến Tre' });
  const first = a.tab.recordID();
  await c.tab.create('residents', { ...person, full_name: 'ĐẶNG THỊ SONG SINH', phone: '0903 000 009' });
  const second = c.tab.recordID();
  await Promise.all(people.map(({ b }) => b.context.setOffline(false)));
  for (const { tab } of people) await tab.says(/Đã đồng bộ/, 60_000);
  for (const one of people) {
    await go(one, 'inbox/pairs');
    await pair(one).waitFor({ timeout: 60_000 });
    assert.equal(await pair(one).count(), 1, 'one pair');
    await go(one, 'inbox/quarantined');
    await one.page.getByText('Không có thay đổi nào bị cách ly').waitFor();
    await go(one, 'inbox/pairs');
    await pair(one).waitFor();
  }
  const words = await pair(a).innerText();
  for (const want of [/Nguyễn Thị An/, /Trần Văn Bình/, /viết như nhau/, /Bến Tre/]) assert.match(words, want, words);
  await look(a.page, 'pairs');

  // The record says so too.
  await a.tab.open('residents', first);
  await a.page.locator('wb-record wb-pair').waitFor();
  await look(a.page, 'pair-in-record');

  // One of them says that they are one, without a network.
  await a.b.context.setOffline(true);
  await go(a, 'inbox/pairs');
  await pair(a).getByRole('button', { name: 'Là một' }).click();
  await pair(a).locator('.pair-side').filter({ has: a.page.locator(`a[href*="${encodeURIComponent(first)}"]`) }).getByText('Giữ hồ sơ này').click();
  await look(a.page, 'pair-joining');
  await pair(a).getByRole('button', { name: 'Gộp làm một' }).click();
  await pair(a).getByRole('button', { name: /^Hoàn tác/ }).waitFor();
  await a.b.context.setOffline(false);
  await a.tab.says(/Đã đồng bộ/, 60_000);

  // The other sees it: nothing left to ask, one record with what both knew, and the other gone from the list.
  await pair(c).waitFor({ state: 'detached', timeout: 60_000 });
  await c.tab.open('residents', first);
  assert.match(await c.tab.reveal('phone'), /0903000009/);
  assert.equal(await c.tab.field('hometown').inputValue(), 'Bến Tre');
  // What refers to the one that went leads to the one that stays, and still says what was written.
  await c.tab.create('addresses', { house_no: '9', parcel_link: second });
  const reference = c.page.locator('wb-field').filter({ has: c.tab.field('parcel_link') });
  assert.equal(await c.tab.field('parcel_link').inputValue(), second);
  await reference.locator(`a[href$="${first}"]`, { hasText: /song sinh/i }).waitFor();
  await reference.getByText('là một với hồ sơ này').waitFor();
  await look(c.page, 'pair-reference');
  await c.tab.open('residents', second);
  await c.page.getByText('đã xóa', { exact: false }).first().waitFor();
  await c.page.locator('wb-record details.twin summary', { hasText: 'Là một' }).click();
  await look(c.page, 'pair-decided');

  // Taken back by the other: both stand again, at the first officer's too.
  await c.page.locator('wb-record wb-pair').getByRole('button', { name: /^Hoàn tác/ }).click();
  await pair(a).getByRole('button', { name: 'Khác nhau' }).waitFor({ timeout: 60_000 });
  await pair(a).getByRole('button', { name: 'Khác nhau' }).click();
  await pair(a).getByText('Khác nhau').first().waitFor();
  await go(c, 'inbox/pairs');
  await c.page.locator('wb-inbox .cards').or(c.page.locator('wb-inbox .empty')).waitFor();
  await pair(c).waitFor({ state: 'detached', timeout: 60_000 });

  // Begun from an empty result, when a part of the register was here.
  await go(a, 'new/residents?unsure=620-2000');
  await a.tab.form();
  await a.tab.type('full_name', 'Lê Văn Chưa Tìm');
  await a.tab.save();
  await a.page.waitForURL(/#\/register\//);
  await a.page.getByText('620 của 2.000').waitFor();
  await a.tab.says(/Đã đồng bộ/, 60_000);
  const unsure = c.page.locator('wb-inbox .card', { hasText: 'Lê Văn Chưa Tìm' });
  await unsure.waitFor({ timeout: 60_000 });
  await look(c.page, 'unchecked');
  await unsure.getByRole('button', { name: 'Đã kiểm tra' }).click();
  await unsure.waitFor({ state: 'detached' });
  await a.page.getByText('620 của 2.000').waitFor({ state: 'detached', timeout: 60_000 });
  assert.deepEqual(people.flatMap(({ b }) => b.complaints), []);
});
