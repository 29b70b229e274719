// An officer's tally: what the screen says, what the server answers and what the records' own histories say agree after
// every step of a piece's way: entered, handed in, returned, answered, approved, changed and approved at once, written
// without a network and received late. Without a network the screen shows what was told last, with its time,
// and names what is on the device alone apart from it. A supervisor sees the same numbers.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { look } from './harness/look.mjs';

const HOUR = 60 * 60_000;
const rows = { entered: 'Đã nhập', received: 'Máy chủ đã nhận', on_time: 'Đúng hạn', overdue: 'Quá hạn', approved_first: 'Duyệt ngay lần đầu', returned: 'Từng bị trả lại', approved: 'Đã duyệt', waiting: 'Đã trình, chưa xong', drafts: 'Hồ sơ mới, chưa trình', refused: 'Bị từ chối', replaced: 'Người khác đã viết thay', held: 'Đang cách ly' };
const system = ['submission', 'review', 'answer', 'home', 'twin'];

await journey(async ({ demo, browser, enter }) => {
  const { browser: phone, tab, page } = await enter('officer.a');
  const officer = await signIn(demo.url, 'officer.a', demo.passwords['officer.a']);
  const supervisor = await signIn(demo.url, 'supervisor', demo.passwords.supervisor);

  const told = async (ask = officer) => (await ask('GET', '/api/v1/tallies')).tallies.find((one) => one.officer === 'officer.a').periods;
  /** What the screen says: by period, by row; a row that is not shown counts nothing. */
  const screen = (where = page.locator('wb-tally .tally').first()) =>
    where.evaluate((table, rows) => {
      const cells = [...table.querySelectorAll('tbody tr')].filter((row) => row.querySelector('td')).map((row) => [[...row.querySelector('th').childNodes].map((node) => (node.nodeType === Node.TEXT_NODE ? node.textContent : '')).join('').trim(), [...row.querySelectorAll('td')].map((cell) => Number(cell.textContent.split('/')[0].replaceAll('.', '')))]);
      const by = (label) => cells.find(([name]) => name === label)?.[1] ?? [0, 0, 0];
      return ['day', 'week', 'month'].map((name, i) => ({ name, ...Object.fromEntries(Object.entries(rows).map(([key, label]) => [key, by(label)[i]])) }));
    }, rows);
  const same = (a, b) => a.every((period, i) => Object.keys(rows).every((key) => period[key] === b[i][key]));

  /** The pieces of one record by officer.a, told from its history as a person reads it: step after step. */
  const pieces = async (id) => {
    const { steps, decisions } = await officer('GET', `/api/v1/records/${encodeURIComponent(id)}/history`);
    const events = [...steps.filter((step) => step.by === 'officer.a').map((step) => ({ at: step.received, step })), ...decisions.map((decision) => ({ at: decision.at, decision }))].sort((a, b) => a.at - b.at);
    const list = [];
    let open = null;
    for (const { step, decision } of events) {
      if (step) {
        if (!open && !system.includes(step.field)) list.push((open = { returned: false, late: false, end: 'drafts' }));
        if (!open) continue;
        open.late ||= Math.abs(step.received - step.at) > 24 * HOUR;
        if (step.field === 'submission') open.end = 'waiting';
      } else if (open) {
        if (decision.decision === 'returned') open.returned = true;
        if (decision.decision !== 'approved') continue;
        open.end = 'approved';
        open = null;
      }
    }
    return list;
  };
  const before = await told();
  const mine = [];
  /** That screen, server and histories agree; `entered` and `received` are how many more of today than at the beginning. */
  const agree = async (what, entered, received) => {
    await page.evaluate(() => (location.hash = '#/tally'));
    const answer = await until(async () => ({ screen: await screen().catch(() => null), told: await told() }), (both) => both.screen && same(both.screen, both.told) && both.told[0].received === before[0].received + received, what, 60_000);
    const counted = { on_time: 0, overdue: 0, approved_first: 0, returned: 0, approved: 0, waiting: 0, drafts: 0 };
    let all = 0;
    for (const id of mine) {
      for (const piece of await pieces(id)) {
        all++;
        counted[piece.end]++;
        counted[piece.late ? 'overdue' : 'on_time']++;
        if (piece.returned) counted.returned++;
        if (piece.end === 'approved' && !piece.returned) counted.approved_first++;
      }
    }
    const more = Object.fromEntries(Object.keys(counted).map((key) => [key, answer.told[0][key] - before[0][key]]));
    assert.deepEqual(more, counted, `${what}: the server, and the histories`);
    assert.equal(answer.told[0].received - before[0].received, all, `${what}: every piece in the histories was received today`);
    assert.equal(answer.told[0].entered - before[0].entered, entered, `${what}: entered`);
    for (const period of answer.told) assert.equal(period.approved + period.waiting + period.drafts + period.refused + period.replaced + period.held, period.received, `${what}: the sum of ${period.name}`);
    assert.deepEqual(await told(supervisor), answer.told, `${what}: a supervisor is told the same`);
  };
  const digest = async (id) => (await supervisor('GET', `/api/v1/review/records/${encodeURIComponent(id)}`)).digest;
  const approve = async (id) => supervisor('POST', '/api/v1/review/approve', { id, digest: await digest(id), accept_warnings: true });
  const stands = async (pattern) => {
    await tab.stands(pattern, 60_000);
    await tab.says(/Đã đồng bộ/, 60_000);
  };

  await agree('at the beginning', 0, 0);
  assert.match(await page.locator('wb-tally').innerText(), /Máy chủ đếm lúc \d\d:\d\d/);

  // Entered, changed once more, handed in: one piece.
  await tab.create('residents', { full_name: 'Đặng Thị Một Lượt', dob: '1958' });
  await stands(/đã nhận/);
  const id = tab.recordID();
  mine.push(id);
  await agree('entered', 1, 1);
  await tab.open('residents', id);
  await fill(tab);
  await submit(tab);
  await stands(/đã nhận/);
  await agree('handed in', 1, 1);

  // Returned, answered, approved: not at the first time.
  await supervisor('POST', '/api/v1/review/return', { id, digest: await digest(id), fields: ['other_name'], comment: 'Tên này ở đâu ra?' });
  await agree('returned', 1, 1);
  await tab.open('residents', id);
  await page.getByText('Tên này ở đâu ra?').waitFor({ timeout: 60_000 });
  await page.locator('wb-record section textarea').fill('Bà con trong hẻm gọi vậy.');
  await page.locator('wb-record section .actions button').click();
  await until(async () => (await supervisor('GET', `/api/v1/review/records/${encodeURIComponent(id)}`)).questions.at(-1)?.answers.length ?? 0, (n) => n === 1, 'the answer is at the desk', 60_000);
  await agree('answered', 1, 1);
  await approve(id);
  await agree('approved in the end', 1, 1);

  // A change, saved, which counts nothing yet; handed in; approved at once.
  await tab.open('residents', id);
  await tab.stands(/đã duyệt/, 60_000);
  await tab.type('other_name', 'Cô Sáu');
  await tab.save();
  await stands(/đã nhận/);
  const saved = await told();
  assert.equal(saved[0].received, before[0].received + 1, 'a change that was only saved');
  await submit(tab);
  await stands(/đã nhận/);
  await agree('changed', 2, 2);
  await approve(id);
  await agree('approved at once', 2, 2);
  await look(page, 'tally');

  // Without a network: what was told last, and what is on the device apart from it.
  await phone.offline(true);
  const last = await screen();
  const [worker] = page.workers();
  await worker.evaluate((shift) => { // the day before yesterday
    const Real = (globalThis.RealDate = Date);
    globalThis.Date = class extends Real {
      constructor(...args) {
        if (args.length) super(...args);
        else super(Real.now() - shift);
      }
      static now() {
        return Real.now() - shift;
      }
    };
  }, 40 * HOUR);
  await tab.create('residents', { full_name: 'Đặng Thị Về Muộn', dob: '1960' });
  mine.push(tab.recordID());
  await worker.evaluate(() => (globalThis.Date = globalThis.RealDate));
  await page.evaluate(() => (location.hash = '#/tally'));
  await page.getByText(/Trên máy này còn 1 thay đổi máy chủ chưa nhận/).waitFor();
  await page.getByText(/Không hỏi được máy chủ: bảng này là số lúc \d\d:\d\d/).waitFor();
  await tab.says(/Chưa gửi: 1 thay đổi$/, 60_000);
  assert.deepEqual(await screen(), last, 'without a network the numbers stay as they were told');
  await look(page, 'tally-offline');
  await page.reload();
  await page.locator('wb-tally .tally').waitFor();
  assert.deepEqual(await screen(), last, 'over a reload, too');

  // It arrives: received today, entered on the day on which it was written, and late.
  await phone.offline(false);
  await page.getByText(/Máy chủ đếm lúc/).waitFor({ timeout: 60_000 });
  await agree('late', 2, 3);
  assert.equal(await page.getByText(/Trên máy này còn/).count(), 0);
  const late = await told();
  assert.equal(late[0].on_time - before[0].on_time, 2, 'the late one is not on time');

  // The supervisor's page.
  const desk = await browser();
  const deskTab = await desk.tab();
  await deskTab.signIn('supervisor', demo.passwords.supervisor);
  await deskTab.page.goto(`${desk.url}/#/desk`);
  await deskTab.page.getByRole('link', { name: 'Việc của cán bộ' }).first().click();
  const theirs = deskTab.page.locator('wb-tally .tally').first();
  await theirs.waitFor();
  assert.ok(same(await screen(theirs), await told()), 'a supervisor sees the same');
  assert.equal(await deskTab.page.locator('wb-tally .tally').count(), 2, 'the officers of the unit, and nobody else');
  await look(deskTab.page, 'tally-unit');
  const [file] = await Promise.all([deskTab.page.waitForEvent('download'), deskTab.page.getByRole('button', { name: 'Tải bảng tính (CSV)' }).click()]);
  assert.match(file.suggestedFilename(), /^wardbook-27169-\d{4}-\d\d-\d\d\.csv$/);
  const lines = (await readFile(await file.path(), 'utf8')).split('\r\n');
  const columns = lines[0].split(';');
  assert.equal(columns[0], '\uFEFFCán bộ');
  assert.equal(lines.length, 1 + 2 * 3 + 1, 'a row for each of two officers and three periods');
  const inFile = lines.map((line) => line.split(';')).filter((cells) => cells[1] === 'officer.a');
  (await told()).forEach((period, i) => {
    assert.match(inFile[i][3], /^\d{4}-\d\d-\d\d$/);
    for (const [key, label] of Object.entries(rows)) assert.equal(Number(inFile[i][columns.indexOf(label)]), period[key], `${label} of ${period.name} in the file`);
  });
  assert.deepEqual([phone, desk].flatMap((one) => one.complaints), []);
});

