// The app in three tabs: one store, all of them live. The writing tab goes and the others carry on within two seconds;
// a reload asks for no password; who signs out in one tab is signed out in all. Twelve times, or as often as
// WARDBOOK_RELOADS says, a tab is loaded again while another one saves.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { firefox, journey } from './harness/app.mjs';

const reloads = Number(process.env.WARDBOOK_RELOADS ?? 12);

await journey(async ({ demo, enter }) => {
  const { browser: officer, tab: one } = await enter('officer.a');
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

  // Whoever writes is loaded again while another tab saves, over and over: there is one writer at all times, and each
  // save is there once.
  const tabs = [two, three, await officer.tab()];
  await tabs[2].entered();
  const id = await two.received('residents', { full_name: 'Đặng Thị Nhiều Thẻ' });
  for (let n = 1; n <= reloads; n++) {
    const [loaded, saving] = [tabs[n % 3], tabs[(n + 1) % 3]];
    await saving.open('residents', id);
    if (n > 1) await saving.holds('other_name', `Lần ${n - 1}`); // it is live
    await saving.type('other_name', `Lần ${n}`);
    const loading = loaded.page.reload();
    await saving.save();
    await loading;
    await loaded.entered();
    const writers = await saving.page.evaluate(async () => (await navigator.locks.query()).held.filter(({ name }) => name.startsWith('wardbook-writer-')).length);
    assert.ok(writers <= 1, `${writers} writers at once`);
  }
  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  const written = async () => (await supervisor('GET', `/api/v1/records/${id}/history`)).steps.filter(({ field }) => field === 'other_name').map(({ value }) => value);
  const saved = await until(written, (values) => values.includes(`Lần ${reloads}`), 'the last save is not at the server', 60_000);
  for (const tab of tabs) await tab.says(/Đã đồng bộ/, 60_000);
  for (let n = 1; n <= reloads; n++) assert.equal(saved.filter((value) => value === `Lần ${n}`).length, 1, `save ${n}, once, among ${saved}`);

  // A tab that is opened while all others are too busy to answer is let in as soon as one of them does.
  if (!firefox) { // whose workers a test cannot reach
    const workers = tabs.flatMap(({ page }) => page.workers());
    const inEach = (act) => Promise.all(workers.map((worker) => worker.evaluate(act)));
    await inEach(() => {
      const { prototype } = BroadcastChannel;
      const post = (globalThis.post = prototype.postMessage);
      globalThis.late = [];
      prototype.postMessage = function (message) {
        if (message.for) globalThis.late.push(() => post.call(this, message));
        else post.call(this, message);
      };
    });
    const four = await officer.tab();
    await four.page.locator('wb-sign-in').waitFor();
    await inEach(() => {
      BroadcastChannel.prototype.postMessage = globalThis.post;
      for (const answer of globalThis.late) answer();
    });
    await four.page.locator('.app').waitFor();
    await four.page.close();
  }

  await three.signOut();
  await two.page.locator('wb-sign-in').waitFor();
  await two.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  await three.entered();
  await three.says(/Đã đồng bộ/);
  assert.deepEqual(officer.complaints, []);
});
