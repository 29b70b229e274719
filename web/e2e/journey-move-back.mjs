// A household that is sent back: the new ward's supervisor returns what came, with a reason, in one act; the ward that
// sent it has all members again, marked and with that reason, and takes them over; what a colleague wrote offline
// meanwhile has followed there and back; the hub ends with the same records, unchanged, under the first code.
import assert from 'node:assert/strict';
import { signIn, until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { look } from './harness/look.mjs';

const [ward, newUnit] = ['27169', '27676'];

await journey(async ({ demo, network, browser }) => {
  const enter = async (name) => {
    const b = await browser();
    const tab = await b.tab();
    await tab.signIn(name, demo.passwords[name]);
    await tab.says(/Đã đồng bộ/, 60_000);
    return { b, tab, page: tab.page, go: (hash) => tab.page.goto(`${tab.page.url().split('#')[0]}#/${hash}`) };
  };
  const [a, c] = [await enter('officer.a'), await enter('officer.b')];
  const admin = await signIn(network.url, 'admin', demo.passwords.admin);
  const { accounts } = await admin('GET', '/api/v1/admin/accounts');
  const { id: account } = accounts.find(({ name }) => name === 'officer.c');
  await admin('POST', `/api/v1/admin/accounts/${account}/role`, { role: 'supervisor', unit: newUnit, sensitive: true });

  // An approved household, as the hub knows it.
  const before = await atHub(network.url, demo.passwords.hub);
  const households = new Map();
  for (const item of before.values()) {
    if (item.ward_code !== ward || !item.data.household_no) continue;
    households.set(item.data.household_no, [...(households.get(item.data.household_no) ?? []), item.record_id]);
  }
  const [no, ids] = [...households].find(([, list]) => list.length >= 2);
  await a.go(`household/residents/${no}`);
  await a.page.locator('.member').nth(1).waitFor();
  const size = await a.page.locator('.member').count();
  await c.tab.open('residents', ids[0]);
  await c.b.offline(true);

  await a.page.getByRole('button', { name: 'Chuyển cả hộ' }).click();
  await a.page.locator('#move-to').fill('Thạnh An');
  await a.page.getByRole('option', { name: /Thạnh An/ }).first().click();
  await a.page.locator('.move input[required]').last().fill('Chuyển nhà');
  await a.page.getByRole('button', { name: 'Chuyển', exact: true }).click();
  await a.page.locator('.member').first().waitFor({ state: 'detached', timeout: 60_000 });
  await c.tab.type('other_name', 'Sửa khi đang chuyển');
  await c.tab.save();

  // It is sent back, all of it at once.
  const s = await enter('officer.c');
  await s.go('moves');
  const arrived = s.page.locator('wb-moves .card', { hasText: 'Chuyển nhà' });
  await arrived.waitFor();
  assert.equal(await arrived.locator('.line').count(), size, 'all of them, as one');
  await arrived.getByRole('button', { name: 'Trả lại nơi chuyển' }).click();
  const asked = s.page.locator('wb-asker dialog[open]');
  await asked.locator('.ask-reason').fill('Vẫn ở địa chỉ cũ');
  await look(s.page, 'move-send-back');
  await asked.getByRole('button', { name: 'Trả lại nơi chuyển' }).click();
  await s.page.getByText('Không có hồ sơ nào chờ tiếp nhận').waitFor();

  // The colleague's edit was written for where the records were; it comes to where they are.
  await c.b.offline(false);
  await c.tab.says(/Đã đồng bộ/, 60_000);

  // Back in the first ward: the household is whole, each record says who sent it back and why.
  await a.go(`household/residents/${no}`);
  await a.page.locator('.member').nth(size - 1).waitFor({ timeout: 60_000 });
  for (const id of ids) {
    await a.tab.open('residents', id);
    await a.page.locator('wb-record .note', { hasText: 'đã trả lại hồ sơ này' }).filter({ hasText: 'Vẫn ở địa chỉ cũ' }).waitFor({ timeout: 60_000 });
  }
  await look(a.page, 'move-came-back');
  await a.tab.open('residents', ids[0]);
  await until(() => a.tab.field('other_name').inputValue().catch(() => ''), (text) => text === 'Sửa khi đang chuyển', 'the pending edit followed there and back', 60_000);

  const own = await enter('supervisor');
  await own.go('moves');
  const back = own.page.locator('wb-moves .card', { hasText: 'Vẫn ở địa chỉ cũ' });
  await back.waitFor();
  assert.match(await back.innerText(), /Thạnh An trả lại:/);
  assert.equal(await back.locator('.line').count(), size);
  await look(own.page, 'moves-returned');
  await back.getByRole('button', { name: `Tiếp nhận ${size} hồ sơ` }).click();
  await back.waitFor({ state: 'detached' });
  await s.page.reload();
  await s.tab.entered();
  await s.page.getByText('Không có hồ sơ nào chờ tiếp nhận').waitFor();

  const after = await atHub(network.url, demo.passwords.hub);
  for (const id of ids) {
    const { ward_code, data, moved_from } = after.get(id);
    assert.deepEqual([ward_code, moved_from], [ward, newUnit], `${id} at the hub`);
    assert.deepEqual(data, before.get(id).data, `${id} at the hub says the same`);
  }
  assert.deepEqual([...after.keys()].sort(), [...before.keys()].sort(), 'the hub has the same records');
  assert.deepEqual([a, c, s, own].flatMap(({ b }) => b.complaints), []);
});

/** The records that the hub has, by id. It hears of each ward in order, and of two wards in any order: a record is where the last word is not its end. */
async function atHub(url, password) {
  const response = await fetch(`${url}/api/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'hub', password, device_label: 'journey' }) });
  const { access_token } = await response.json();
  const last = new Map(); // by ward and record
  for (let cursor = ''; ; ) {
    const page = await fetch(`${url}/hub/v1/datasets/residents/changes?since=${encodeURIComponent(cursor)}&limit=1000`, { headers: { authorization: `Bearer ${access_token}` } });
    assert.equal(page.status, 200);
    const lines = (await page.text()).trim().split('\n').map((line) => JSON.parse(line));
    const { next_cursor, count } = lines.pop();
    for (const item of lines) if (item.record_id) last.set(`${item.ward_code} ${item.record_id}`, item);
    if (!count) break;
    cursor = next_cursor;
  }
  const records = new Map();
  for (const item of last.values()) {
    if (item.op !== 'upsert') continue;
    assert.ok(!records.has(item.record_id), `${item.record_id} is in two wards at the hub`);
    records.set(item.record_id, item);
  }
  return records;
}
