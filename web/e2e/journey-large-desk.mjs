// Supervisors and administrators with text at twice its size, on a phone and at a PC, the desk with 1,200 waiting:
// nothing is wider than its place, nothing that is pressed lies over another, no word is cut that nothing else tells.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { signIn } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

const out = fileURLToPath(new URL('./out/', import.meta.url));
await mkdir(out, { recursive: true });

/** What is wrong with what is on the screen. */
const faults = () => {
  const found = [];
  const name = (element) => `${element.localName}.${element.className} “${(element.innerText ?? '').trim().slice(0, 40)}”`;
  for (const part of document.querySelectorAll('html, main, .page, .split-list, .split-record, .card, dialog[open]')) {
    const wide = part.scrollWidth - part.clientWidth;
    if (wide > 1 && part.checkVisibility()) found.push(`${name(part)} is ${wide} px wider than its place`);
  }
  const pressed = [...document.querySelectorAll('.app :is(a[href], button, select, input, summary), dialog[open] :is(button, input)')].filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest('.skip, .away'));
  const places = pressed.flatMap((one) => [...one.getClientRects()].map((place) => ({ one, place }))).filter(({ place }) => place.width > 1 && place.height > 1); // a link may go on in the next line
  const fixed = (one) => one.closest('.record-foot, .top, .nav, .foot, .page-acts')?.className ?? '';
  for (const [i, { one, place }] of places.entries()) {
    for (const { one: other, place: there } of places.slice(i + 1)) {
      if (one === other || one.contains(other) || other.contains(one) || fixed(one) !== fixed(other) || one.closest('.split-list') !== other.closest('.split-list')) continue;
      if (one.closest('.queue') !== other.closest('.queue')) continue; // the queue scrolls under its head
      const [x, y] = [Math.min(place.right, there.right) - Math.max(place.left, there.left), Math.min(place.bottom, there.bottom) - Math.max(place.top, there.top)];
      if (x > 2 && y > 2) found.push(`${name(one)} lies over ${name(other)}`);
    }
  }
  for (const badge of document.querySelectorAll('.nav .count-badge')) {
    const [place, sign] = [badge, badge.parentElement.querySelector('.icon')].map((one) => one.getBoundingClientRect());
    if (Math.min(place.right, sign.right) - Math.max(place.left, sign.left) > 1) found.push(`${name(badge)} lies over its sign`);
  }
  const told = (element) => element.getAttribute('title') || element.closest('[aria-label], [title]');
  for (const element of document.querySelectorAll('.app :is(h1, h2, h3, p, span, strong, button, a, dt, dd, th, td, label, option, code)')) {
    if (!element.checkVisibility({ visibilityProperty: true }) || element.closest('.away, .skip, .row-cell, .filters') || told(element)) continue;
    const { overflowX } = getComputedStyle(element);
    if (overflowX !== 'visible' && element.scrollWidth - element.clientWidth > 2 && element.innerText.trim()) found.push(`${name(element)} is cut`);
  }
  for (const element of document.querySelectorAll('.app :is(.nav > a, .tag, .figures-row > div, .figures-row strong, thead th)')) {
    if (element.checkVisibility() && element.scrollWidth - element.clientWidth > 2) found.push(`${name(element)} runs over its edge`);
  }
  return found;
};

