// A day without a mouse: the keyboard alone, and one address typed for each browser. An officer signs in, finds a person
// without diacritics, edits and saves while typing on, makes a new resident and hands it in, settles a conflict; a
// supervisor approves, returns, refuses and signs out. At each step the focus is in sight, marked, and where the work
// goes on; it is never lost when what had it goes away.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { Keys } from './harness/keys.mjs';

await journey(async ({ demo, network, browser }) => {
  const enter = async (name) => {
    const b = await browser();
    const { page, ...tab } = await b.tab();
    const keys = new Keys(page);
    await keys.on(/Tên đăng nhập|Tài khoản/, 'input');
    await keys.type(name);
    await keys.press('Tab');
    await keys.type(demo.passwords[name]);
    await keys.press('Enter');
    await page.locator('.app').waitFor();
    await keys.on(/./, 'main');
    return { b, page, keys, tab };
  };
  const synced = (page) => page.locator('wb-status button.status-green').waitFor({ timeout: 60_000 });
  const value = (page, name) => page.locator(`#f-${name}`).inputValue();
  const saved = (page) => page.locator('wb-record article[aria-busy=false] .record-foot .main:disabled').waitFor();

  const officer = await enter('officer.a');
  const { page, keys } = officer;
  await synced(page);

  // The register, and a person in it.
  await keys.tab(/Rà soát hộ và nhân khẩu/);
  await keys.press('Enter');
  await keys.on(/./, 'main');
  await keys.tab(/^Tìm/, { tag: 'input' });
  await keys.type('dang thi');
  await page.locator('.count', { hasText: 'Tìm thấy' }).waitFor();
  await until(() => page.locator('wb-rows .row-title').allInnerTexts(), (titles) => titles.length > 0 && titles.every((title) => /đặng thị/i.test(title)), 'found without diacritics');
  await keys.press('ArrowDown');
  const first = await keys.on(/Đặng Thị/i, 'a');
  await keys.press('ArrowDown');
  await until(() => keys.at(), (at) => at?.tag === 'a' && at.label !== first.label, 'the arrow goes to the next row');
  await keys.press('ArrowUp', 'Enter');
  await keys.on(/^Đặng Thị/i, 'h1');

  // Edited, saved with Ctrl+S, and typed on into while it is being saved: nothing of it is lost, and the focus stays.
  await keys.tab(/^Tên gọi khác/);
  await keys.press('Control+a');
  await keys.type('Cô Tư');
  await keys.press('Control+s');
  await keys.type(' Bé');
  await page.locator('.said', { hasText: 'Đã lưu' }).waitFor();
  await page.locator('wb-record article[aria-busy=false] .record-foot .main:enabled').waitFor();
  assert.equal(await value(page, 'other_name'), 'Cô Tư Bé', 'what was typed during the save');
  await keys.on(/^Tên gọi khác/, 'input');
  await keys.press('Control+s');
  await saved(page);
  assert.equal(await value(page, 'other_name'), 'Cô Tư Bé');
  await keys.on(/^Tên gọi khác/, 'input');
  const kept = page.url().split('/').at(-1);
  const asSupervisor = await signIn(network.url, 'supervisor', demo.passwords.supervisor);
  await until(() => asSupervisor('GET', `/api/v1/records/${kept}/history`).catch((error) => error.message), (record) => JSON.stringify(record).includes('Cô Tư Bé'), 'the server has what was typed during the save', 60_000);

  // A new resident: choices, a year alone, a unit by a part of its name.
  await keys.tab(/Thêm/, { back: true });
  await keys.press('Enter');
  await keys.on(/Số định danh cá nhân/, 'input');
  await keys.press('Tab', 'ArrowDown'); // why there is no number
  await keys.tab(/^Họ, chữ đệm/);
  await keys.type('Đặng Thị Phím');
  await keys.press('Enter');
  await keys.on(/^Tên gọi khác/, 'input');
  await keys.press('Control+s'); // the address is the record's now, and the form is the same
  await page.waitForURL(/#\/register\/residents\//);
  await saved(page);
  await keys.on(/^Tên gọi khác/, 'input');
  await keys.type('Bé Phím');
  await keys.press('Enter');
  await keys.on(/^Ngày, tháng, năm sinh/, 'input');
  await keys.type('..../1958');
  await keys.press('Tab');
  assert.equal(await value(page, 'dob'), '1958');
  await keys.on(/^Giới tính/, 'select');
  await keys.press('ArrowDown');
  await keys.tab(/^Quê quán/);
  await keys.type('sai gon');
  await page.locator('[role=option]:visible', { hasText: 'Sài Gòn' }).waitFor();
  await keys.press('ArrowDown', 'Enter');
  await until(() => value(page, 'hometown'), (text) => /Sài Gòn/.test(text), 'a unit by a part of its name');
  await keys.tab(/^Dân tộc/);
  await keys.type('hoa');
  await page.locator('[role=option]:visible', { hasText: /^Hoa$/ }).waitFor();
  await keys.press('ArrowDown', 'Enter');
  await until(() => value(page, 'ethnic'), (text) => text === 'Hoa', 'a choice by its name');
  await keys.tab(/^Tình trạng hôn nhân/);
  await keys.press('ArrowDown');
  await keys.tab(/^Loại cư trú/);
  await keys.press('End');
  for (const address of ['permanent_address', 'current_address']) {
    await keys.tab(/Số nhà/);
    await keys.type('12 Lê Lợi');
    await keys.tab(/./, { tag: 'input' });
    await keys.type('sai gon');
    await page.locator('[role=option]:visible', { hasText: 'Sài Gòn' }).waitFor();
    await keys.press('ArrowDown', 'Enter');
    await until(() => value(page, `${address}-unit`), (text) => /Sài Gòn/.test(text), `the unit of ${address}`);
    await page.locator('wb-field').filter({ has: page.locator(`#f-${address}-unit`) }).locator('.why').waitFor({ state: 'detached' }); // it is complete now
  }
  await keys.tab(/^Khu phố/);
  await keys.type('Khu phố 1');
  await keys.tab(/^Quan hệ với chủ hộ/);
  await keys.press('ArrowDown');
  // Handed in; what is still missing, or wants a reason, has the focus.
  await keys.press('Control+Enter');
  for (let step = 0; step < 6; step++) {
    const said = page.locator('.said', { hasText: 'trình' });
    const wrong = page.locator('.note-red[role=alert]');
    await page.locator('wb-record article[aria-busy=false]').waitFor();
    await said.or(wrong).first().waitFor();
    if (!(await wrong.count())) break;
    const at = await keys.on(/./);
    console.log(`asked for ${at.label}`);
    if (/lý do|vì sao/i.test(at.label)) await keys.type('Đã kiểm tra tại nhà.');
    else throw new Error(`still wanted: ${await wrong.innerText()}`);
    await keys.press('Control+Enter');
  }
  await page.locator('wb-record .tag', { hasText: 'chờ duyệt' }).or(page.locator('wb-record .record-state', { hasText: /trình|chờ duyệt/ })).first().waitFor();
  const made = page.url().split('/').at(-1);
  await synced(page);

  // A conflict in the inbox: chosen, and the way back has the focus.
  await keys.tab(/Cần xử lý|Hộp việc|Việc/, { back: true, most: 90, tag: 'a' });
  await keys.press('Enter');
  await page.locator('wb-inbox .card').first().waitFor();
  await keys.on(/./, 'main');
  await keys.tab(/^Chọn/, { tag: 'button' });
  await keys.press('Enter');
  await keys.on(/^Hoàn tác/, 'button');
  await synced(page);

  // The desk. It opens by itself; a key leads to the next.
  const supervisor = await enter('supervisor');
  const desk = supervisor.keys;
  await supervisor.page.locator('.queue-row').first().waitFor();
  await desk.press('?');
  await desk.on(/^Đóng/, 'button');
  await desk.press('Escape');
  await desk.on(/./, 'main');
  await desk.tab(/^Cần xem/, { tag: 'button' });
  await desk.press('Enter');
  await until(() => supervisor.page.locator('.queue-row').first().innerText(), (row) => !/xung đột/.test(row), 'those that need eyes');
  /** Does something after which the queue stands at another record, whose name then has the focus. */
  const next = async (act) => {
    const before = supervisor.page.url();
    await act();
    await until(async () => supervisor.page.url(), (url) => url !== before, 'the queue moves on');
    const title = await supervisor.page.locator('.queue-row[aria-current] .row-title').innerText();
    await until(() => supervisor.page.locator('wb-review h1').innerText(), (shown) => shown === title, 'the record beside the queue');
    await desk.on(new RegExp(`^${title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`), 'h1');
  };
  await desk.tab(/hồ sơ mới|cảnh báo/, { tag: 'a', most: 20 }); // one row is a stop, not hundreds
  const top = await desk.at();
  await desk.press('ArrowDown');
  assert.notEqual((await desk.on(/./, 'a')).label, top.label, 'the arrow goes to the next row');
  await next(() => desk.press('Enter'));
  await next(() => desk.press('j'));
  await next(() => desk.press('k'));
  await next(async () => {
    await desk.press('a');
    const asked = supervisor.page.locator('wb-asker dialog[open]');
    const said = supervisor.page.locator('.said', { hasText: 'Đã duyệt' });
    await asked.or(said).first().waitFor();
    if (await asked.isVisible()) {
      await desk.on(/^Duyệt/, 'button');
      await desk.press('Enter');
    }
  });
  const returned = (await supervisor.page.url()).split('/').at(-1);
  await next(async () => {
    await desk.press('r');
    await supervisor.page.locator('wb-asker dialog[open]').waitFor();
    const at = await desk.on(/./);
    if (at.tag === 'input') {
      await desk.press('Space');
      await desk.tab(/./, { tag: 'textarea' });
    }
    await desk.type('Xin ghi rõ căn cứ.');
    await desk.press('Control+Enter');
  });
  const refused = (await supervisor.page.url()).split('/').at(-1);
  await next(async () => {
    await desk.press('x');
    await desk.on(/Lý do/, 'textarea');
    await desk.type('Không thuộc địa bàn.');
    await desk.press('Control+Enter');
  });
  const stage = async (id) => (await asSupervisor('GET', `/api/v1/review/records/${id}`).catch((error) => ({ stage: error.message }))).stage;
  await until(() => stage(returned), (is) => is === 'returned', 'returned');
  await until(() => stage(refused), (is) => is === 'refused', 'refused');
  assert.ok(made);

  // Out: the menu is at the top, and the sign-in page begins at the account.
  await desk.tab(/Tài khoản|Phạm|Sơn/, { back: true, most: 60, tag: 'summary' });
  await desk.press('Enter');
  await desk.tab(/^Đăng xuất$/, { tag: 'button' });
  await desk.press('Enter');
  await desk.on(/^Đăng xuất|^Ra/, 'button');
  await desk.press('Enter');
  await supervisor.page.locator('wb-sign-in').waitFor();
  await desk.on(/Sơn/, 'button');
  await desk.press('Enter');
  await desk.on(/Mật khẩu/, 'input');
  assert.deepEqual([officer, supervisor].flatMap(({ b }) => b.complaints), []);
});
