// A network that breaks WebSockets: the same exchange goes over POST, by itself, and back to the socket when it can.
import assert from 'node:assert/strict';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, network, browser }) => {
  network.breaksSockets = true;
  const officer = await browser();
  const tab = await officer.tab();
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ/, 60_000);
  await tab.create('residents', { full_name: 'Đặng Thị Bưu Điện' });
  await tab.stands(/đã nhận \d\d:\d\d/, 60_000);
  await tab.says(/Đã đồng bộ \d\d:\d\d/);

  // Somebody else's work arrives too, though nothing is saved here.
  const colleague = await browser();
  const other = await colleague.tab();
  await other.signIn('officer.b', demo.passwords['officer.b']);
  await other.says(/Đã đồng bộ/, 60_000);
  await other.create('residents', { full_name: 'Đặng Thị Hồi Âm' });
  await other.stands(/đã nhận \d\d:\d\d/, 60_000);
  await tab.register('residents');
  await tab.search('dang thi hoi am');
  await tab.page.locator('wb-rows .row-title', { hasText: 'Đặng Thị Hồi Âm' }).waitFor({ timeout: 60_000 });

  // It was no socket that brought all this.
  assert.ok(network.broken >= 4, `only ${network.broken} sockets were tried and broken`);
  assert.deepEqual([...officer.complaints, ...colleague.complaints], []);
});
