// The server has gone over to a wire version that the app on the screen does not speak, while the app was without a
// network and has work that nobody received. The app says that it has to be updated, finds the new version by itself,
// and waits for the form that is being typed into; when that is saved, everything arrives in the new version.
import assert from 'node:assert/strict';
import { signIn } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { anotherVersion } from './harness/version.mjs';

const another = await anotherVersion({ wire: 9 });
process.on('exit', () => another.remove());

await journey(async ({ demo, network, enter }) => {
  const { browser: officer, tab, page } = await enter('officer.a');
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  const id = await tab.received('residents', { full_name: 'Đặng Thị Bản Cũ' });

  network.cut();
  await officer.offline(true);
  await tab.type('other_name', 'Chưa gửi');
  await tab.save();
  await tab.says(/Chưa gửi: 1 thay đổi$/);
  await tab.type('hometown', 'Đang gõ dở');
  await demo.stop();
  demo.program = another.program;
  await demo.start();
  network.mend();
  await officer.offline(false);

  await tab.says(/Cần cập nhật ứng dụng để đồng bộ; việc chưa gửi vẫn còn trên thiết bị/, 90_000);
  assert.equal((await tab.status()).tone, 'red');
  await page.getByText('Có bản mới').waitFor({ timeout: 60_000 });
  assert.equal(await tab.field('hometown').inputValue(), 'Đang gõ dở');
  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  const values = async (field) => (await supervisor('GET', `/api/v1/records/${id}/history`)).steps.filter((step) => step.field === field).map(({ value, state }) => `${value} ${state}`);
  assert.deepEqual(await values('other_name'), [], 'the server does not read what it does not speak');

  await page.getByRole('button', { name: 'Lưu', exact: true }).click();
  await page.waitForFunction((name) => document.querySelector('meta[name=wardbook-version]')?.content === name, another.name, { timeout: 60_000 });
  await tab.entered();
  await tab.says(/Đã đồng bộ/, 60_000);
  assert.deepEqual(await values('other_name'), ['Chưa gửi current']);
  assert.deepEqual(await values('hometown'), ['Đang gõ dở current']);
  assert.deepEqual(officer.complaints, []);
});
