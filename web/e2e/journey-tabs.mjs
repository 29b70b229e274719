// The app in three tabs: one store, all of them live. The writing tab goes and the others carry on within two seconds;
// a reload asks for no password; who signs out in one tab is signed out in all.
import assert from 'node:assert/strict';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, browser }) => {
  const officer = await browser();
  const one = await officer.tab();
  await one.signIn('officer.a', demo.passwords['officer.a']);
  await one.says(/Đã đồng bộ/);
  const [two, three] = [await officer.tab(), await officer.tab()];
  await two.entered();
  await three.entered();

  await three.register('residents');
  await two.create('residents', { full_name: 'Đặng Thị Ba Thẻ' });
  await two.stands(/đã nhận/);
  await three.search('ba the');
  await three.page.locator('wb-rows .row-title', { hasText: 'Đặng Thị Ba Thẻ' }).waitFor();

  const began = Date.now();
  await one.page.close();
  await two.type('other_name', 'Sau khi đóng');
  await two.save();
  const took = Date.now() - began;
  assert.ok(took < 2000, `the first save behind the writer's end took ${took} ms`);
  await two.stands(/đã nhận/);
  await three.openRow(0);
  assert.equal(await three.field('other_name').inputValue(), 'Sau khi đóng');

  await two.page.reload();
  await two.entered();
  await three.says(/Đã đồng bộ/);

  await three.signOut();
  await two.page.locator('wb-sign-in').waitFor();
  await two.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  await three.entered();
  await three.says(/Đã đồng bộ/);
  assert.deepEqual(officer.complaints, []);
});
