// A record on paper: A4 in the form of official papers and nothing of the screen; what is masked stays masked until it
// is revealed, what nobody approved says so, and so does what has not been saved or sent. The pages go into
// web/e2e/out/print-*.pdf.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { journey } from './harness/app.mjs';

const out = fileURLToPath(new URL('./out/', import.meta.url));
await mkdir(out, { recursive: true });

await journey(async ({ enter }) => {
  const { browser: officer, tab, page } = await enter('officer.a');
  const cdp = await page.context().newCDPSession(page);

  /** What is on the paper, as text; the pages themselves go into a file. */
  const printed = async (name) => {
    const { data } = await cdp.send('Page.printToPDF', { preferCSSPageSize: true });
    const pdf = Buffer.from(data, 'base64');
    await writeFile(`${out}print-${name}.pdf`, pdf);
    const boxes = [...pdf.toString('latin1').matchAll(/\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/g)].map(([, width, height]) => [Math.round(width), Math.round(height)]);
    assert.ok(boxes.length > 0, 'no page was printed');
    for (const box of boxes) assert.deepEqual(box, [595, 842], 'the page is not A4');
    // The same once more where text can be read: before and after are what the browser itself sends.
    await page.emulateMedia({ media: 'print' });
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    await page.locator('wb-paper .paper').waitFor();
    const text = await page.locator('body').innerText();
    const wide = await page.evaluate(() => [...document.querySelectorAll('.paper *')].filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline').length);
    assert.equal(wide, 0, 'something is wider than its place on the paper');
    await page.evaluate(() => dispatchEvent(new Event('afterprint')));
    await page.emulateMedia({ media: null });
    await page.locator('wb-paper').waitFor({ state: 'detached' });
    return { text, pages: boxes.length };
  };

  // A record of the demonstration's, with a number that is masked.
  await tab.register('residents');
  await tab.search('dang thi');
  await tab.openRow(0);
  const title = await page.locator('wb-record h1').innerText();
  const id = tab.recordID();
  let paper = await printed('masked');
  for (const [what, words] of Object.entries({
    authority: /ỦY BAN NHÂN DÂN\s+PHƯỜNG [\p{Lu}\s]+\n/u,
    country: 'CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM',
    motto: 'Độc lập - Tự do - Hạnh phúc',
    date: /[\p{L} ]+, ngày \d\d tháng \d{1,2} năm \d{4}/u,
    title: 'PHIẾU THÔNG TIN HỒ SƠ',
    name: title.normalize('NFC').toLocaleUpperCase('vi'),
    decision: /Đã được duyệt lúc \d\d:\d\d, \d\d\/\d\d\/\d{4}\./,
    masking: 'được che theo quy định',
  })) assert.ok(typeof words === 'string' ? paper.text.includes(words) : words.test(paper.text), `${what} is missing:\n${paper.text}`);
  for (const screen of ['Đã đồng bộ', 'Lịch sử', 'Lưu', 'Cần xử lý']) assert.ok(!paper.text.includes(screen), `“${screen}” is printed:\n${paper.text}`);
  const number = await tab.reveal('personal_id');
  assert.match(number, /^\d{12}$/);
  const spaceless = () => paper.text.replaceAll(' ', '');
  assert.ok(!spaceless().includes(number), 'the masked number is on the paper');

  // Revealed, and something typed that is not saved.
  await tab.type('other_name', 'Chưa Lưu Lần Này');
  paper = await printed('revealed');
  assert.ok(spaceless().includes(number), 'what was revealed is not on the paper');
  assert.ok(paper.text.includes('đã được mở xem'));
  assert.ok(paper.text.includes('chưa lưu; phiếu in theo lần lưu trước'));
  assert.ok(!paper.text.includes('Chưa Lưu Lần Này'), 'what was not saved is on the paper');
  await page.getByRole('button', { name: 'Bỏ thay đổi' }).click();
  await page.locator('wb-asker dialog[open] button.danger').click();
  await page.getByRole('button', { name: 'Bỏ thay đổi' }).waitFor({ state: 'hidden' });

  // Opened again, it is masked again.
  await tab.register('residents');
  await tab.open('residents', id);
  paper = await printed('again');
  assert.ok(!spaceless().includes(number), 'a number that was revealed before is on the paper');

  // A new record: nobody approved it, and without a network it is on this device alone. A long name stays on the paper.
  await officer.offline(true);
  const long = 'Nguyễn Phước Quý Thị Ngọc Quỳnh Ế Ặ Ỗ Ữ';
  await tab.create('residents', { full_name: long, dob: '1958' });
  paper = await printed('local');
  assert.ok(paper.text.includes(long.toLocaleUpperCase('vi')));
  assert.ok(paper.text.includes('CHƯA ĐƯỢC DUYỆT'), paper.text);
  assert.ok(paper.text.includes('(chưa trình)'), paper.text);
  assert.ok(paper.text.includes('máy chủ chưa nhận'), paper.text);
  await officer.offline(false);
  await tab.stands(/đã nhận/);
  paper = await printed('received');
  assert.ok(!paper.text.includes('máy chủ chưa nhận'), paper.text);
  assert.deepEqual(officer.complaints, []);
});
