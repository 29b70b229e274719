// Every screen of the app, on a phone and on a PC, in both languages where they differ in length: axe-core finds nothing
// serious, nothing is wider than the window, and a name that is markup is shown as text. With WARDBOOK_SHOTS the
// screens are photographed into web/e2e/out.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { journey } from './harness/app.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const out = fileURLToPath(new URL('./out/', import.meta.url));
const sizes = { phone: { width: 360, height: 740 }, desk: { width: 1280, height: 800 } };
const markup = '<img src=x onerror="window.stolen=1">';

const problems = [];

/** Looks at the tab's screen in every size. */
async function look(tab, name) {
  for (const [size, viewport] of Object.entries(sizes)) {
    await tab.page.setViewportSize(viewport);
    await tab.page.waitForTimeout(150);
    if (process.env.WARDBOOK_SHOTS) await tab.page.screenshot({ path: `${out}${name}-${size}.png` });
    const wide = await tab.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) problems.push(`${name}, ${size}: ${wide} px wider than the window`);
    // Through the debugger, because the page's own policy lets no foreign script in.
    const session = await tab.page.context().newCDPSession(tab.page);
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
      expression: `${axe};axe.run().then((found) => JSON.stringify(found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical').map((v) => v.id + ': ' + v.nodes.map((n) => n.target).join(' ; '))))`,
      awaitPromise: true,
      returnByValue: true,
    });
    await session.detach();
    if (exceptionDetails) throw new Error(`axe on ${name}: ${exceptionDetails.text}`);
    for (const finding of JSON.parse(result.value)) problems.push(`${name}, ${size}: ${finding}`);
  }
}

const go = async (tab, hash, settled) => {
  await tab.page.evaluate((hash) => (location.hash = hash), hash);
  await tab.page.locator(settled).first().waitFor();
  await tab.page.waitForTimeout(300);
};

if (process.env.WARDBOOK_SHOTS) await mkdir(out, { recursive: true });

await journey(async ({ demo, browser }) => {
  const everybody = [];
  const enter = async (name) => {
    const one = await browser();
    everybody.push(one);
    const tab = await one.tab();
    if (everybody.length === 1) {
      await tab.page.locator('input[name=name]').waitFor();
      await look(tab, 'sign-in');
    }
    await tab.signIn(name, demo.passwords[name]);
    return tab;
  };

  const officer = await enter('officer.a');
  await officer.says(/Đã đồng bộ/);
  await look(officer, 'home');
  await officer.create('residents', { full_name: 'Lê Văn Trang', dob: '1958', other_name: markup });
  await officer.type('full_name', markup);
  await officer.save();
  assert.equal(await officer.page.locator('.record-head h1').innerText(), markup, 'the name as text');
  await look(officer, 'record');
  const id = officer.recordID();
  await officer.page.getByRole('button', { name: 'Lịch sử' }).click();
  await officer.page.locator('wb-history li').first().waitFor();
  await look(officer, 'history');
  await officer.page.getByRole('button', { name: 'Lưu và trình duyệt' }).click();
  await officer.page.locator('.note-red[role=alert]').waitFor();
  await look(officer, 'record-blocked');
  await go(officer, '#/register/residents', 'wb-rows .row');
  await look(officer, 'list');
  await officer.search('img src');
  assert.deepEqual(await officer.titles(), [markup], 'the name as text in the list');
  await go(officer, '#/inbox/conflicts', '.card .conflict');
  await look(officer, 'conflicts');
  await go(officer, '#/inbox/returned', '.empty, .card');
  await look(officer, 'returned');
  await officer.page.locator('wb-status button').first().click();
  await officer.page.locator('dialog[open]').waitFor();
  await look(officer, 'status');
  await officer.page.keyboard.press('Escape');
  await go(officer, '#/new/residents', 'wb-record form');
  await officer.type('dob', '31/02/1958');
  await officer.page.evaluate(() => (location.hash = '#/'));
  await officer.page.locator('wb-asker dialog[open]').waitFor();
  await look(officer, 'leave');
  await officer.page.getByRole('button', { name: 'Bỏ thay đổi' }).last().click();
  await officer.page.locator('wb-home').waitFor();
  await officer.page.locator('.who summary').click();
  await officer.page.getByRole('button', { name: 'English' }).click();
  await go(officer, `#/register/residents/${id}`, 'wb-record form');
  await look(officer, 'record-english');

  const supervisor = await enter('supervisor');
  await supervisor.page.locator('.queue .row').first().waitFor();
  await look(supervisor, 'desk');
  await supervisor.page.keyboard.press('j');
  await supervisor.page.locator('wb-review .compare').first().waitFor();
  await look(supervisor, 'review');
  await supervisor.page.setViewportSize(sizes.desk);
  await supervisor.page.keyboard.press('?');
  await supervisor.page.locator('dialog.keys[open]').waitFor();
  await look(supervisor, 'keys');
  await supervisor.page.keyboard.press('Escape');
  await supervisor.page.keyboard.press('r');
  await supervisor.page.locator('wb-asker dialog[open]').waitFor();
  await look(supervisor, 'return');
  await supervisor.page.keyboard.press('Escape');
  await go(supervisor, '#/held', 'wb-held .empty, wb-held .card');
  await look(supervisor, 'quarantine');

  const admin = await enter('admin');
  await admin.page.locator('tbody tr').first().waitFor();
  await look(admin, 'accounts');
  await admin.page.getByRole('button', { name: 'Tạo tài khoản' }).first().click();
  await look(admin, 'create-account');
  await admin.page.keyboard.press('Escape');
  await go(admin, '#/devices', 'wb-devices tbody tr');
  await look(admin, 'devices');
  await go(admin, '#/audit', 'wb-audit tbody tr');
  await look(admin, 'audit');

  const hub = await enter('hub');
  await hub.page.locator('wb-hub').waitFor();
  await look(hub, 'hub');

  for (const tab of [officer, supervisor]) assert.equal(await tab.page.evaluate(() => window.stolen), undefined, 'markup ran');
  assert.deepEqual(everybody.flatMap((one) => one.complaints), []);
  assert.deepEqual(problems, []);
});
