// A damaged store: one byte on the disk is another. The device says so, sends nothing of it, hands in the sealed copy of
// what was unsent, and begins anew when its officer wants that: nothing is missing afterwards. And a full disk, on which no
// session can begin: what was saved before is handed in.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, network, browser }) => {
  const password = demo.passwords['officer.a'];
  const officer = await browser();
  const tab = await officer.tab();
  await tab.signIn('officer.a', password);
  await tab.says(/Đã đồng bộ/);
  await tab.create('residents', { full_name: 'Đặng Thị Hỏngxq Trước' });
  await tab.stands(/đã nhận/);
  network.cut();
  await officer.offline(true);
  await tab.create('residents', { full_name: 'Đặng Thị Hỏngxq Sau' });
  await tab.says(/Chưa gửi: 1 thay đổi$/);
  await tab.signOut();

  assert.equal(await tab.page.evaluate(damage), 1, 'the database was not found');
  await tab.page.getByRole('button', { name: 'Nguyễn Thị An' }).click();
  await tab.page.locator('input[name=password]').fill(password);
  await tab.page.getByRole('button', { name: 'Mở khóa' }).click();
  assert.match(await tab.page.locator('wb-sign-in [role=alert]').innerText(), /bị hỏng[\s\S]*bắt đầu lại/);

  // A reload remembers it. Over the network, everything comes back.
  network.mend();
  await officer.offline(false);
  await tab.page.reload();
  await tab.page.getByRole('button', { name: 'Nguyễn Thị An' }).click();
  await tab.page.getByRole('button', { name: 'Đăng nhập lại qua mạng' }).click();
  await tab.page.locator('input[name=password]').fill(password);
  await tab.page.locator('input[name=anew]').check();
  await tab.page.getByRole('button', { name: 'Đăng nhập', exact: true }).click();
  await tab.entered();
  await tab.says(/Đã đồng bộ/, 60_000);
  await tab.register('residents');
  await tab.search('hongxq');
  assert.deepEqual((await tab.titles()).sort(), ['Đặng Thị Hỏngxq Sau', 'Đặng Thị Hỏngxq Trước']);

  // And it is an ordinary store again.
  await tab.create('residents', { full_name: 'Đặng Thị Hỏngxq Lại' });
  await tab.stands(/đã nhận/);
  await tab.signOut();
  await tab.unlock('Nguyễn Thị An', password);
  await tab.says(/Đã đồng bộ/);

  // A disk that is full by the time there is a network again: what was saved before goes up all the same, and once.
  network.cut();
  await officer.offline(true);
  await tab.create('residents', { full_name: 'Đặng Thị Hỏngxq Đầy' });
  const id = tab.recordID();
  await tab.says(/Chưa gửi: 1 thay đổi$/);
  const [worker] = tab.page.workers();
  await worker.evaluate(() => {
    const files = FileSystemSyncAccessHandle.prototype;
    globalThis.whole = files.write;
    files.write = () => {
      throw new DOMException('as the test asks', 'QuotaExceededError');
    };
  });
  network.mend();
  await officer.offline(false);
  await tab.says(/đầy/, 60_000);
  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  const names = async () => (await supervisor('GET', `/api/v1/records/${id}/history`).catch(() => ({ steps: [] }))).steps.filter(({ field }) => field === 'full_name').map(({ value }) => value);
  await until(names, ({ length }) => length === 1, 'what was saved before the disk was full is not at the server');
  await worker.evaluate(() => (FileSystemSyncAccessHandle.prototype.write = globalThis.whole));
  await tab.says(/Đã đồng bộ \d\d:\d\d/, 60_000);
  assert.deepEqual(await names(), ['Đặng Thị Hỏngxq Đầy']);
  assert.deepEqual(officer.complaints.filter((text) => !/Quota|quota/.test(text)), []);
});

/** Turns over one byte of the database's first page, in each store of this browser. */
async function damage() {
  let done = 0;
  const walk = async (folder) => {
    for await (const entry of folder.values()) {
      if (entry.kind === 'directory') {
        await walk(entry);
        continue;
      }
      const bytes = new Uint8Array(await (await entry.getFile()).arrayBuffer());
      const at = 4096 + 2000; // 4096 bytes of the pool's own come before the first page
      if (new TextDecoder().decode(bytes.subarray(0, 10)) !== '/store.db\0' || bytes.length <= at) continue;
      const file = await entry.createWritable({ keepExistingData: true });
      await file.write({ type: 'write', position: at, data: new Uint8Array([bytes[at] ^ 0xff]) });
      await file.close();
      done++;
    }
  };
  await walk(await navigator.storage.getDirectory());
  return done;
}
