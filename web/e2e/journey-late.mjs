// Writing after the lease. The device opens nothing any more, and there is no network: new records are written all the
// same, each sealed as it is saved, and none of them can be read again on the device, by nobody, in no file of the
// profile. With a network nothing is sent before the officer has signed in on that device; then each arrives once, as
// the officer's. Of a device that was reported lost they are kept aside.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { look } from './harness/look.mjs';
import { inClear } from './harness/profile.mjs';

const late = ['Tôquyzjw Thị Muộn', 'Mạcvixwz Văn Trễ', 'Lâmkofjq Thị Mất'];

await journey(async ({ demo, network, browser }) => {
  const phone = await browser();
  const tab = await phone.tab();
  let page = tab.page;
  const password = demo.passwords['officer.a'];
  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  const offline = async () => {
    network.cut();
    await phone.context.setOffline(true);
  };
  const online = async () => {
    network.mend();
    await phone.context.setOffline(false);
  };
  const pastLease = () =>
    page.evaluate(async () => {
      const settled = (request) => new Promise((resolve, reject) => ((request.onsuccess = () => resolve(request.result)), (request.onerror = () => reject(request.error))));
      const db = await settled(indexedDB.open('wardbook-keys'));
      const accounts = db.transaction('accounts', 'readwrite').objectStore('accounts');
      const known = await settled(accounts.get('officer.a'));
      await settled(accounts.put({ ...known, heardAt: known.heardAt - 8 * 24 * 60 * 60_000, seenAt: known.heardAt }));
      db.close();
    });
  const lockedOut = async (page) => {
    await page.locator('details.who summary').click();
    await page.locator('details.who').getByRole('button', { name: 'Khóa ngay' }).click();
    await page.locator('wb-sign-in').waitFor();
    await offline();
    await pastLease();
    await page.reload();
    await page.getByRole('button', { name: 'Nguyễn Thị An' }).click();
  };
  const write = async (name) => {
    await page.locator('wb-late').getByRole('button', { name: /nhân khẩu/ }).click();
    await tab.form();
    await tab.type('full_name', name);
    await page.getByRole('button', { name: 'Lưu và niêm phong' }).click();
  };
  const find = async (name) => (await supervisor('GET', `/api/v1/records?register=residents&search=${encodeURIComponent(name)}`)).rows;

  await tab.signIn('officer.a', password);
  await tab.says(/Đã đồng bộ/, 60_000);
  await lockedOut(page);
  await look(page, 'late-door');
  await page.getByRole('button', { name: 'Viết hồ sơ mới khi máy đang khóa' }).click();
  await page.getByText('Ở đây chỉ viết mới được').waitFor();
  await look(page, 'late');
  for (const [name, args] of [['list', { register: 'residents' }], ['get', { id: 'x' }], ['history', { id: 'x' }], ['rescue', null], ['api', { method: 'GET', path: '/api/v1/auth/me' }], ['save', {}], ['addOpener', {}]]) {
    const answer = await page.workers()[0].evaluate(
      ([name, args]) =>
        new Promise((resolve) => {
          const post = self.postMessage;
          self.postMessage = (message) => {
            if (message.id !== 99_999) return post.call(self, message);
            self.postMessage = post;
            resolve(message.answer);
          };
          self.onmessage({ data: { ask: { id: 99_999, name, args } } });
        }),
      [name, args],
    );
    assert.match(answer.error?.code ?? '', /^(late|signed_out)$/, `${name} is answered`);
  }
  await write(late[0]);
  await page.getByText('Đã niêm phong 1 hồ sơ').waitFor();
  await look(page, 'late-sealed');
  assert.equal(await page.getByText(late[0]).count(), 0, 'what was sealed is on the screen');
  await page.locator('wb-late').getByRole('button', { name: /nhân khẩu/ }).click();
  await tab.form();
  assert.equal(await tab.field('full_name').inputValue(), '');
  await look(page, 'late-form');

  // A disk that is full: the form stays, and the same words are saved once when there is room.
  const [worker] = page.workers();
  const full = (on) =>
    worker.evaluate((on) => {
      globalThis.put ??= IDBObjectStore.prototype.put;
      IDBObjectStore.prototype.put = on
        ? () => {
            throw new DOMException('as the test asks', 'QuotaExceededError');
          }
        : globalThis.put;
    }, on);
  await full(true);
  await tab.type('full_name', late[1]);
  await page.getByRole('button', { name: 'Lưu và niêm phong' }).click();
  await page.locator('wb-record .note-red[role=alert]').waitFor();
  assert.equal(await tab.field('full_name').inputValue(), late[1], 'the form lost what was typed');
  await full(false);
  await page.getByRole('button', { name: 'Lưu và niêm phong' }).click();
  await page.getByText('Đã niêm phong 2 hồ sơ').waitFor();
  await page.getByRole('button', { name: 'Xong, khóa máy' }).click();
  await page.locator('wb-sign-in').waitFor();
  assert.match(await page.getByRole('button', { name: 'Nguyễn Thị An' }).innerText(), /2 chưa gửi/);

  // Closed, and searched.
  await phone.stop();
  const { found, seen } = await inClear(phone.profile, late, 'Diên Hồng');
  assert.ok(seen, 'the search would not find a name');
  assert.deepEqual(found, [], 'names in clear');

  // A network alone sends nothing: anybody could have written it. The officer's sign-in does, once.
  await phone.start();
  network.mend();
  const back = await phone.tab();
  await back.page.getByRole('button', { name: 'Nguyễn Thị An' }).waitFor();
  await back.page.waitForTimeout(3000);
  for (const name of late) assert.equal((await find(name)).length, 0, `${name} was taken from nobody`);
  await back.page.getByRole('button', { name: 'Nguyễn Thị An' }).click();
  await back.page.locator('input[name=password]').fill(password);
  await back.page.getByRole('button', { name: 'Đăng nhập', exact: true }).click();
  await back.entered();
  for (const name of late.slice(0, 2)) await until(() => find(name), (items) => items.length === 1, `${name} did not arrive once`);
  await back.register('residents');
  for (const name of late.slice(0, 2)) {
    await until(async () => (await back.search(name), await back.titles()), (titles) => titles.length === 1, `${name} is not on the device once`);
  }
  await back.openRow(0);
  await back.page.getByRole('button', { name: 'Lịch sử' }).click();
  await back.page.locator('wb-history', { hasText: 'Nguyễn Thị An' }).waitFor();
  await back.page.reload();
  await back.entered();
  await back.says(/Đã đồng bộ/, 60_000);
  for (const name of late.slice(0, 2)) assert.equal((await find(name)).length, 1);

  // Lost, with one more: it is kept aside when the device hears of it, whoever signs in or nobody.
  tab.page = page = back.page;
  await lockedOut(back.page);
  await back.page.getByRole('button', { name: 'Viết hồ sơ mới khi máy đang khóa' }).click();
  await write(late[2]);
  await back.page.getByText('Đã niêm phong 1 hồ sơ').waitFor();
  await back.page.getByRole('button', { name: 'Xong, khóa máy' }).click();
  const { devices } = await supervisor('GET', '/api/v1/unit/devices');
  for (const { id, account_name } of devices) if (account_name === 'officer.a') await supervisor('POST', `/api/v1/unit/devices/${id}/lost`, {});
  await online();
  await back.page.getByRole('button', { name: 'Nguyễn Thị An' }).click();
  await back.page.locator('input[name=password]').fill(password);
  await back.page.getByRole('button', { name: 'Đăng nhập', exact: true }).click();
  await back.page.locator('wb-sign-in [role=alert]').filter({ hasText: 'thu hồi' }).waitFor();
  await until(() => supervisor('GET', '/api/v1/quarantine'), ({ items }) => items.filter(({ author, code }) => author === 'officer.a' && code === 'revoked').length === 1, 'what the lost device had is not in quarantine');
  assert.equal((await find(late[2])).length, 0);
  assert.deepEqual(phone.complaints, []);
});
