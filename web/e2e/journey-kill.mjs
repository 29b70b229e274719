// The browser is killed, all of its processes at once, right after a save shows; ten times on one profile, or as often
// as WARDBOOK_KILLS says. Each saved edit is there after the restart, and all of them arrive at the server.
import assert from 'node:assert/strict';
import { signIn } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { processesOn, signal } from './harness/processes.mjs';

const kills = Number(process.env.WARDBOOK_KILLS ?? 10);

await journey(async ({ demo, network, browser, enter }) => {
  const officer = await browser();
  let tab = await officer.tab();
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ/);
  const id = await tab.received('residents', { full_name: 'Đặng Thị Bền' });

  // Every other time without a network, so that what was saved is on this device and nowhere else.
  const made = [];
  for (let n = 1; n <= kills; n++) {
    const cut = n % 2 === 0;
    await saved(tab).waitFor({ state: 'detached' }); // nothing older is taken for it
    if (cut) network.cut();
    await tab.open('residents', id);
    await tab.type('other_name', `Lần ${n}`);
    let newcomer = '';
    await tab.page.getByRole('button', { name: 'Lưu', exact: true }).click();
    await saved(tab).waitFor();
    if (n % 5 === 0) {
      newcomer = `Đặng Thị Bền ${n}`;
      await tab.create('residents', { full_name: newcomer }); // it has an address of its own once it is saved
    }
    await kill(officer);
    if (newcomer) made.push(newcomer);

    await officer.start();
    tab = await officer.tab();
    await tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
    await tab.open('residents', id);
    assert.equal(await tab.field('other_name').inputValue(), `Lần ${n}`, `kill ${n}, ${cut ? 'without' : 'with'} a network`);
    if (newcomer) {
      await tab.register('residents');
      await tab.search(newcomer);
      assert.ok((await tab.titles()).includes(newcomer), `${newcomer} after kill ${n}`);
    }
    network.mend();
  }
  await tab.says(/Đã đồng bộ \d\d:\d\d/, 60_000);
  await tab.open('residents', id);
  await tab.stands(/đã nhận/);

  // The server has every one of them once, and another device hears of them.
  const { browser: colleague, tab: other } = await enter('officer.b');
  await other.open('residents', id);
  assert.equal(await other.field('other_name').inputValue(), `Lần ${kills}`);
  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);
  const { steps } = await supervisor('GET', `/api/v1/records/${id}/history`);
  const received = steps.filter(({ field }) => field === 'other_name').map(({ value }) => value);
  for (let n = 1; n <= kills; n++) assert.equal(received.filter((value) => value === `Lần ${n}`).length, 1, `edit ${n}, once, among ${received}`);
  await other.register('residents');
  for (const name of made) { // one by one: a list renders what the screen shows of it
    await other.search(name);
    await other.page.locator('wb-rows').getByText(name, { exact: true }).first().waitFor();
    assert.equal((await other.titles()).filter((title) => title === name).length, 1, `${name} at a colleague's`);
  }
  assert.deepEqual([...officer.complaints, ...colleague.complaints], []);
});

/** The words by which the page says that a save is on this device's disk. */
function saved({ page }) {
  return page.getByText('Đã lưu trên máy này.');
}

/** Kills a browser as the kernel does when memory is short, and waits until nothing of it is left. */
async function kill(browser) {
  const pids = await processesOn(browser.profile);
  assert.ok(pids.length > 2, `only ${pids.length} processes of the browser were found`);
  signal(pids, 'SIGKILL');
  await browser.stop().catch(() => {}); // it has ended already
  while ((await processesOn(browser.profile)).length) await new Promise((resolve) => setTimeout(resolve, 50));
}
