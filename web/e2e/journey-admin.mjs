// The administrator makes an account, hands out a code and locks an account, whose open session ends within five
// seconds. On a borrowed device nothing of an account is left after its sign-out, once everything is received.
import assert from 'node:assert/strict';
import { signIn } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, network, browser }) => {
  const people = [];
  const enter = async (name, password, options, before = async () => {}) => {
    const b = await browser();
    people.push(b);
    await before(b);
    const tab = await b.tab();
    await tab.signIn(name, password, options);
    return { b, tab, page: tab.page };
  };
  // The office's screens are a script of their own: without it they say so, and it can be fetched again.
  const admin = await enter('admin', demo.passwords.admin, {}, (b) => b.context.route(/office\.js/, (route) => route.abort()));
  await admin.page.goto(`${admin.b.url}/#/accounts`);
  await admin.page.getByRole('alert').getByText('Chưa tải được phần này').waitFor();
  await admin.b.context.unroute(/office\.js/);
  await admin.page.getByRole('button', { name: 'Thử lại' }).click();
  const row = (name) => admin.page.locator('wb-accounts tbody tr').filter({ has: admin.page.locator('.sub', { hasText: new RegExp(`^${name.replace('.', '\\.')}$`) }) });
  await row('officer.b').waitFor();
  const dialog = admin.page.locator('wb-asker dialog[open]');
  const act = async (name, what) => {
    await row(name).locator('summary').click();
    await row(name).getByRole('button', { name: what, exact: true }).click();
    await dialog.getByRole('button', { name: what, exact: true }).click();
  };
  const secret = async () => {
    const text = (await dialog.locator('.secret').innerText()).trim();
    await dialog.getByRole('button', { name: 'Đóng' }).click();
    return text;
  };

  // An account is made on the screen; its first password is seen once.
  await admin.page.getByRole('button', { name: 'Tạo tài khoản' }).first().click();
  const make = admin.page.locator('dialog.make[open]');
  await make.locator('input[name=name]').fill('officer.moi');
  await make.locator('input[name=display]').fill('Phạm Thị Mới');
  await make.locator('select[name=role]').selectOption('officer');
  const unit = (await row('officer.b').locator('td').nth(1).innerText()).trim();
  await make.locator('#make-unit').fill(unit);
  await make.locator('[role=option]').filter({ hasText: unit }).first().click();
  await make.getByRole('button', { name: 'Tạo tài khoản' }).click();
  const password = await secret();
  assert.ok(password.length >= 10, 'a first password');
  await row('officer.moi').waitFor();
  assert.match(await row('officer.moi').innerText(), /Phạm Thị Mới[\s\S]*Cán bộ/);
  assert.ok((await row('officer.moi').innerText()).includes(unit), 'in the unit that was chosen');

  // A code for a device of theirs; the server asks for a new password at the first sign-in.
  await act('officer.moi', 'Cấp mã thiết bị');
  const code = await secret();
  assert.match(code, /\S{6,}/);
  const newcomer = await browser();
  people.push(newcomer);
  const first = await newcomer.tab();
  await first.page.locator('input[name=name]').fill('officer.moi');
  await first.page.locator('input[name=password]').fill(password);
  await first.page.locator('details.quiet summary', { hasText: 'mã ghi danh' }).click();
  await first.page.locator('input[name=code]').fill(code);
  const enterButton = first.page.getByRole('button', { name: 'Đăng nhập', exact: true });
  await enterButton.click();
  await first.page.locator('.app').or(first.page.locator('input[name=new]')).first().waitFor();
  if (await first.page.locator('input[name=new]').isVisible()) {
    await first.page.locator('input[name=new]').fill('một câu ngắn dễ nhớ');
    await enterButton.click();
  }
  await first.entered();
  await first.says(/Đã đồng bộ/, 60_000);
  await newcomer.stop();

  // No register is the administrator's, and no other role's screen: the way back is to the first of their own.
  for (const hash of ['#/register/residents', '#/new/residents', '#/inbox', '#/here', '#/desk', '#/held']) {
    await admin.page.goto(`${admin.b.url}/${hash}`);
    await admin.page.getByText('Màn hình này không dành cho vai trò Quản trị.').waitFor();
    assert.equal(await admin.page.locator('main').getByRole('link').count(), 1, `${hash} leads elsewhere`);
    await admin.page.getByRole('link', { name: 'Về trang đầu', exact: true }).click();
    await row('officer.b').waitFor();
  }

  // Locked while at work: the session ends, and there is no way back in.
  const officer = await enter('officer.b', demo.passwords['officer.b']);
  await officer.tab.says(/Đã đồng bộ/);
  await act('officer.b', 'Khóa tài khoản');
  const began = Date.now();
  await officer.page.locator('.app').waitFor({ state: 'detached' });
  const took = Date.now() - began;
  assert.ok(took < 5000, `the open session ended after ${took} ms`);
  await officer.page.locator('wb-sign-in').waitFor();
  await row('officer.b').getByText('đã khóa').waitFor();
  await assert.rejects(signIn(demo.url, 'officer.b', demo.passwords['officer.b']), /account_disabled/);

  // A borrowed device keeps what is unsent, and nothing once it is received.
  const borrower = await enter('officer.a', demo.passwords['officer.a'], { borrowed: true });
  await borrower.tab.says(/Đã đồng bộ/);
  assert.ok((await stores(borrower.page)).length > 0, 'there is a store');
  network.cut();
  await borrower.b.offline(true);
  await borrower.tab.create('residents', { full_name: 'Đặng Thị Máy Mượn' });
  await borrower.tab.says(/Chưa gửi: 1 thay đổi$/);
  await borrower.tab.signOut();
  const known = borrower.page.getByRole('button', { name: 'Nguyễn Thị An' });
  await known.waitFor();
  assert.match(await known.innerText(), /1 chưa gửi/);
  network.mend();
  await borrower.b.offline(false);
  await borrower.tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  await borrower.tab.says(/Đã đồng bộ \d\d:\d\d/, 60_000);
  await borrower.tab.signOut();
  await borrower.page.locator('input[name=name]').waitFor();
  assert.equal(await known.count(), 0, 'nobody is known here any more');
  assert.deepEqual(await stores(borrower.page), [], 'no file of the account is left');

  assert.deepEqual(people.flatMap((one) => one.complaints), []);
});

/** The private folders of accounts in this browser that still hold a file. */
function stores(page) {
  return page.evaluate(async () => {
    const left = [];
    const walk = async (folder, path) => {
      for await (const [name, entry] of folder.entries()) {
        if (entry.kind === 'directory') await walk(entry, `${path}${name}/`);
        else left.push(path + name);
      }
    };
    await walk(await navigator.storage.getDirectory(), '/');
    for (const { name } of await indexedDB.databases()) if (/mirror/.test(name)) left.push(name);
    return left;
  });
}
