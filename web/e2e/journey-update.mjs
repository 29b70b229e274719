// A new version of the app, served where the old one was. While a form of any tab holds words that are not saved, every
// tab keeps the old version; when it is saved, every tab comes back in the new one, with all that was written. A page of
// the new version that gets past the old one's service worker meanwhile does not get at the store that the old one holds.
import assert from 'node:assert/strict';
import { journey } from './harness/app.mjs';
import { anotherVersion } from './harness/version.mjs';

const another = await anotherVersion();
process.on('exit', () => another.remove());

await journey(async ({ demo, network, browser }) => {
  const officer = await browser();
  const password = demo.passwords['officer.a'];
  const one = await officer.tab();
  await one.signIn('officer.a', password);
  await one.says(/Đã đồng bộ/);
  await one.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  const old = await versionOf(one);
  assert.notEqual(old, another.name);
  const two = await officer.tab();
  await two.entered();
  const id = await one.received('residents', { full_name: 'Đặng Thị Bản Mới', other_name: 'Trước' });

  // Words that nobody has saved, in one tab; nothing at all in the other. The page is marked, to notice a reload.
  await one.type('other_name', 'Đang gõ dở');
  const mark = (tab) => tab.page.evaluate(() => { window.sameDocument = true; });
  const marked = (tab) => tab.page.evaluate(() => window.sameDocument === true);
  await mark(one);

  // The new version is served. A reload finds it, and stays with the old one.
  await demo.stop();
  demo.program = another.program;
  await demo.start();
  await two.page.reload();
  await two.entered();
  await mark(two);
  await two.page.waitForFunction(async () => (await navigator.serviceWorker.getRegistration())?.waiting != null, undefined, { timeout: 60_000 });
  for (const tab of [one, two]) await tab.page.getByText('Có bản mới').waitFor();
  for (const tab of [one, two]) {
    assert.equal(await versionOf(tab), old);
    assert.ok(await marked(tab), 'no tab was loaded again');
  }
  assert.equal(await one.field('other_name').inputValue(), 'Đang gõ dở');

  // A page of the new version, past the service worker: the store is the old one's, and stays so.
  const three = await newer(officer, network.url);
  assert.equal(await versionOf(three), another.name);
  const name = three.page.getByRole('button', { name: 'Nguyễn Thị An' });
  const refused = three.page.locator('wb-sign-in [role=alert]');
  await name.click();
  await three.page.locator('input[name=password]').fill(password);
  await three.page.getByRole('button', { name: 'Mở khóa' }).click();
  await refused.waitFor({ timeout: 60_000 });
  assert.match(await refused.innerText(), /thẻ khác/, 'it says what to do');
  const held = (await three.page.evaluate(async () => (await navigator.locks.query()).held.map((lock) => lock.name))).filter((lock) => lock.startsWith('wardbook-writer-'));
  assert.equal(held.length, 1, `one writer: ${held}`);
  assert.ok(held[0].startsWith(`wardbook-writer-${old}-`), held[0]);
  // Both old tabs still work: the one that writes, and the one that calls it.
  await two.create('residents', { full_name: 'Đặng Thị Bản Cũ' });
  await two.stands(/đã nhận/);
  await mark(two);
  assert.equal(await one.field('other_name').inputValue(), 'Đang gõ dở');
  await three.page.close();

  // The form is saved: every tab comes back in the new version, signed in, with everything.
  await one.page.getByRole('button', { name: 'Lưu', exact: true }).click();
  for (const tab of [one, two]) {
    await tab.page.waitForFunction((name) => document.querySelector('meta[name=wardbook-version]')?.content === name, another.name, { timeout: 60_000 });
    await tab.entered();
    assert.equal(await marked(tab), false, 'the tab was loaded again');
  }
  await one.open('residents', id);
  assert.equal(await one.field('other_name').inputValue(), 'Đang gõ dở');
  await one.stands(/đã nhận/);
  await one.says(/Đã đồng bộ/);
  await two.register('residents');
  await two.search('dang thi ban');
  assert.deepEqual((await two.titles()).sort(), ['Đặng Thị Bản Cũ', 'Đặng Thị Bản Mới']);
  const writers = await one.page.evaluate(async () => (await navigator.locks.query()).held.map((lock) => lock.name).filter((lock) => lock.startsWith('wardbook-writer-')));
  assert.deepEqual(writers.map((lock) => lock.split('-')[2]), [another.name], 'one writer, of the new version');
  const shells = await one.page.evaluate(() => caches.keys());
  assert.deepEqual(shells, [`wardbook-shell-${another.name}`], 'the old shell is gone');

  // And it opens without a network.
  network.cut();
  await officer.offline(true);
  await one.page.reload();
  await one.entered();
  assert.equal(await versionOf(one), another.name);
  await one.form();
  assert.equal(await one.field('other_name').inputValue(), 'Đang gõ dở');
  assert.deepEqual(officer.complaints, []);
});

/** The version whose page a tab shows. */
function versionOf({ page }) {
  return page.evaluate(() => document.querySelector('meta[name=wardbook-version]').content);
}

/** A tab that asks the server for the page, as a forced reload does. */
async function newer(browser, url) {
  const tab = await browser.tab('/icon.svg');
  const session = await tab.page.context().newCDPSession(tab.page);
  await session.send('Network.enable');
  await session.send('Network.setBypassServiceWorker', { bypass: true });
  await tab.page.goto(url);
  return tab;
}
