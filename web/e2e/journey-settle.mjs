// The inbox: two values of one field with who, when, from where, what stood before, and a proposal; settled with one
// tap, undone without a network, settled again; a colleague brings the value back that gave way. Masked values are
// revealed one by one.
import assert from 'node:assert/strict';
import { journey } from './harness/app.mjs';
import { look } from './harness/look.mjs';

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
  const offline = (on) => Promise.all(people.map(({ b }) => b.context.setOffline(on)));
  const card = (page) => page.locator('wb-inbox .card', { hasText: 'Đặng Thị Hai Lòng' });
  const field = (page, label) => card(page).locator('wb-field').filter({ hasText: label });

  await a.tab.create('residents', { full_name: 'Đặng Thị Hai Lòng', other_name: 'Bé Hai', phone: '0903 000 001' });
  await a.tab.stands(/đã nhận/);
  const id = a.tab.recordID();
  await c.tab.open('residents', id);
  await offline(true);
  await a.tab.open('residents', id);
  await a.tab.type('other_name', 'Bé Hai Lớn');
  await a.tab.reveal('phone');
  await a.tab.type('phone', '0903 000 002');
  await a.tab.save();
  await c.tab.type('other_name', 'bé hai lớn, chị Hai');
  await c.tab.reveal('phone');
  await c.tab.type('phone', '0903 000 003');
  await c.tab.save();
  await offline(false);
  for (const { tab } of people) await tab.says(/Đã đồng bộ/, 60_000);

  // The inbox says all that there is to know.
  await a.page.goto(`${a.page.url().split('#')[0]}#/inbox`);
  await field(a.page, 'Tên gọi khác').locator('li').nth(1).waitFor({ timeout: 60_000 });
  const words = await field(a.page, 'Tên gọi khác').innerText();
  for (const want of [/Trước đó: Bé Hai$/m, /Nguyễn Thị An/, /Trần Văn Bình/, /máy này/, /\d\d:\d\d theo máy/, /\d\d:\d\d theo máy chủ/, /Gợi ý: đầy đủ hơn/]) assert.match(words, want, words);
  await field(a.page, 'Tên gọi khác').getByRole('button', { name: 'Hỏi máy chủ' }).click();
  await field(a.page, 'Tên gọi khác').getByText(/từ Chrome/).first().waitFor();
  const phone = field(a.page, 'điện thoại');
  assert.doesNotMatch(await phone.innerText(), /0903 000 00[23]/);
  await phone.getByRole('button', { name: 'Hiện' }).first().click();
  await phone.getByText(/^0903 000 00[23]$/).first().waitFor();
  assert.equal(await phone.getByText(/^0903 000 00[23]$/).count(), 1, 'one of the two is revealed');
  const tabs = a.page.locator('wb-inbox .tabs a');
  await until(() => a.page.locator('wb-inbox .cards > li').count(), (n) => n > 1, 'the conflicts are listed');
  assert.equal(await tabs.nth(0).innerText(), `Xung đột ${await a.page.locator('wb-inbox .cards > li').count()}`);
  await tabs.nth(1).filter({ hasText: /^Có thể trùng \d+$/ }).waitFor();
  await look(a.page, 'inbox');

  // One tap, undone without a network, and settled again as proposed.
  await offline(true);
  await field(a.page, 'Tên gọi khác').locator('li', { hasText: 'Nguyễn Thị An' }).getByRole('button', { name: /^Chọn/ }).click();
  await field(a.page, 'Tên gọi khác').getByText('Bạn đã chọn giá trị này thay cho').waitFor();
  await look(a.page, 'inbox-settled');
  await field(a.page, 'Tên gọi khác').getByRole('button', { name: /^Hoàn tác/ }).click();
  await field(a.page, 'Tên gọi khác').locator('li').nth(1).waitFor();
  await field(a.page, 'Tên gọi khác').locator('li.advised').getByRole('button', { name: /^Chọn/ }).click();
  await phone.locator('li').first().getByRole('button', { name: /^Chọn/ }).click();
  await offline(false);
  await a.tab.says(/Đã đồng bộ/, 60_000);

  // The colleague sees it settled, and brings the other value back.
  await until(async () => (await c.tab.field('other_name').inputValue().catch(() => '')) === 'bé hai lớn, chị Hai', 'the colleague sees the choice');
  await c.page.getByRole('button', { name: 'Lịch sử' }).click();
  const history = c.page.locator('wb-history');
  await history.locator('li', { hasText: 'đã được thay' }).first().waitFor();
  await look(c.page, 'history');
  const first = history.locator('ol > li').last(); // the save that made it
  assert.ok((await first.locator('.history-field').count()) > 1, await first.innerText());
  assert.equal((await first.innerText()).match(/theo máy(?! chủ)/g)?.length, 1, 'one save says more than once when it was');
  await history.locator('.history-field', { hasText: 'Tên gọi khác' }).filter({ hasText: /Bé Hai Lớn/ }).filter({ has: c.page.getByRole('button', { name: /^Dùng lại/ }) }).first().getByRole('button', { name: /^Dùng lại/ }).click();
  await until(async () => (await c.tab.field('other_name').inputValue()) === 'Bé Hai Lớn', 'brought back');
  await a.tab.open('residents', id);
  await until(async () => (await a.tab.field('other_name').inputValue().catch(() => '')) === 'Bé Hai Lớn', 'the first officer sees it');
  // A supervisor settles what one rule proposes, after a look at it, without a network; fields of high risk are left.
  await offline(true);
  await a.tab.type('hometown', 'BẾN TRE');
  await a.tab.save();
  await c.tab.type('hometown', 'Bến Tre');
  await c.tab.save();
  await offline(false);
  for (const { tab } of people) await tab.says(/Đã đồng bộ/, 60_000);
  const s = await browser();
  const desk = await s.tab();
  await desk.signIn('supervisor', demo.passwords.supervisor);
  await desk.says(/Đã đồng bộ/, 60_000);
  await s.context.setOffline(true);
  await desk.page.goto(`${desk.page.url().split('#')[0]}#/inbox`);
  const rules = desk.page.locator('wb-rules');
  await rules.locator('summary').click();
  await rules.getByRole('button', { name: 'Xem trước' }).click();
  const one = rules.locator('li', { hasText: 'Hai Lòng' });
  await one.getByText('Bến Tre', { exact: true }).waitFor();
  assert.match(await one.innerText(), /thay cho: BẾN TRE/);
  assert.equal(await desk.page.locator('.nav-registers').count(), 1, 'the registers are listed once');
  await look(desk.page, 'rules');
  const n = await rules.locator('li').count();
  await rules.getByRole('button', { name: `Chọn ${n} giá trị` }).click();
  await desk.page.getByText(`Đã chọn ${n} giá trị`).waitFor();
  await s.context.setOffline(false);
  await desk.says(/Đã đồng bộ/, 60_000);
  for (const { tab } of people) await until(async () => (await tab.field('hometown').inputValue().catch(() => '')) === 'Bến Tre', 'settled by the rule');
  assert.deepEqual(s.complaints, []);
  assert.deepEqual(people.flatMap(({ b }) => b.complaints), []);
});

async function until(holds, what, timeout = 60_000) {
  const late = Date.now() + timeout;
  while (!(await holds())) {
    if (Date.now() > late) throw new Error(`not within ${timeout / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
