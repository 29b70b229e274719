// Two officers edit one record without a network. Different fields merge by themselves; the same field keeps both
// values, with who and when, until one of them settles it, offline; an edit against a deletion waits for a person.
import assert from 'node:assert/strict';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, browser }) => {
  const people = {};
  for (const name of ['officer.a', 'officer.b']) {
    const b = await browser();
    const tab = await b.tab();
    await tab.signIn(name, demo.passwords[name]);
    await tab.says(/Đã đồng bộ/);
    people[name] = { b, tab, page: tab.page };
  }
  const a = people['officer.a'];
  const c = people['officer.b'];
  const offline = (on) => Promise.all([a, c].map((one) => one.b.offline(on)));

  // One record, known to both.
  await a.tab.create('residents', { full_name: 'Đặng Thị Hai Người', phone: '0903 000 001' });
  await a.tab.stands(/đã nhận/);
  const id = a.tab.recordID();
  await c.tab.open('residents', id);

  // Different fields.
  await offline(true);
  await a.tab.open('residents', id);
  await a.tab.type('other_name', 'Bé Hai');
  await a.tab.save();
  await c.tab.type('hometown', 'Bến Tre');
  await c.tab.save();
  for (const one of [a, c]) await one.tab.says(/Chưa gửi: 1 thay đổi$/);
  await offline(false);
  for (const one of [a, c]) {
    await one.page.locator('#f-other_name').and(one.page.locator('input')).first().waitFor();
    await waitFor(async () => (await one.tab.field('other_name').inputValue()) === 'Bé Hai' && (await one.tab.field('hometown').inputValue()) === 'Bến Tre', 'different fields merge');
    assert.equal(await one.page.locator('.siblings, .torn').count(), 0, 'no conflict');
  }

  // The same field.
  await offline(true);
  await a.tab.type('other_name', 'Tên của A');
  await a.tab.save();
  await c.tab.type('other_name', 'Tên của B');
  await c.tab.save();
  await offline(false);
  for (const one of [a, c]) {
    const field = one.page.locator('wb-field').filter({ hasText: 'Tên gọi khác' });
    await field.getByText('Tên của A').first().waitFor({ timeout: 60_000 });
    await field.getByText('Tên của B').first().waitFor();
    const words = await field.innerText();
    assert.match(words, /Nguyễn Thị An/, words);
    assert.match(words, /Trần Văn Bình/, words);
    assert.match(words, /\d\d:\d\d/, words);
  }
  // One settles it, without a network, in a page that has just been loaded: it still knows people by their names.
  await offline(true);
  await a.page.reload();
  await a.tab.form();
  await a.page.locator('wb-field').filter({ hasText: 'Tên gọi khác' }).locator('li', { hasText: 'Tên của B' }).getByText('Trần Văn Bình').waitFor();
  await a.page.locator('wb-field').filter({ hasText: 'Tên gọi khác' }).locator('li', { hasText: 'Tên của B' }).getByRole('button').first().click();
  await waitFor(async () => (await a.tab.field('other_name').inputValue().catch(() => '')) === 'Tên của B', 'settled at once');
  await a.tab.says(/Chưa gửi: 1 thay đổi$/);
  await offline(false);
  await waitFor(async () => (await c.tab.field('other_name').inputValue().catch(() => '')) === 'Tên của B', 'the other hears of it');

  // An edit against a deletion.
  await offline(true);
  await a.page.getByRole('button', { name: 'Xóa hồ sơ' }).click();
  await a.page.locator('wb-asker dialog[open] button.danger').click();
  await a.page.getByText('đã xóa', { exact: false }).first().waitFor();
  await c.tab.type('hometown', 'Long An');
  await c.tab.save();
  await offline(false);
  for (const one of [a, c]) await one.page.getByText(/[Vv]ừa sửa vừa xóa/).first().waitFor({ timeout: 60_000 });
  await c.page.locator('.note-red').getByRole('button').first().click(); // keep the record
  for (const one of [a, c]) await one.page.locator('.note-red').waitFor({ state: 'detached', timeout: 60_000 });
  assert.equal(await a.tab.field('hometown').inputValue(), 'Long An');
  assert.deepEqual([...a.b.complaints, ...c.b.complaints], []);
});

async function waitFor(holds, what, timeout = 60_000) {
  const until = Date.now() + timeout;
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(`not within ${timeout / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
