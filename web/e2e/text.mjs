// No text for people stands outside the catalogues: templates hold none between their tags, and the attributes that are
// read out or shown hold none either. Both catalogues use the same places. The tone stands where the state's texts put it.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../build.mjs';

const src = fileURLToPath(new URL('../src/', import.meta.url));

/** Words that are the same in every language. */
const names = /^(Wardbook|m|[arx]|Enter|Shift|Ctrl|S)$/; // the product, metres, and keys

/** Addresses and commands on the hub's page, which a machine's keeper types as they are. */
const technical = /^(GET|POST) \/hub\/|^wardbook hub /;

/** The templates of a source text: what stands between html` and its end, with every ${…} taken out. */
function templates(source) {
  const found = [];
  for (let at = source.indexOf('html`'); at >= 0; at = source.indexOf('html`', at + 1)) found.push(template(source, at + 5).text);
  return found;
}

/** Reads from behind a backtick to its partner. */
function template(source, from) {
  let text = '';
  let at = from;
  while (source[at] !== '`') {
    if (source[at] === '\\') at += 2;
    else if (source.startsWith('${', at)) {
      at = expression(source, at + 2);
      text += '\u0000';
    } else text += source[at++];
  }
  return { text, end: at + 1 };
}

/** Skips an expression within a template, from behind ${ to behind its }. */
function expression(source, from) {
  let depth = 0;
  for (let at = from; ; at++) {
    const c = source[at];
    if (c === '`') at = template(source, at + 1).end - 1;
    else if (c === "'" || c === '"') {
      for (at++; source[at] !== c; at++) if (source[at] === '\\') at++;
    } else if (c === '/' && source[at + 1] !== '/' && /[(,=:[!&|?{};\s]/.test(source[at - 1]) && /^\/(?![*\s])(?:\\.|\[(?:\\.|[^\]])*\]|[^/\n])+\//.test(source.slice(at))) {
      at += source.slice(at).match(/^\/(?:\\.|\[(?:\\.|[^\]])*\]|[^/\n])+\//)[0].length - 1;
    } else if (c === '{') depth++;
    else if (c === '}' && depth-- === 0) return at + 1;
  }
}

function literals(text) {
  const shown = [...text.matchAll(/\s(?:title|aria-label|placeholder|alt|label)="([^"]*)"/g)].map((match) => match[1]);
  const between = text.replace(/<!--[\s\S]*?-->/g, '').replace(/<[^>]*>/g, '\u0000').split('\u0000');
  return [...between, ...shown.flatMap((value) => value.split('\u0000'))].map((part) => part.trim()).filter(Boolean);
}

let read = 0;
const strays = [];
for (const entry of await readdir(src, { recursive: true, withFileTypes: true })) {
  if (!entry.name.endsWith('.ts')) continue;
  const path = join(entry.parentPath ?? entry.path, entry.name);
  for (const text of templates(await readFile(path, 'utf8'))) {
    read++;
    for (const literal of literals(text)) {
      if (technical.test(literal) || literal.split(/[^\p{L}]+/u).every((word) => !word || names.test(word))) continue;
      strays.push(`${path.slice(src.length)}: ${JSON.stringify(literal)}`);
    }
  }
}
assert.ok(read > 100, `only ${read} templates were read`);
assert.deepEqual(literals('<p title="Xin chào">Tên:</p>'), ['Tên:', 'Xin chào'], 'the reader sees what it should');
assert.deepEqual(strays, [], 'texts outside the catalogues');

const { outputFiles } = await bundle({ stdin: { contents: "import './text/office'; export { vi } from './text/vi'; export { en } from './text/en'; export { tFailure } from './text'", resolveDir: src } });
const { vi, en, tFailure } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
const places = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
for (const key of Object.keys(vi)) assert.deepEqual(places(en[key]), places(vi[key]), `places of ${key}`);
for (const [key, text] of Object.entries(vi)) assert.equal(text, text.normalize('NFC'), `${key} is not in NFC`);

// What the module and the server say is shown as a sentence, by one function, however they wrote it.
for (const [vi, shown] of [['đơn vị này không còn', 'Đơn vị này không còn.'], ['Không có mạng.', 'Không có mạng.'], ['', 'No such record.']]) assert.equal(tFailure({ code: 'no_record', vi, en: 'no such record' }), shown);
assert.equal(tFailure({ code: 'busy', vi: '', en: '' }), 'Busy.');
for (const file of await readdir(src, { recursive: true })) {
  if (!file.endsWith('.ts') || /^(text|worker)\//.test(file)) continue;
  const past = /(failure|finding|entry)\w*(\(\w+\))?(\[lang\(\)\]|\.(vi|en)\b)/i.exec(await readFile(join(src, file), 'utf8'));
  assert.equal(past?.[0], undefined, `${file} shows a text past tFailure`);
}

// One spelling of the tone in open syllables, the traditional one: hóa, tọa, khỏe, hủy, and not hoá, toạ, khoẻ, huỷ.
const toneOff = /\p{L}*(?:o[áàảãạéèẻẽẹ]|(?<!q)u[ýỳỷỹỵ])(?!\p{L})/giu;
const spelled = (text) => text.normalize('NFC').match(toneOff) ?? [];
assert.deepEqual(['hoá đơn', 'toạ độ', 'sức khoẻ', 'huỷ', 'UỶ BAN', 'Thuý'].map((text) => spelled(text).length), [1, 1, 1, 1, 1, 1], 'the check finds what it should');
assert.deepEqual(['hóa', 'tọa', 'khỏe', 'hủy', 'quý', 'Quỳ', 'toàn', 'hoàng', 'ngoáy', 'khuỷu', 'huyện', 'khoảng', 'ngoẹo', 'thuyền'].flatMap(spelled), [], 'and nothing else');
const root = fileURLToPath(new URL('../../', import.meta.url));
const later = ['client-wasm/replica/failure.go']; // one word, to be put right when the replica is changed next
let spelling = 0;
const astray = [];
for (const folder of ['web/src', 'server', 'client-wasm', 'sync/register']) {
  for (const file of await readdir(join(root, folder), { recursive: true })) {
    const path = `${folder}/${file}`;
    if (!/\.(ts|go|json|html|md)$/.test(file) || /(^|\/)testdata\/|_test\.go$/.test(file) || later.includes(path)) continue;
    for (const [i, line] of (await readFile(join(root, path), 'utf8')).split('\n').entries()) {
      if (!/[\u00c0-\u1ef9]/.test(line) || /^\s*(\/\/|\*|\|)/.test(line)) continue; // notes speak of names as people write them
      spelling++;
      for (const word of spelled(line)) astray.push(`${path}:${i + 1}: “${word}” in ${line.trim().slice(0, 120)}`);
    }
  }
}
assert.ok(spelling > 1000, `only ${spelling} lines of Vietnamese were read`);
assert.deepEqual(astray, [], 'the tone stands on the other vowel: write hóa, hủy, khỏe');
