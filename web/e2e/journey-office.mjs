// The screens that an officer seldom opens are a script apart. Opened for the first time without a network they are
// there, also after the browser was started anew.
import assert from 'node:assert/strict';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, browser }) => {
  const officer = await browser();
  let tab = await officer.tab();
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ/);
  await tab.page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active.state));
  const address = await tab.page.evaluate(() => new URL('office.js', document.querySelector('script[type=module][src*="page.js"]').src).href);
  const loaded = (page) => page.evaluate((address) => performance.getEntriesByName(address).length, address);
  assert.equal(await loaded(tab.page), 0, 'it was loaded before it was needed');

  // Started anew without a network: what waits below the menu opens.
  await officer.stop();
  await officer.start();
  await officer.offline(true);
  tab = await officer.tab();
  const { page } = tab;
  await tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  await page.locator('details.who summary').click();
  await page.locator('details.who').getByRole('link', { name: 'Việc của tôi' }).click();
  await page.locator('wb-tally').getByText('Máy này chưa nhận được số nào từ máy chủ').waitFor();
  assert.equal(await loaded(page), 1);
  await page.goto(`${officer.url}/#/unlock`);
  await page.locator('wb-openers h1').waitFor();
  assert.deepEqual(officer.complaints, []);
});
