// What is stored of what was typed, and what the form shows of what is stored.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { bundle } from '../build.mjs';

const { outputFiles } = await bundle({ entryPoints: [fileURLToPath(new URL('../src/value.ts', import.meta.url))] });
const { newestFirst, toStored, toTyped, toParts, fromParts, toCodes, fromCodes } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);

const stored = [
  ['date_partial', '05/08/1980', '1980-08-05'],
  ['date_partial', '5/8/1980', '1980-08-05'],
  ['date_partial', '05-08-1980', '1980-08-05'],
  ['date_partial', '05081980', '1980-08-05'],
  ['date_partial', '8/1980', '1980-08'],
  ['date_partial', '081980', '1980-08'],
  ['date_partial', '03/1958', '1958-03'],
  ['date_partial', '1958', '1958'],
  ['date_partial', '00/00/1945', '1945'],
  ['date_partial', '..../1958', '1958'],
  ['date_partial', '31/02/1990', '31/02/1990'], // no such day: as typed, for the rules to say so
  ['date_partial', '05/08/80', '05/08/80'],
  ['date_partial', '1980-08-05', '1980-08-05'],
  ['decimal', '29,16', '29.16'],
  ['decimal', '1.234,5', '1234.5'],
  ['decimal', 'khoảng 29', 'khoảng 29'],
  ['money', '1.500.000', '1500000'],
  ['integer', ' 42 ', '42'],
  ['personal_id', '079 090 000 001', '079090000001'],
  ['phone_vn', '0903 123 456', '+84903123456'],
  ['phone_vn', '+84 903123456', '+84903123456'],
  ['phone_vn', '8.39E+08', '8.39E+08'],
  ['text', 'Ho\u0300a', 'Hòa'], // NFD becomes NFC
  ['name_vi', 'Nguyễn Thị Ế', 'Nguyễn Thị Ế'],
];
for (const [type, typed, want] of stored) assert.equal(toStored(type, typed), want, `${type} ${JSON.stringify(typed)}`);

const shown = [
  ['date_partial', '1980-08-05', '05/08/1980'],
  ['date_partial', '1958-03', '03/1958'],
  ['date_partial', '1958', '1958'],
  ['date_partial', '31/02/1990', '31/02/1990'],
  ['decimal', '29.16', '29,16'],
  ['money', '1500000', '1.500.000'],
  ['phone_vn', '+84903123456', '0903 123 456'],
  ['text', '29.16', '29.16'],
];
for (const [type, value, want] of shown) {
  assert.equal(toTyped(type, value), want, `${type} ${value}`);
  assert.equal(toStored(type, toTyped(type, value)), value, `${type} ${value} and back`);
}

const address = '{"detail":"606/39 đường 3 Tháng 2","list":"2025-07-01","unit":"27169"}';
assert.equal(fromParts(toParts(address)), address);
assert.equal(fromParts({ detail: '', list: '', unit: '' }), '');
assert.deepEqual(toParts('12 Lê Lợi'), {});
assert.deepEqual(toParts('[1]'), {});
assert.equal(fromCodes(['B', 'A', 'B']), 'A,B');
assert.deepEqual(toCodes(''), []);

// What Vietnamese asks of type: capitals with their marks, the order of dictionaries, and the dates and places of papers.
const { outputFiles: typography } = await bundle({ stdin: { contents: "export { upper, collator } from './text/format'; export { dateOf, placeOf } from './text/paper'", resolveDir: fileURLToPath(new URL('../src/', import.meta.url)) } });
globalThis.localStorage ??= { getItem: () => null };
const { upper, collator, dateOf, placeOf } = await import(`data:text/javascript;base64,${Buffer.from(typography[0].contents).toString('base64')}`);
assert.equal(upper('phường đông hưng thuận, ế ặ ỗ ữ'), 'PHƯỜNG ĐÔNG HƯNG THUẬN, Ế Ặ Ỗ Ữ');
assert.equal(upper('Hòa'.normalize('NFD')), 'HÒA'.normalize('NFC'));
const order = ['a', 'à', 'ả', 'ã', 'á', 'ạ', 'ă', 'ằ', 'ẳ', 'ẵ', 'ắ', 'ặ', 'â', 'd', 'đ', 'e', 'ê', 'o', 'ô', 'ơ', 'u', 'ư', 'y'];
assert.deepEqual([...order].reverse().sort(collator.compare), order);
for (const [date, said] of [['2026-02-05', 'ngày 05 tháng 02 năm 2026'], ['2026-03-15', 'ngày 15 tháng 3 năm 2026'], ['2026-11-28', 'ngày 28 tháng 11 năm 2026']]) assert.equal(dateOf(new Date(`${date}T10:00`)), said);
for (const [unit, place] of [['Phường Sài Gòn', 'Sài Gòn'], ['Xã Bình Chánh', 'Bình Chánh'], ['Đặc khu Côn Đảo', 'Côn Đảo'], ['Phường 12', 'Phường 12']]) assert.equal(placeOf(unit), place);

// Values beside each other: what was not received yet, then what was received last; of one moment by their dots.
const beside = [{ dot: 'b-1', received: 5 }, { dot: 'a-2', received: 9 }, { dot: 'c-1' }, { dot: 'a-1', received: 5 }, { dot: 'b-2', received: 0 }];
for (const values of [beside, [...beside].reverse()]) assert.deepEqual(newestFirst(values).map(({ dot }) => dot), ['b-2', 'c-1', 'a-2', 'a-1', 'b-1']);
