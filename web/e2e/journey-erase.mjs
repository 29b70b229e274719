// A record is erased by law: a supervisor asks and cannot confirm, an administrator does. An officer's device that was
// out with an unsent edit of it and an open form comes back, shows nothing of it any more and says why; what it wrote
// in another record arrives. Then the request says that the device has let go; until then it names it. A second
// supervisor declines, with a reason that the first and the log see; the first takes a request back; and what has moved
// to another ward by then is not theirs to confirm.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { look } from './harness/look.mjs';

const gone = /đã được (xóa|xoá) theo luật/;

await journey(async ({ enter, browser, demo, network }) => {
  const officer = await enter('officer.a');
  const id = await officer.tab.received('residents', { full_name: 'Lê Thị Xin Xóa', phone: '0903 000 077' });
  const other = await officer.tab.received('residents', { full_name: 'Lê Thị Còn Lại', phone: '0903 000 078' });

  // The officer goes out with both, and edits both.
  await officer.browser.offline(true);
  await officer.tab.open('residents', other);
  await officer.tab.type('other_name', 'Cô Ở Lại');
  await officer.tab.save();
  await officer.tab.open('residents', id);
  await officer.tab.type('other_name', 'Chưa Gửi');
  await officer.tab.save();
  await officer.tab.type('hometown', 'Đang gõ dở');

  // A supervisor asks: the ground is missing, then the password is wrong.
  const desk = await enter('supervisor');
  await desk.page.goto(`${desk.browser.url}/#/desk/${id}`);
  await desk.page.getByRole('button', { name: 'Xóa theo luật…' }).click();
  const dialog = desk.page.locator('dialog.erase[open]');
  await dialog.getByText('Không ai lấy lại được').waitFor();
  await look(desk.page, 'erase-ask');
  await dialog.locator('select').selectOption('subject_request');
  await dialog.locator('textarea').fill('Đơn của bà Lê Thị Xin Xóa');
  await dialog.locator('input[name=password]').fill('không phải mật khẩu');
  await dialog.getByRole('button', { name: 'Gửi yêu cầu xóa' }).click();
  await dialog.locator('#erase-password').waitFor();
  await look(desk.page, 'erase-wrong');
  await dialog.locator('input[name=password]').fill(demo.passwords.supervisor);
  await dialog.getByRole('button', { name: 'Gửi yêu cầu xóa' }).click();
  await dialog.waitFor({ state: 'detached' });
  const place = desk.page.locator('wb-desk a[href="#/erasures"]');
  await place.locator('.count-badge', { hasText: '1' }).waitFor();
  await place.click();
  const request = desk.page.locator('wb-erasures .card').first();
  await request.getByText('Lê Thị Xin Xóa', { exact: true }).waitFor();
  await request.getByText('người khác phải xác nhận').waitFor();
  assert.equal(await request.getByRole('button', { name: 'Xác nhận xóa' }).count(), 0, 'nobody confirms what they asked for');
  await look(desk.page, 'erase-own');

  // The administrator confirms, and is told neither the name nor the reason.
  const b = await browser();
  const admin = { browser: b, tab: await b.tab() };
  await admin.tab.signIn('admin', demo.passwords.admin);
  const { page } = admin.tab;
  await page.goto(`${b.url}/#/erasures`);
  const open = page.locator('wb-erasures .card').first();
  await open.waitFor();
  assert.doesNotMatch(await open.innerText(), /Xin Xóa/);
  await look(page, 'erase-open');
  await open.getByRole('button', { name: 'Xác nhận xóa' }).click();
  const sure = page.locator('dialog.erase[open]');
  await sure.locator('input[name=password]').fill(demo.passwords.admin);
  await look(page, 'erase-confirm');
  await sure.getByRole('button', { name: 'Xác nhận xóa' }).click();
  await page.locator('wb-erasures .card').getByText('đã xóa', { exact: true }).waitFor();
  const told = async () => {
    const [, n, of] = /(\d+) trên (\d+) máy/.exec(await page.locator('wb-erasures .card').first().innerText());
    return [Number(n), Number(of)];
  };
  await until(told, ([n]) => n >= 1, 'the supervisor’s device has let go');
  const [before, of] = await told();
  assert.ok(before < of, `${before} of ${of}: the officer’s device was not told yet`);
  const waits = page.locator('wb-erasures .card').first().locator('.erase-waits');
  const phone = waits.locator('li', { hasText: /^Nguyễn Thị An · .+ trên Linux\s*liên lạc cuối/ });
  await waits.locator('summary').click();
  await phone.waitFor();
  await look(page, 'erase-waits');

  // The officer comes back: the form closes and says why; so does a link. The other record is untouched.
  assert.equal(await officer.tab.field('hometown').inputValue(), 'Đang gõ dở');
  await officer.browser.offline(false);
  await officer.page.locator('wb-record [role=alert]', { hasText: gone }).waitFor({ timeout: 60_000 });
  assert.equal(await officer.page.locator('wb-record article').count(), 0, 'nothing of it is on the screen');
  await look(officer.page, 'erase-gone');
  await officer.tab.says(/Đã đồng bộ/, 60_000);
  await officer.tab.open('residents', other);
  await officer.tab.holds('other_name', 'Cô Ở Lại');
  await officer.tab.stands(/đã nhận/);
  await officer.page.goto(`${officer.browser.url}/#/register/residents/${id}`);
  await officer.page.locator('wb-record [role=alert]', { hasText: gone }).waitFor();
  await officer.tab.register('residents');
  await officer.tab.search('Xin Xóa');
  assert.deepEqual((await officer.tab.titles()).filter((title) => /Xin Xóa/.test(title)), []);

  // And the request says so.
  await until(told, ([n]) => n > before, 'the officer’s device has let go');
  await phone.waitFor({ state: 'detached' });
  await look(page, 'erase-done');
  await desk.page.getByText('đã xóa', { exact: true }).waitFor();

  // A second supervisor declines, and cannot without a reason; the first sees it, and so does who reads the log.
  const second = await enter('supervisor.b');
  const at = async ({ browser, page }, hash) => {
    await page.goto(`${browser.url}/${hash}`);
    await page.reload(); // what was asked meanwhile
  };
  const ask = async (id) => {
    await at(desk, `#/desk/${id}`);
    await desk.page.getByRole('button', { name: 'Xóa theo luật…' }).click();
    await dialog.locator('select').selectOption('order');
    await dialog.locator('textarea').fill('Công văn của tòa');
    await dialog.locator('input[name=password]').fill(demo.passwords.supervisor);
    await dialog.getByRole('button', { name: 'Gửi yêu cầu xóa' }).click();
    await dialog.waitFor({ state: 'detached' });
  };
  const card = ({ page }, words) => page.locator('wb-erasures .card').filter({ hasText: 'Cơ quan có thẩm quyền' }).filter({ hasText: words }).first();
  const asked = ({ page }) => page.locator('wb-asker dialog[open]');
  await ask(other);
  await at(second, '#/erasures');
  await card(second, 'Lê Thị Còn Lại').getByRole('button', { name: 'Từ chối' }).click();
  await asked(second).getByRole('button', { name: 'Từ chối' }).click();
  await asked(second).locator('select:invalid').waitFor();
  await look(second.page, 'erase-decline');
  await asked(second).locator('select').selectOption('must_keep');
  await asked(second).getByRole('button', { name: 'Từ chối' }).click();
  await card(second, 'bị từ chối').waitFor();
  await at(desk, '#/erasures');
  await card(desk, 'bị từ chối').getByText('Luật buộc còn phải lưu giữ').waitFor();
  await card(desk, 'bị từ chối').getByText('Huỳnh Ngọc Bích').waitFor();
  await look(desk.page, 'erase-declined');
  await page.goto(`${b.url}/#/audit`);
  await page.locator('wb-audit tr', { hasText: 'từ chối xóa theo luật' }).getByText('Luật buộc còn phải lưu giữ').waitFor();

  // Asked again, and taken back by who asked; nobody else is offered to.
  await ask(other);
  await at(second, '#/erasures');
  await card(second, 'chờ xác nhận').getByRole('button', { name: 'Từ chối' }).waitFor();
  assert.equal(await second.page.getByRole('button', { name: 'Rút lại yêu cầu' }).count(), 0, 'another is offered to take it back');
  await at(desk, '#/erasures');
  await card(desk, 'chờ xác nhận').getByRole('button', { name: 'Rút lại yêu cầu' }).click();
  await asked(desk).getByRole('button', { name: 'Rút lại yêu cầu' }).click();
  await card(desk, 'đã rút lại').waitFor();
  await card(second, 'đã rút lại').waitFor(); // without being loaded again
  assert.equal(await second.page.getByRole('button', { name: 'Xác nhận xóa' }).count(), 0);

  // Asked for, and then sent to another ward: a supervisor of this one is told so, and nothing is erased.
  await ask(other);
  const server = await signIn(network.url, 'supervisor', demo.passwords.supervisor);
  await server('POST', '/api/v1/records/move', { records: [other], to: '27676', reason: 'Chuyển nhà' });
  await at(second, '#/erasures');
  await card(second, 'chờ xác nhận').getByRole('button', { name: 'Xác nhận xóa' }).click();
  await second.page.locator('dialog.erase[open] input[name=password]').fill(demo.passwords['supervisor.b']);
  await second.page.locator('dialog.erase[open]').getByRole('button', { name: 'Xác nhận xóa' }).click();
  await second.page.locator('dialog.erase[open] [role=alert]', { hasText: 'đã chuyển sang phường khác' }).waitFor();
  await look(second.page, 'erase-elsewhere');
  await second.page.locator('dialog.erase[open]').getByRole('button', { name: 'Hủy' }).click();
  await card(second, 'chờ xác nhận').waitFor();
  assert.deepEqual([officer.browser, desk.browser, second.browser, b].flatMap(({ complaints }) => complaints).filter((text) => !/status of 401|status of 403/.test(text)), []);
});
