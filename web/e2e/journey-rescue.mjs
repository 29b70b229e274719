// Nothing vanishes. An officer's unsent work goes into a rescue file that nobody reads on the way and that the server
// takes once; on a shared tablet it stays sealed while a colleague works, and arrives as its author's; a lost device
// hands it in and wipes itself; and data that was cleared away is missed, and said.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, network, browser }) => {
  const tablet = await browser();
  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  const offline = async (b) => {
    network.cut();
    await b.offline(true);
  };
  const online = async (b) => {
    network.mend();
    await b.offline(false);
  };

  // Three records that nobody has received, in a file.
  let tab = await tablet.tab();
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ/);
  await offline(tablet);
  const made = [];
  for (const name of ['Tăng Thị Cứu Một', 'Tăng Thị Cứu Hai', 'Tăng Thị Cứu Ba']) {
    await tab.create('residents', { full_name: name });
    made.push(tab.recordID());
  }
  await tab.says(/Chưa gửi: 3 thay đổi$/);
  await tab.page.locator('wb-status button.status').click();
  const [download] = await Promise.all([
    tab.page.waitForEvent('download'),
    tab.page.getByRole('button', { name: 'Cất việc chưa gửi ra tệp cứu hộ' }).click(),
  ]);
  assert.match(download.suggestedFilename(), /^wardbook-officer\.a-\d{8}-\d{4}\.wbrescue$/);
  const path = join(tablet.profile, 'rescue.wbrescue');
  await download.saveAs(path);
  const file = await readFile(path);
  for (const word of ['Tăng', 'Thị', 'officer.a']) assert.equal(file.includes(word), false, `${word} is readable in the file`);
  await tab.page.keyboard.press('Escape');

  // The tablet changes hands; the first officer's work is neither seen nor sent as the second's.
  await tab.signOut();
  const known = tab.page.getByRole('button', { name: 'Nguyễn Thị An' });
  assert.match(await known.innerText(), /3 chưa gửi/);
  await tab.page.locator('.sign-in .note', { hasText: 'niêm phong' }).waitFor();

  // A stranger's browser hands the file in: a changed one is refused, a good one is taken once.
  network.mend();
  const carrier = await browser();
  const door = (await carrier.tab()).page;
  const handIn = async (bytes) => {
    const changed = join(carrier.profile, 'handed.wbrescue');
    await writeFile(changed, bytes);
    await door.locator('input[name=rescue]').setInputFiles(changed);
    const said = door.locator('.rescue-said');
    await said.waitFor();
    return said.innerText();
  };
  await door.locator('summary', { hasText: 'Nộp tệp cứu hộ' }).click();
  const tampered = Buffer.from(file);
  tampered[tampered.length - 20] ^= 1;
  assert.match(await handIn(tampered), /bị hỏng hoặc đã bị sửa/);
  assert.match(await handIn(Buffer.from('a letter')), /không phải tệp cứu hộ/);
  const foreign = Buffer.from(file);
  foreign[20] ^= 1; // in the name of the key that it is sealed to
  assert.match(await handIn(foreign), /một đơn vị vận hành khác/);
  assert.match(await handIn(file), /3 thay đổi mới, 0 cách ly[^,]*, 0 đã có/);
  assert.match(await handIn(file), /0 thay đổi mới, 0 cách ly[^,]*, 3 đã có/);
  await carrier.stop();

  // The colleague signs in on the tablet and sends; what was there came as the author's, once.
  await tablet.offline(false);
  await tab.page.getByRole('button', { name: 'Tài khoản khác' }).waitFor();
  await tab.signIn('officer.b', demo.passwords['officer.b']);
  await tab.create('residents', { full_name: 'Tăng Thị Của Bình' });
  const hers = tab.recordID();
  await tab.says(/Đã đồng bộ \d\d:\d\d/, 60_000);
  const authors = async (id) => [...new Set((await supervisor('GET', `/api/v1/records/${id}/history`)).steps.map(({ by }) => by))];
  for (const id of made) assert.deepEqual(await authors(id), ['officer.a']);
  assert.deepEqual(await authors(hers), ['officer.b']);
  await tab.signOut();

  // Its author opens the tablet again: received, and there once.
  await tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ \d\d:\d\d/, 60_000);
  await tab.register('residents');
  await tab.search('tang thi cuu');
  assert.deepEqual((await tab.titles()).sort(), ['Tăng Thị Cứu Ba', 'Tăng Thị Cứu Hai', 'Tăng Thị Cứu Một']);

  // A password that was reset elsewhere opens the same store: nothing of it depends on the former one.
  await offline(tablet);
  await tab.create('residents', { full_name: 'Tăng Thị Khóa Cũ' });
  await tab.says(/Chưa gửi: 1 thay đổi$/);
  await tab.signOut();
  await online(tablet);
  const admin = await signIn(demo.url, 'admin', demo.passwords.admin);
  const { accounts } = await admin('GET', '/api/v1/admin/accounts?limit=200');
  const an = accounts.find(({ name }) => name === 'officer.a');
  const { password } = await admin('POST', `/api/v1/admin/accounts/${an.id}/reset-password`, {});
  await tab.page.getByRole('button', { name: 'Nguyễn Thị An' }).click();
  await tab.page.getByRole('button', { name: 'Đăng nhập lại qua mạng' }).click();
  await tab.page.locator('input[name=password]').fill(password);
  await tab.page.getByRole('button', { name: 'Đăng nhập', exact: true }).click();
  await tab.page.locator('input[name=new]').waitFor();
  const fresh = 'cây đa bến nước sân đình';
  await tab.page.locator('input[name=new]').fill(fresh);
  await tab.page.getByRole('button', { name: 'Đăng nhập', exact: true }).click();
  await tab.entered();
  await tab.says(/Đã đồng bộ \d\d:\d\d/, 60_000);
  await tab.register('residents');
  await tab.search('tang thi khoa cu');
  assert.deepEqual(await tab.titles(), ['Tăng Thị Khóa Cũ']);

  // Lost: what was unsent arrives in quarantine, and nothing of the account is left on the device.
  await offline(tablet);
  for (const name of ['Tăng Thị Mất Một', 'Tăng Thị Mất Hai']) await tab.create('residents', { full_name: name });
  await tab.says(/Chưa gửi: 2 thay đổi$/);
  const { devices } = await admin('GET', `/api/v1/admin/devices?account=${an.id}&limit=200`);
  for (const { id, revoked_at } of devices) if (!revoked_at) await admin('POST', `/api/v1/admin/devices/${id}/revoke`, { reason: 'lost', lost: true });
  await online(tablet);
  await tab.page.locator('wb-sign-in').waitFor({ timeout: 60_000 });
  const lost = ({ items }) => items.filter(({ author, code }) => author === 'officer.a' && code === 'revoked');
  await until(() => supervisor('GET', '/api/v1/quarantine'), (answer) => lost(answer).length === 2, 'the lost device’s work is not in quarantine');
  assert.equal(await tab.page.getByRole('button', { name: 'Nguyễn Thị An' }).count(), 0);
  assert.equal(await stores(tab.page), 1, 'only the colleague’s store is left');

  // Cleared away: the device says what may be lost, and hands in the sealed copy if that is left elsewhere.
  await tab.page.reload();
  await tab.unlock('Trần Văn Bình', demo.passwords['officer.b']);
  await tab.says(/Đã đồng bộ/);
  const cleared = async (name, also) => {
    await offline(tablet);
    await tab.create('residents', { full_name: name });
    await tab.says(/Chưa gửi: 1 thay đổi$/);
    await tab.signOut();
    await tab.page.evaluate(async (also) => {
      const root = await navigator.storage.getDirectory();
      for await (const name of root.keys()) await root.removeEntry(name, { recursive: true });
      for (const { name } of await indexedDB.databases()) if (/mirror/.test(name) || name === also) indexedDB.deleteDatabase(name);
    }, also);
    await tab.page.getByRole('button', { name: 'Trần Văn Bình' }).click();
    await tab.page.locator('input[name=password]').fill(demo.passwords['officer.b']);
    await tab.page.getByRole('button', { name: 'Mở khóa' }).click();
    assert.match(await tab.page.locator('wb-sign-in [role=alert]').innerText(), /đã bị xóa \(lúc trước có 1 thay đổi chưa gửi\)/);
    await online(tablet);
    await tab.page.locator('input[name=password]').fill(demo.passwords['officer.b']);
    await tab.page.getByRole('button', { name: 'Đăng nhập', exact: true }).click();
    const told = tab.page.locator('wb-asker dialog[open]');
    await told.waitFor();
    const words = await told.innerText();
    assert.match(words, /^Dữ liệu trên máy này đã mất/);
    await told.getByRole('button').last().click();
    await tab.says(/Đã đồng bộ/, 60_000);
    return words;
  };
  // The copy was handed in either as soon as there was a network or after the sign-in.
  assert.match(await cleared('Tăng Thị Bị Xóa'), /một bản niêm phong|mọi việc đều đã gửi/);
  await tab.register('residents');
  await tab.search('tang thi bi xoa');
  await until(() => tab.titles(), (titles) => titles.length === 1, 'the record out of the sealed copy');
  assert.match(await cleared('Tăng Thị Mất Hẳn', 'wardbook-rescues'), /còn 1 thay đổi chưa gửi, và những thay đổi ấy có thể đã mất/);
  assert.deepEqual([...tablet.complaints, ...carrier.complaints], []);
});

/** How many accounts' stores this browser has files of. */
function stores(page) {
  return page.evaluate(async () => {
    let found = 0;
    const walk = async (folder) => {
      for await (const [name, entry] of folder.entries()) {
        if (entry.kind !== 'directory') continue;
        if (name.startsWith('a-')) found++;
        else await walk(entry);
      }
    };
    await walk(await navigator.storage.getDirectory());
    return found;
  });
}
