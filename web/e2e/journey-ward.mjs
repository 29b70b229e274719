// A device that holds a part of the ward: receiving is paused and goes on, search says how much it looked at and offers
// the server's, one neighbourhood is kept and the rest goes, a register is taken off, and nothing held back is called
// synced.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Fails on what axe-core finds wrong on the page. */
async function clean(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], `axe at ${where}`);
}

await journey(async ({ demo, browser }) => {
  const officer = await browser();
  const tab = await officer.tab();
  const { page } = tab;
  const go = async (hash) => {
    await page.goto(`${page.url().split('#')[0]}${hash}`);
  };

  // One neighbourhood of the register: the others leave the device.
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ/);
  await go('#/here');
  const all = Number((await page.locator('#here-now').innerText()).match(/^([\d.]+)/)[1].replaceAll('.', ''));
  assert.equal(all, 2000);
  await clean(page, 'this device');
  await page.locator('.scope').filter({ hasText: '2.000' }).locator('summary').click();
  const first = page.locator('.scope fieldset label').filter({ hasText: /^\s*Khu phố 3\s/ });
  const count = Number((await first.innerText()).match(/(\d+)\s*$/)[1]);
  assert.ok(count > 20 && count < 400, `${count} residents in one neighbourhood of 18`);
  await first.locator('input').check();
  await until(async () => (await page.locator('#here-now').innerText()).startsWith(`${count} `), Boolean, 'the rest to leave');
  await clean(page, 'one neighbourhood');

  // Paused: what is saved goes up, and nothing says synced. A new part of the ward does not come.
  await page.getByRole('button', { name: 'Tạm dừng nhận' }).click();
  await tab.says(/Đang tạm dừng nhận/);
  await page.locator('.scope fieldset label').filter({ hasText: /^\s*Khu phố 4\s/ }).locator('input').check();
  await tab.create('residents', { full_name: 'Đặng Thị Tạm Dừng' });
  await tab.stands(/đã nhận/);
  await tab.says(/tạm dừng/);

  // Search says what it looked at, and the server has the rest.
  await tab.register('residents');
  await tab.search('nguyen');
  const said = await page.locator('.count').innerText();
  assert.match(said, new RegExp(`đã tìm trong (${count}|${count + 1}) / 2.00[01]`));
  await page.getByRole('button', { name: 'Tìm cả ở máy chủ' }).click();
  await page.locator('.elsewhere .line').first().waitFor();
  assert.match(await page.locator('.elsewhere [role=status]').innerText(), /trong 2\.00[01] hồ sơ/);
  assert.ok((await page.locator('.elsewhere li.line').count()) > 0, 'everybody that the server found is said to be here');
  for (const text of await page.locator('.elsewhere .sub').allInnerTexts()) assert.doesNotMatch(text, /\d{12}/, 'a number in full');
  await clean(page, 'the server’s search');

  // On again, whole again, synced again.
  await go('#/here');
  await page.getByRole('button', { name: 'Nhận tiếp' }).click();
  await page.locator('.scope', { hasText: 'Khu phố 3' }).locator('summary').click();
  await page.getByRole('button', { name: 'Giữ cả đơn vị' }).click();
  await tab.says(/Đã đồng bộ/);
  await until(async () => /^2\.001 /.test(await page.locator('#here-now').innerText()), Boolean, 'everybody to come back');

  // A register that is not wanted leaves the device.
  const residents = page.locator('.scope').filter({ hasText: '2.001' });
  await residents.locator('.scope-name input').uncheck();
  await page.locator('wb-asker dialog[open] button.danger').click();
  await until(async () => /^0 /.test(await page.locator('#here-now').innerText()), Boolean, 'the register to leave');
  assert.deepEqual(officer.complaints, []);
});
