// An officer's day with and without a network: signs in, finds somebody by a name without diacritics, edits, and sees
// it received; loses the network and closes the browser; starts it again offline, finds, edits and creates; and when
// the network is back everything is received without a touch.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, network, browser, enter }) => {
  const officer = await browser();
  let tab = await officer.tab();

  // Online.
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ/);
  await tab.register('residents');
  await tab.search('dang thi');
  const found = await tab.titles();
  assert.ok(found.length > 0, 'nobody found');
  for (const name of found) assert.match(name.normalize('NFC'), /Đặng Thị|Đăng Thị/);
  await tab.openRow(0);
  await tab.type('other_name', 'Cô Ba');
  await tab.save();
  await tab.stands(/đã nhận \d\d:\d\d/);
  await tab.says(/Đã đồng bộ \d\d:\d\d/);
  const edited = tab.recordID();

  // A server that does not answer, and a line that says "synced" until then: from the moment that a save is answered
  // nothing says so any more.
  for (const name of ['Cô Tư', 'Cô Năm', 'Cô Ba']) {
    process.kill(demo.pid, 'SIGSTOP');
    try {
      await tab.type('other_name', name);
      const said = await tab.page.evaluate(async () => {
        const form = document.querySelector('wb-record article');
        const words = () => document.querySelector('wb-status .status-words').innerText.trim();
        const before = words();
        const saved = new Promise((resolve) => new MutationObserver(() => /trên máy này/.test(form.querySelector('.way').innerText) && resolve(words())).observe(form, { subtree: true, childList: true, characterData: true, attributes: true }));
        form.querySelector('.record-foot .main').click();
        return [before, await saved];
      });
      assert.match(said[0], /^Đã đồng bộ/);
      assert.doesNotMatch(said[1], /Đã đồng bộ/, 'a save that nobody has received is called synced');
    } finally {
      process.kill(demo.pid, 'SIGCONT');
    }
    await tab.stands(/đã nhận \d\d:\d\d/);
    await tab.says(/Đã đồng bộ \d\d:\d\d/);
  }

  // The network goes; a save answers at once, and says where it is.
  network.cut();
  await officer.offline(true);
  await tab.says(/^(?!Đã đồng bộ)/, 5_000); // the line does not wait for a ping to say less
  await tab.type('other_name', 'Cô Ba Bến Nghé');
  await tab.save();
  await tab.stands(/trên máy này/);
  await tab.says(/Chưa gửi: 1 thay đổi$/);

  // The browser ends and begins again with no network.
  await officer.stop();
  await officer.start();
  await officer.offline(true);
  tab = await officer.tab();
  await tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);
  await tab.says(/Chưa gửi: 1 thay đổi$/);
  await tab.register('residents');
  await tab.search('dang thi');
  assert.deepEqual(await tab.titles(), found, 'the same people offline');
  await tab.open('residents', edited);
  assert.equal(await tab.field('other_name').inputValue(), 'Cô Ba Bến Nghé');
  await tab.type('other_name', 'Cô Ba Sài Gòn');
  await tab.save();
  await tab.says(/Chưa gửi: 2 thay đổi$/);
  assert.match(await tab.reveal('personal_id'), /^\d{12}$/);
  await tab.type('other_name', 'Cô Ba Sài Gòn'); // drawing the form again hides nothing that was shown
  assert.match(await tab.field('personal_id').inputValue(), /^\d{3} ?\d{3} ?\d{3} ?\d{3}$/);
  await tab.create('residents', { full_name: 'Đặng Thị Ngoại Tuyến', dob: '01/02/1990' });
  await tab.says(/Chưa gửi: 3 thay đổi$/);

  // The network returns.
  const before = demo.said;
  network.mend();
  await officer.offline(false);
  await tab.says(/Đã đồng bộ \d\d:\d\d/, 60_000);
  await tab.stands(/đã nhận \d\d:\d\d/);
  assert.equal(demo.said, before, 'the server complained');

  // That somebody looked at a number is in the audit log, though there was no network then.
  const admin = await signIn(demo.url, 'admin', demo.passwords.admin);
  const looks = ({ entries }) => entries.filter(({ action, subject }) => action.includes('reveal') && subject === edited);
  await until(() => admin('GET', '/api/v1/admin/audit'), (log) => looks(log).length === 1, 'the reveal is not in the audit log');

  // Another device of the ward sees it all.
  const { browser: colleague, tab: other } = await enter('officer.b');
  await other.register('residents');
  await other.search('dang thi ngoai tuyen');
  assert.deepEqual(await other.titles(), ['Đặng Thị Ngoại Tuyến']);
  await other.open('residents', edited);
  assert.equal(await other.field('other_name').inputValue(), 'Cô Ba Sài Gòn');
  assert.deepEqual([...officer.complaints, ...colleague.complaints], []);
});
