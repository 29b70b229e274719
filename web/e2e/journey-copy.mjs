// A copied profile: a browser with unsent work is closed, its folder copied, and both go on, on one record and on new
// ones. Nothing of either is lost and nothing comes twice: what was made before the copying is there once, and what both
// wrote into one field stands side by side.
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { signIn, until } from './harness/api.mjs';
import { Browser, journey } from './harness/app.mjs';

await journey(async ({ demo, network, browser }) => {
  const password = demo.passwords['officer.a'];
  const first = await browser();
  let tab = await first.tab();
  await tab.signIn('officer.a', password);
  await tab.says(/Đã đồng bộ/);
  const id = await tab.received('residents', { full_name: 'Đặng Thị Bản Gốc' });

  // Three changes that nobody has received.
  network.cut();
  await first.offline(true);
  await tab.open('residents', id);
  await tab.type('hometown', 'Bến Tre');
  await tab.save();
  for (const name of ['Đặng Thị Chépxq Một', 'Đặng Thị Chépxq Hai']) await tab.create('residents', { full_name: name });
  await tab.says(/Chưa gửi: 3 thay đổi$/);
  await first.stop();

  const profile = await mkdtemp(join(tmpdir(), 'wardbook-profile-'));
  await cp(first.profile, profile, { recursive: true, verbatimSymlinks: true, filter: (path) => !basename(path).startsWith('Singleton') });
  const second = new Browser(network.url, profile);
  try {
    // Both go on without having met the server, or each other.
    for (const [one, value] of [[first, 'Của bản một'], [second, 'Của bản hai']]) {
      await one.start();
      await one.offline(true);
      const page = await one.tab();
      await page.unlock('Nguyễn Thị An', password);
      await page.open('residents', id);
      await page.type('other_name', value);
      await page.save();
      await page.create('residents', { full_name: `Đặng Thị Riengxq ${value}` });
      await page.says(/Chưa gửi: 5 thay đổi$/);
      one.page = page;
    }
    network.mend();
    for (const one of [first, second]) {
      await one.offline(false);
      await one.page.says(/Đã đồng bộ \d\d:\d\d/, 90_000);
    }
    await first.page.says(/Đã đồng bộ \d\d:\d\d/, 90_000);

    const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
    const received = async (field) => (await supervisor('GET', `/api/v1/records/${id}/history`)).steps.filter((step) => step.field === field).map(({ value }) => value).sort();
    await until(() => received('other_name'), (values) => values.length === 2, 'both copies’ values are not at the server');
    assert.deepEqual(await received('other_name'), ['Của bản hai', 'Của bản một']);
    assert.deepEqual([...new Set(await received('hometown'))], ['Bến Tre']);

    // A colleague sees all of it, each record once, and the two values of the field.
    const colleague = await browser();
    tab = await colleague.tab();
    await tab.signIn('officer.b', demo.passwords['officer.b']);
    await tab.says(/Đã đồng bộ/, 60_000);
    await tab.register('residents');
    for (const [search, want] of [['chepxq', ['Đặng Thị Chépxq Hai', 'Đặng Thị Chépxq Một']], ['riengxq', ['Đặng Thị Riengxq Của bản hai', 'Đặng Thị Riengxq Của bản một']]]) {
      await tab.search(search);
      assert.deepEqual((await tab.titles()).sort(), want);
    }
    await tab.open('residents', id);
    const field = tab.page.locator('wb-field').filter({ hasText: 'Tên gọi khác' });
    for (const value of ['Của bản một', 'Của bản hai']) await field.getByText(value).first().waitFor();
    assert.deepEqual([...first.complaints, ...second.complaints, ...colleague.complaints], []);
  } finally {
    await second.stop().catch(() => {});
    await rm(profile, { recursive: true, force: true });
  }
});