/** Something to accept, and something held back: a record of another ward sent here, and what an officer saves who was moved away. */
async function fill(demo, browser) {
  const [away, moved] = [await browser(), await browser()];
  const there = await away.tab();
  await there.signIn('officer.c', demo.passwords['officer.c']);
  await there.says(/Đã đồng bộ/);
  await there.create('residents', { full_name: 'Đặng Thị Chuyển Đến Nơi Ở Mới' });
  await there.stands(/đã nhận/);
  await there.page.getByRole('button', { name: /^Chuyển/ }).first().click();
  await there.page.locator('#move-to').fill('Diên Hồng');
  await there.page.getByRole('option', { name: /Diên Hồng/ }).first().click();
  await there.page.locator('.move input[required]').last().fill('Chuyển nhà theo gia đình về nơi ở mới');
  await there.page.getByRole('button', { name: 'Chuyển', exact: true }).click();
  await there.says(/Đã đồng bộ/, 60_000);
  await away.stop();

  const tab = await moved.tab();
  await tab.signIn('officer.b', demo.passwords['officer.b']);
  await tab.says(/Đã đồng bộ/);
  await tab.create('residents', { full_name: 'Đặng Thị Bị Giữ Lại' });
  await tab.stands(/đã nhận/);
  await tab.type('other_name', 'Viết sau khi người viết đã được chuyển đi');
  const admin = await signIn(demo.url, 'admin', demo.passwords.admin);
  const { accounts } = await admin('GET', '/api/v1/admin/accounts');
  const { id, unit } = accounts.find(({ name }) => name === 'officer.b');
  await admin('POST', `/api/v1/admin/accounts/${id}/move`, { unit: accounts.find((account) => account.unit && account.unit !== unit).unit });
  await tab.page.locator('wb-asker dialog[open]').getByRole('button', { name: 'Đóng' }).click({ timeout: 60_000 });
  await tab.save();
  await tab.says(/Đã đồng bộ/, 60_000);
  await moved.stop();
}

await journey(async ({ demo, browser }) => {
  await fill(demo, browser);
  const screens = {
    supervisor: [['desk', '.queue-row', 'desk'], ['desk/day', '.figures-row', 'day'], ['moves', 'wb-moves .sheet, wb-moves li, wb-moves .card', 'moves'], ['held', 'wb-held .sheet, wb-held li, wb-held .card', 'held'], ['devices', 'wb-devices tbody tr', 'devices'], ['inbox', 'wb-inbox .card', 'inbox'], ['desk/', '.compares', 'review']],
    admin: [['accounts', 'wb-accounts tbody tr', 'accounts'], ['devices', 'wb-devices tbody tr', 'admin-devices'], ['audit', 'wb-audit tbody tr', 'audit']],
  };
  const complaints = [];
  const wrong = [];
  for (const [account, list] of Object.entries(screens)) {
    for (const size of [100, 200]) {
      const b = await browser();
      await b.stop();
      await b.start({ args: [`--blink-settings=defaultFontSize=${(16 * size) / 100}`] }); // as a person sets it in the browser
      const tab = await b.tab();
      const { page } = tab;
      await tab.signIn(account, demo.passwords[account]);
      const size_ = await page.evaluate(() => getComputedStyle(document.documentElement).fontSize);
      assert.equal(size_, `${(16 * size) / 100}px`);
      for (const [width, height] of [[360, 740], [1280, 800]]) {
        await page.setViewportSize({ width, height });
        for (const [hash, settled, name] of list) {
          if (name === 'review') {
            await page.goto(`${b.url}/#/desk`);
            await page.locator('.queue-row').first().waitFor({ state: 'attached' });
            await page.evaluate(() => (location.hash = document.querySelector('.queue-row').getAttribute('href')));
          } else await page.goto(`${b.url}/#/${hash}`);
          await page.locator(settled).first().waitFor();
          await page.waitForTimeout(300); // what is still being drawn
          await page.screenshot({ path: `${out}large-${name}-${width}-${size}.png` });
          if (name === 'held' && size === 100) { // what is held back leads to the record that it is of
            await page.locator('wb-held .card a', { hasText: 'Đặng Thị Bị Giữ Lại' }).click();
            await page.locator('.split-record h1, .split-record h2', { hasText: 'Đặng Thị Bị Giữ Lại' }).first().waitFor();
            await page.goBack();
            await page.locator(settled).first().waitFor();
          }
          for (const fault of await page.evaluate(faults)) wrong.push(`${name}, ${size} %, ${width} px: ${fault}`);
        }
      }
      complaints.push(...b.complaints);
      await b.stop();
    }
  }
  assert.ok(!wrong.length, wrong.join('\n'));
  assert.deepEqual(complaints, []);
}, { waiting: 1170 });
