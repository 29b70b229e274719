// Ways to unlock. A PIN opens only together with what the server holds: not without a network, not after five wrong ones,
// not on a device that was reported lost. A passkey opens without a network, within the lease; its loss costs nothing.
// When the lease has ended both of the ways that need no server are gone, and a PIN that the server answers brings them
// back. Where the browser's passkeys give no secret bytes none is offered, or taken. Screens are photographed into
// web/e2e/out.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { look as lookAt } from './harness/look.mjs';

const pin = '482915';

await journey(async ({ demo, network, browser }) => {
  const phone = await browser();
  phone.url = phone.url.replace('127.0.0.1', 'localhost'); // passkeys belong to a name, never to an address
  const password = demo.passwords['officer.a'];
  const tab = await phone.tab();
  const { page } = tab;
  const offline = async () => {
    network.cut();
    await phone.context.setOffline(true);
  };
  const online = async () => {
    network.mend();
    await phone.context.setOffline(false);
  };
  const key = await authenticator(phone.context, page, true);
  const look = (screen) => lookAt(page, `unlock-${screen}`, key.session);
  /** Chooses the account, and the way to open it if the page asks for another one first. */
  const choose = async (way, at = page) => {
    await at.getByRole('button', { name: 'Nguyễn Thị An' }).click();
    const wanted = at.locator(way === 'passkey' ? 'wb-sign-in p:has-text("Máy sẽ hỏi")' : `wb-sign-in input[name=${way}]`);
    const other = at.getByRole('button', { name: { pin: 'Dùng mã PIN', password: 'Dùng mật khẩu', passkey: 'Dùng khóa truy cập' }[way] });
    await wanted.or(other).first().waitFor();
    if (!(await wanted.isVisible())) await other.click();
    await wanted.waitFor();
  };
  const openBy = async (way, at = page) => {
    await choose(way, at);
    if (way === 'password') await at.locator('input[name=password]').fill(password);
    await at.getByRole('button', { name: 'Mở khóa' }).click();
  };
  const says = async (words) => {
    await page.locator('wb-sign-in [role=alert]').filter({ hasText: words }).waitFor();
  };
  const tryPin = async (typed) => {
    await page.locator('input[name=pin]').fill(typed);
    await page.getByRole('button', { name: 'Mở khóa' }).click();
  };
  const kept = (change) =>
    page.evaluate(async (change) => {
      const settled = (request) => new Promise((resolve, reject) => ((request.onsuccess = () => resolve(request.result)), (request.onerror = () => reject(request.error))));
      const db = await settled(indexedDB.open('wardbook-keys'));
      const accounts = db.transaction('accounts', 'readwrite').objectStore('accounts');
      const known = await settled(accounts.get('officer.a'));
      if (change) await settled(accounts.put({ ...known, seenAt: known.seenAt + change }));
      db.close();
      return { password: known.wrapped !== null, ...Object.fromEntries((known.openers ?? []).map((o) => [o.kind, o.wrapped !== null])) };
    }, change);
  const dialog = page.locator('wb-openers dialog[open]');
  const add = async (button, values) => {
    await page.getByRole('button', { name: button, exact: true }).click();
    for (const [name, text] of Object.entries(values)) await dialog.locator(`input[name=${name}]`).fill(text);
    await dialog.locator('button.main').click();
  };

  // A PIN that is too easy, or set by who does not know the password, is refused; a good one is set.
  await tab.signIn('officer.a', password);
  await tab.says(/Đã đồng bộ/, 60_000);
  await page.goto(`${phone.url}/#/unlock`);
  await page.getByRole('heading', { name: 'Khóa truy cập' }).waitFor();
  await look('none');
  await add('Đặt mã PIN', { pin: '123456', again: '123456', password });
  await dialog.getByText('dễ đoán').waitFor();
  await look('set-pin');
  await dialog.locator('input[name=pin]').fill(pin);
  await dialog.locator('input[name=again]').fill(pin);
  await dialog.locator('input[name=password]').fill('không phải mật khẩu');
  await dialog.locator('button.main').click();
  await dialog.getByText('Mật khẩu không đúng').waitFor();
  assert.deepEqual(await kept(), { password: true });
  await dialog.locator('input[name=password]').fill(password);
  await dialog.locator('button.main').click();
  await page.getByText('chưa dùng').waitFor();
  await add('Thêm khóa truy cập', { password });
  await page.getByText('Đã thêm khóa truy cập').waitFor();
  await look('all');
  assert.deepEqual(await kept(), { password: true, pin: true, passkey: true });

  // The PIN: counted, needs the network, and once used is what is asked for first.
  await lock(tab);
  await choose('pin');
  await look('sign-in-pin');
  await tryPin('000001');
  await says('Còn 4 lần thử');
  await tryPin(pin);
  await tab.entered();
  await lock(tab);
  await page.getByRole('button', { name: 'Nguyễn Thị An' }).click();
  await page.locator('input[name=pin]').waitFor(); // used last, so asked for first
  await offline();
  await tryPin(pin);
  await says('Không có mạng');

  // A passkey needs no network.
  await page.getByRole('button', { name: 'Dùng khóa truy cập' }).click();
  await look('sign-in-passkey');
  await page.getByRole('button', { name: 'Mở khóa' }).click();
  await tab.entered();
  await tab.create('residents', { full_name: 'Lê Thị Vân' });
  await tab.says(/Chưa gửi: 1 thay đổi$/);
  await lock(tab);

  // The lease ends: password and passkey open nothing, and nothing that would is left. The server's answer to the PIN
  // opens, and brings the other ways back.
  await kept(8 * 24 * 60 * 60_000);
  await openBy('passkey');
  await says('Đã quá 7 ngày');
  assert.deepEqual(await kept(), { password: false, pin: true, passkey: false });
  await page.reload();
  await online();
  await choose('pin');
  await tryPin(pin);
  await tab.entered();
  await tab.says(/Đã đồng bộ \d\d:\d\d/, 60_000);
  await until(kept, (ways) => ways.password && ways.passkey, 'the ways are not back');
  await lock(tab);
  await offline();
  await openBy('password');
  await tab.entered();
  await lock(tab);
  await online();

  // The passkey is deleted in the device's settings: the password opens.
  await key.clear();
  await openBy('passkey');
  await says('chưa được dùng');
  await page.getByRole('button', { name: 'Dùng mật khẩu' }).click();
  await page.locator('input[name=password]').fill(password);
  await page.getByRole('button', { name: 'Mở khóa' }).click();
  await tab.entered();
  await page.goto(`${phone.url}/#/unlock`);
  await page.locator('.opener', { hasText: 'Thêm khóa truy cập' }).getByRole('button', { name: /^Bỏ/ }).click();
  await page.locator('wb-asker dialog[open]').getByRole('button', { name: 'Bỏ', exact: true }).click();
  await until(kept, (ways) => !('passkey' in ways), 'the passkey is still here');

  // Five wrong PINs, and the right one opens nothing either.
  await lock(tab);
  await choose('pin');
  for (const left of [4, 3, 2, 1]) {
    await tryPin('000001');
    await says(`Còn ${left} lần thử`);
  }
  const beside = await phone.tab();
  await choose('pin', beside.page);
  await tryPin('000001');
  await says('không còn dùng được');
  assert.equal(await page.getByRole('button', { name: 'Dùng mã PIN' }).count(), 0);
  await beside.page.locator('input[name=pin]').fill(pin); // a tab that has not heard of it
  await beside.page.getByRole('button', { name: 'Mở khóa' }).click();
  await beside.page.locator('wb-sign-in [role=alert]').filter({ hasText: /không có mã PIN|không còn dùng được/ }).waitFor();
  await beside.page.close();
  await page.locator('input[name=password]').fill(password);
  await page.getByRole('button', { name: 'Mở khóa' }).click();
  await tab.entered();

  // Lost: the server withholds its half, and the device wipes itself.
  await page.goto(`${phone.url}/#/unlock`);
  await add('Đặt mã PIN', { pin, again: pin, password });
  await page.getByText('chưa dùng').waitFor();
  await lock(tab);
  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  const { devices } = await supervisor('GET', '/api/v1/unit/devices');
  for (const { id, account_name } of devices) if (account_name === 'officer.a') await supervisor('POST', `/api/v1/unit/devices/${id}/lost`, {});
  await choose('pin');
  await tryPin(pin);
  await says('thu hồi');
  await page.reload();
  await page.locator('wb-sign-in').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Nguyễn Thị An' }).count(), 0, 'the lost device still knows the account');

  // An authenticator without PRF is not taken, and a browser without it offers nothing.
  const old = await browser();
  old.url = phone.url;
  const other = await old.tab();
  await authenticator(old.context, other.page, false);
  await other.signIn('officer.b', demo.passwords['officer.b']);
  await other.page.goto(`${phone.url}/#/unlock`);
  await other.page.getByRole('button', { name: 'Thêm khóa truy cập' }).click();
  await other.page.locator('wb-openers dialog[open] input[name=password]').fill(demo.passwords['officer.b']);
  await other.page.locator('wb-openers dialog[open] button.main').click();
  await other.page.locator('wb-openers [role=alert]').filter({ hasText: 'PRF' }).waitFor();
  await other.page.evaluate(() => (PublicKeyCredential.getClientCapabilities = async () => ({ 'extension:prf': false })));
  await other.page.evaluate(() => (location.hash = '#/'));
  await other.page.evaluate(() => (location.hash = '#/unlock'));
  await other.page.getByText('chưa cho dùng khóa truy cập').waitFor();
  assert.equal(await other.page.getByRole('button', { name: 'Thêm khóa truy cập' }).count(), 0);
  assert.deepEqual([...phone.complaints, ...old.complaints], []);
});

/** A device's own keeper of passkeys, made of software. */
async function authenticator(context, page, hasPrf) {
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true, hasPrf, isUserVerified: true, automaticPresenceSimulation: true },
  });
  return { session: cdp, clear: () => cdp.send('WebAuthn.clearCredentials', { authenticatorId }) };
}

async function lock(tab) {
  await tab.page.locator('details.who summary').click();
  await tab.page.locator('details.who').getByRole('button', { name: 'Khóa ngay' }).click();
  await tab.page.locator('wb-sign-in').waitFor();
}
