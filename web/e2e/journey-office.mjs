// The screens that an officer seldom opens are a script apart. Opened for the first time without a network they are
// there, also after the browser was started anew. Where the browser has lost the script, the screen says what is wrong and
// what to do, and is there once the network is back; the rest of the app is not touched by it.
import assert from 'node:assert/strict';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, network, browser }) => {
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
  let { page } = tab;
  await tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  await page.locator('details.who summary').click();
  await page.locator('details.who').getByRole('link', { name: 'Việc của tôi' }).click();
  await page.locator('wb-tally').getByText('Máy này chưa nhận được số nào từ máy chủ').waitFor();
  assert.equal(await loaded(page), 1);
  await page.goto(`${officer.url}/#/unlock`);
  await page.locator('wb-openers h1').waitFor();

  // A browser that has lost it, out of all of its caches: that of the app, its own, and that of its memory. The line is
  // cut, too, for a service worker that has just begun may not know that the browser was set offline.
  network.cut();
  const lost = await page.evaluate(async (address) => {
    const names = (await caches.keys()).filter((name) => name.startsWith('wardbook-shell-'));
    return Promise.all(names.map(async (name) => (await caches.open(name)).delete(address)));
  }, address);
  assert.deepEqual(lost, [true]);
  const debug = await officer.context.newCDPSession(page);
  await debug.send('Network.clearBrowserCache');
  await officer.stop();
  await officer.start();
  await officer.offline(true);
  tab = await officer.tab();
  page = tab.page;
  await tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  await page.goto(`${officer.url}/#/tally`);
  const missing = page.getByRole('alert').filter({ hasText: 'Chưa tải được phần này. Kiểm tra mạng rồi thử lại.' });
  await missing.waitFor();
  await page.getByRole('button', { name: 'Thử lại' }).click();
  await missing.waitFor();
  await tab.create('residents', { full_name: 'Đặng Thị Không Mạng' }); // everything else goes on
  await tab.says(/Chưa gửi: 1 thay đổi$/);
  await page.goto(`${officer.url}/#/unlock`);
  await missing.waitFor();
  network.mend();
  await officer.offline(false);
  await tab.says(/Đã đồng bộ/, 60_000);
  await page.getByRole('button', { name: 'Thử lại' }).click();
  await page.locator('wb-openers h1').waitFor();
  await page.goto(`${officer.url}/#/tally`);
  await page.getByText(/Máy chủ đếm lúc/).waitFor();
  assert.deepEqual(officer.complaints, []);
});
