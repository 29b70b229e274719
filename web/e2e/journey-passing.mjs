// A record of a register that this device does not keep: the form says beforehand that it passes through, and afterwards
// where it is. A new form complains about nothing that is filled, nor about what nobody has been at yet.
import assert from 'node:assert/strict';
import { signIn } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { look } from './harness/look.mjs';

await journey(async ({ demo, network, browser }) => {
  const officer = await browser();
  const tab = await officer.tab();
  const { page } = tab;
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ/, 60_000);

  await tab.begin('residents');
  assert.equal(await tab.field('nationality').inputValue(), 'Việt Nam');
  await tab.type('other_name', 'Tư');
  await tab.field('full_name').focus();
  await tab.field('full_name').blur(); // left empty: this one is asked for
  await page.locator('wb-field', { has: tab.field('full_name') }).locator('.finding').waitFor();
  assert.equal(await page.locator('wb-field', { has: tab.field('nationality') }).locator('.finding').count(), 0, 'what is filled is not asked for');
  assert.equal(await page.locator('.note', { hasText: 'không giữ trên máy này' }).count(), 0, 'this register is kept');

  // Who gives a form up and goes on at once is not asked again, nor led back to the list, however quick they are.
  for (let after = 0; after < 12; after++) {
    if (after) {
      await tab.begin('residents');
      await tab.type('other_name', 'Tư');
    }
    await page.getByRole('button', { name: 'Bỏ thay đổi' }).click();
    await page.locator('wb-asker dialog[open] button.danger').evaluate((button, after) => {
      button.click();
      const go = () => (location.hash = '#/here');
      if (after) setTimeout(go, after - 1);
      else go();
    }, after);
    await page.locator('.scope').first().waitFor();
    assert.equal(await page.locator('wb-asker dialog[open]').count(), 0, `asked again ${after - 1} ms after`);
  }

  const kept = page.locator('.scope', { hasText: 'Rà soát hộ và nhân khẩu' }).locator('input').first();
  await kept.click();
  await page.locator('wb-asker dialog[open] button.danger').click();
  await page.locator('.scope', { hasText: 'Rà soát hộ và nhân khẩu' }).getByText('Không giữ trên máy này').waitFor();

  await officer.offline(true);
  await tab.begin('residents');
  const note = page.locator('wb-record .note', { hasText: 'không giữ trên máy này' });
  await note.getByText('ở đây đến khi máy chủ nhận').waitFor();
  await tab.type('full_name', 'Đặng Thị Đi Qua');
  await tab.save();
  await page.waitForURL(/#\/register\/residents\//);
  const id = tab.recordID();
  await note.getByText('ở đây đến khi máy chủ nhận').waitFor();
  await look(page, 'passing');

  // Received: it says where the record is now, with the form open and after a reload.
  await officer.offline(false);
  await note.getByText('Máy chủ đã nhận').waitFor({ timeout: 60_000 });
  await look(page, 'passed');
  await page.reload();
  await tab.entered();
  await page.locator('wb-record .empty', { hasText: 'vẫn còn ở máy chủ' }).or(page.locator('.split-record .empty', { hasText: 'vẫn còn ở máy chủ' })).first().waitFor();
  const supervisor = await signIn(network.url, 'supervisor', demo.passwords.supervisor);
  assert.match(JSON.stringify(await supervisor('GET', `/api/v1/records/${id}/history`)), /Đặng Thị Đi Qua/, 'the server has it');
  assert.deepEqual(officer.complaints, []);
});