/** What a resident's record needs before it can be handed in. */
async function fill(tab) {
  const { page } = tab;
  for (const [name, code] of Object.entries({ no_id_reason: 'KHONG_GIAY_TO', sex: '2', marital_status: '1', residence_type: '1', relation_to_head: '01' })) await tab.field(name).selectOption(code);
  for (const name of ['permanent_address', 'current_address']) {
    await tab.type(name, '12 Lê Lợi');
    await page.locator(`#f-${name}-unit`).fill('dien hong');
    await page.locator(`#f-${name}-unit-list li`).first().click();
  }
  await tab.type('neighbourhood', 'Khu phố 1');
  await tab.type('household_no', 'HS-MOT-LUOT');
  await tab.type('other_name', 'Cô Tư');
}

/** Hands the open record in; a warning gets its reason first. */
async function submit({ page }) {
  await page.getByRole('button', { name: 'Lưu và trình duyệt' }).click();
  const done = page.locator('wb-record article[aria-busy=false] .record-foot .main:disabled');
  const why = page.locator('wb-record .why input').first();
  const blocked = page.locator('wb-record .note-red[role=alert]');
  await done.or(why).or(blocked).first().waitFor();
  if (await blocked.isVisible()) throw new Error(await blocked.innerText());
  if (!(await why.isVisible())) return;
  for (const one of await page.locator('wb-record .why input').all()) await one.fill('Đã kiểm tra tại nhà.');
  await page.getByRole('button', { name: 'Lưu và trình duyệt' }).click();
  await done.waitFor();
}
