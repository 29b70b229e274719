// Every screen, in Vietnamese, at the width of a phone and of a PC: axe-core finds nothing serious, nothing is wider
// than the window, and names that are markup are seen as text by officer, desk and history, without a dialog and
// without a violation of the content security policy. Each screen is photographed into web/e2e/out.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { journey } from './harness/app.mjs';
import { findings } from './harness/look.mjs';

const out = fileURLToPath(new URL('./out/', import.meta.url));
const sizes = { phone: { width: 360, height: 740 }, desk: { width: 1280, height: 800 } };
const name = '<img src=x onerror=alert(1)>';
const script = '"><script>alert(1)</script>';
const other = "<svg onload=alert(1)>' onfocus=alert(1) autofocus='";

await mkdir(out, { recursive: true });
await journey(async ({ demo, network, browser }) => {
  const problems = [];
  const browsers = [];
  const enter = async (account) => {
    const b = await browser();
    browsers.push(b);
    b.context.on('dialog', (dialog) => {
      problems.push(`a dialog opened: ${dialog.message()}`);
      void dialog.dismiss();
    });
    const tab = await b.tab();
    await tab.signIn(account, demo.passwords[account]);
    return { b, tab, page: tab.page };
  };
  const go = async ({ b, page }, hash, settled) => {
    await page.goto(`${b.url}/${hash}`);
    await page.locator(settled).first().waitFor();
    await page.waitForTimeout(300); // what is still being drawn
  };
  const look = async ({ page }, screen) => {
    for (const [size, viewport] of Object.entries(sizes)) {
      await page.setViewportSize(viewport);
      await page.waitForTimeout(200);
      await page.screenshot({ path: `${out}journey-${screen}-${size}.png` });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) problems.push(`${screen}, ${size}: ${wide} px wider than the window`);
      // Nobody could scroll that back: a keyboard that comes up, or a search for a word, would leave half of a screen empty.
      const behind = await page.evaluate(() => [...document.querySelectorAll('main')].filter((place) => getComputedStyle(place).overflowY === 'hidden').reduce((most, place) => Math.max(most, place.scrollHeight - place.clientHeight), 0));
      if (behind > 0) problems.push(`${screen}, ${size}: ${behind} px lie behind the edge`);
      problems.push(...(await findings(page)).map((finding) => `${screen}, ${size}: ${finding}`));
    }
  };
  /** Asserts that a text is seen as it was typed. */
  const seen = async ({ page }, where, text) => {
    const all = page.locator(where);
    await all.filter({ hasText: text }).first().waitFor();
  };

  // The officer's screens.
  const stranger = await browser();
  const door = { page: (await stranger.tab()).page };
  await door.page.locator('input[name=name]').waitFor();
  await look(door, 'sign-in');
  await stranger.stop();
  const a = await enter('officer.a');
  await a.tab.says(/Đã đồng bộ/);
  await look(a, 'registers');
  await go(a, '#/new/residents', 'wb-record form');
  await look(a, 'new');
  await a.tab.create('residents', { full_name: name, dob: '1958', other_name: script, hometown: 'Bến Tre' });
  await a.tab.stands(/đã nhận/);
  const id = a.tab.recordID();
  await seen(a, 'wb-record h1', name);
  assert.equal(await a.tab.field('other_name').inputValue(), script);
  await look(a, 'record');
  // What is said in passing covers nothing that is pressed next.
  await a.page.setViewportSize(sizes.phone);
  const passing = a.page.locator('.said p').boundingBox();
  await a.tab.type('hometown', 'Trà Vinh');
  await a.tab.save();
  const words = await passing;
  const foot = await a.page.locator('wb-record .record-foot').boundingBox();
  assert.ok(words.y + words.height <= foot.y, `what is said ends at ${words.y + words.height} px, and the buttons begin at ${foot.y}`);
  await a.page.getByRole('button', { name: 'Lưu và trình duyệt' }).click();
  await a.page.locator('.note-red[role=alert]').waitFor();
  await look(a, 'record-blocked');

  // Two markups in one field.
  const b = await enter('officer.b');
  await b.tab.says(/Đã đồng bộ/);
  await b.tab.open('residents', id);
  for (const one of [a, b]) await one.b.offline(true);
  await a.tab.type('other_name', `${script} A`);
  await a.tab.save();
  await b.tab.type('other_name', other);
  await b.tab.save();
  for (const one of [a, b]) await one.b.offline(false);
  for (const one of [a, b]) {
    const field = one.page.locator('wb-field').filter({ hasText: 'Tên gọi khác' });
    await field.getByText(`${script} A`).first().waitFor({ timeout: 60_000 });
    await field.getByText(other).first().waitFor();
  }
  await b.b.stop();
  await a.page.locator('wb-field').filter({ hasText: 'Tên gọi khác' }).scrollIntoViewIfNeeded();
  await look(a, 'conflict');
  await a.page.getByRole('button', { name: 'Lịch sử' }).click();
  await seen(a, 'wb-history li', name);
  await seen(a, 'wb-history li', other);
  await a.page.locator('wb-history').scrollIntoViewIfNeeded();
  await look(a, 'history');
  await go(a, '#/register/residents', 'wb-rows .row');
  await look(a, 'list');
  const cells = await a.page.locator('.row-wide .row-cell').evaluateAll((all) => all.map((cell) => ({ text: cell.textContent, whole: cell.title === cell.textContent && cell.scrollHeight - cell.clientHeight < 3 && cell.scrollWidth - cell.clientWidth < 2 })));
  assert.ok(cells.some(({ text }) => /Phường/.test(text)), 'the list has a column of addresses');
  assert.deepEqual(cells.filter(({ whole }) => !whole), [], 'columns that cannot be read whole at a PC');
  await a.tab.search('img src');
  assert.deepEqual(await a.tab.titles(), [name]);
  await go(a, '#/inbox/conflicts', '.card .conflict');
  await seen(a, '.card-head', name);
  await look(a, 'inbox');
  // A record in conflict on a phone: its three acts stand in one line. Its household's page scrolls as a whole.
  const torn = await a.page.locator('.card a[href*="#/register/residents/"]').evaluateAll((all, name) => all.find((one) => !one.textContent.includes(name)).getAttribute('href'), name);
  await a.page.setViewportSize(sizes.phone);
  await go(a, torn, '.record-acts a.button');
  await a.page.locator('.record-state .torn').waitFor();
  const acts = await a.page.locator('.record-acts > *').evaluateAll((all) => all.map((one) => Math.round(one.getBoundingClientRect().top)));
  assert.ok(acts.length === 3 && new Set(acts).size === 1, `the acts of a record begin at ${acts} px`);
  await look(a, 'conflict-acts');
  await a.page.setViewportSize(sizes.phone);
  await go(a, await a.page.locator('.record-acts a.button').getAttribute('href'), '.member');
  const inside = await a.page.evaluate(() => [...document.querySelectorAll('main *')].filter((one) => /auto|scroll/.test(getComputedStyle(one).overflowY) || getComputedStyle(one).position === 'sticky').map((one) => one.className));
  assert.deepEqual(inside, [], 'what scrolls, or stays, within a household’s page');
  await look(a, 'household');
  await go(a, '#/inbox/conflicts', '.card .conflict');
  await a.page.locator('wb-status button').first().click();
  await a.page.locator('wb-status dialog[open]').waitFor();
  await look(a, 'status');
  await a.page.keyboard.press('Escape');
  await go(a, '#/tally', 'wb-tally .tally');
  await look(a, 'tally');
  await go(a, '#/inbox/returned', '.empty, .card');
  await look(a, 'returned');
  await go(a, '#/new/residents', 'wb-record form');
  await a.tab.type('dob', '31/02/1958');
  await a.page.evaluate(() => (location.hash = '#/'));
  await a.page.locator('wb-asker dialog[open]').waitFor();
  await look(a, 'leave');
  const held = await a.page.evaluate(() => new Promise((resolve) => {
    addEventListener('hashchange', () => setTimeout(() => resolve(location.hash)), { once: true });
    location.hash = '#/inbox';
  }));
  assert.match(held, /^#\/new\/residents/, 'a question that stands holds the place');
  await a.page.getByRole('button', { name: 'Bỏ thay đổi' }).last().click();
  await a.page.locator('wb-home').waitFor();
  await a.page.locator('.who summary').click();
  await a.page.getByRole('button', { name: 'English' }).click();
  await go(a, `#/register/residents/${id}`, 'wb-record form');
  await look(a, 'record-english');
  await a.page.locator('.who summary').click();
  await a.page.getByRole('button', { name: 'Tiếng Việt' }).click();

  // The supervisor's.
  const desk = await enter('supervisor');
  await go(desk, '#/desk', '.queue-row');
  await seen(desk, '.queue-row', name);
  await look(desk, 'desk');
  await go(desk, `#/desk/${id}`, 'wb-review .compare');
  for (const text of [`${script} A`, other, name]) await seen(desk, 'wb-review .compare', text);
  await look(desk, 'desk-record');
  await desk.page.keyboard.press('?');
  await desk.page.locator('dialog.keys[open]').waitFor();
  await look(desk, 'keys');
  await desk.page.keyboard.press('Escape');
  await desk.page.keyboard.press('r');
  await desk.page.locator('wb-asker dialog[open]').waitFor();
  await look(desk, 'return');
  await desk.page.keyboard.press('Escape');
  await go(desk, '#/tally', 'wb-tally .tally');
  await look(desk, 'tally-unit');
  await go(desk, '#/held', 'wb-held .empty, wb-held .card');
  await look(desk, 'held');
  await go(desk, '#/devices', 'wb-devices tbody tr');
  await look(desk, 'unit-devices');
  await desk.page.locator('wb-devices .table-actions button').first().click();
  await desk.page.locator('wb-asker dialog[open]').waitFor();
  await look(desk, 'lost');
  await desk.page.keyboard.press('Escape');
  await desk.page.locator('.rescue-in summary').click();
  await look(desk, 'rescue-in');

  // Who is known on the device, before one of them unlocks it.
  await a.tab.signOut();
  await a.page.locator('.account-list button').first().waitFor();
  await look(a, 'accounts-here');

  // The administrator's, and the hub's page.
  const admin = await enter('admin');
  await go(admin, '#/accounts', 'wb-accounts tbody tr');
  await look(admin, 'accounts');
  await admin.page.locator('.list-title button.main').click();
  await admin.page.locator('dialog.make[open]').waitFor();
  await look(admin, 'account-new');
  await admin.page.keyboard.press('Escape');
  await go(admin, '#/devices', 'wb-devices tbody tr');
  await look(admin, 'devices');
  await go(admin, '#/audit', 'wb-audit tbody tr');
  await look(admin, 'audit');
  const hub = await enter('hub');
  await hub.page.locator('wb-hub').waitFor();
  await look(hub, 'hub');

  assert.deepEqual(problems, []);
  assert.deepEqual([stranger, ...browsers].flatMap((one) => one.complaints), []); // holds every refusal of the policy
});
