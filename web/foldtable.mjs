// The records of the functions in Go’s table, and what leads to them, repeat each other in a way that compressors do not
// see: the same field lies elsewhere in each, most count up, and an index and a table of addresses say once more what the
// records say. They were a tenth of the module on the line. This ships the records by their fields and nothing that
// follows from them; a function that the module runs when it is instantiated (its start function, so whoever runs it
// need not know) writes the table where it was, byte for byte.
//
// Folded, the place of the table that finds functions holds:
//
//   12 bytes a column   where its numbers begin; what is added to the next; 1 if that is the sum before, 0 if it stays
//   the numbers         unsigned LEB128 of 32 bits, column by column, a number for each record that has the field
import { FunctionTable } from './functable.mjs';
import { changeMemory, lebSigned, lebUnsigned, section, sectionsOf, unsigned } from './segments.mjs';

const TYPE = 1, FUNCTION = 3, EXPORT = 7, START = 8, CODE = 10;

/** A record is so many words, then those of pcdata and funcdata, whose numbers are a word and a byte of it; see functable.mjs. */
const WORDS = 11, PCDATA = 5, FUNCDATA = 8, NPCDATA = 28, NFUNCDATA = 43;

/** Words that count up from record to record: its function, and where its name begins. */
const COUNTED = [0, 1];

/** A column as the folded table begins with it, and how many there are: words, pcdata, funcdata. */
const HEAD = 12, COLUMNS = WORDS + PCDATA + FUNCDATA;

/** The table that finds functions: 16 entries for each function, of 20 bytes, which name each eighth function. */
const FIND = 20, PER_FUNCTION = 16, EVERY = 8;

const aligned = (at) => Math.ceil(at / 8) * 8;

/** The numbers of a table’s records, by columns. */
function columnsOf(table) {
  const columns = Array.from({ length: COLUMNS }, () => []);
  let next = table.function(0);
  for (let index = 0; index < table.count; index++) {
    const at = table.function(index);
    if (at !== aligned(next)) throw new Error(`the record of function ${index} does not follow the one before`);
    const { pcdata, funcdata } = table.tables(at);
    for (let word = 0; word < WORDS; word++) columns[word].push(table.u32(at + 4 * word));
    pcdata.forEach((place, kind) => columns[WORDS + kind].push(table.u32(place)));
    funcdata.forEach((place, kind) => columns[WORDS + PCDATA + kind].push(table.u32(place)));
    next = at + 4 * (WORDS + pcdata.length + funcdata.length);
  }
  return columns;
}

/** The folded table, to lie at an address. */
function folded(columns, at) {
  const heads = [], numbers = [];
  let next = at + HEAD * columns.length;
  columns.forEach((values, column) => {
    const counted = COUNTED.includes(column);
    let add = column < WORDS + PCDATA ? 0 : -1; // funcdata that is not there is -1
    const head = Buffer.alloc(HEAD);
    head.writeInt32LE(next, 0);
    head.writeInt32LE(add, 4);
    head.writeInt32LE(counted ? 1 : 0, 8);
    const coded = Buffer.concat(values.map((value) => {
      const number = lebUnsigned((value - add) >>> 0);
      if (counted) add = value;
      return number;
    }));
    heads.push(head);
    numbers.push(coded);
    next += coded.length;
  });
  return Buffer.concat([...heads, ...numbers]);
}

const op = {
  loop: [0x03, 0x40], if: [0x04, 0x40], end: [0x0b], again: [0x0d, 0], return: [0x0f], // again: a branch to the innermost loop, if
  call: (number) => [0x10, ...lebUnsigned(number)], get: (local) => [0x20, local], set: (local) => [0x21, local], tee: (local) => [0x22, local],
  load: (offset) => [0x28, 2, ...lebUnsigned(offset)], byte: (offset) => [0x2d, 0, ...lebUnsigned(offset)], store: (offset) => [0x36, 2, ...lebUnsigned(offset)],
  i32: (value) => [0x41, ...lebSigned(value)],
  ge: [0x4f], less: [0x49], none: [0x45], add: [0x6a], subtract: [0x6b], times: [0x6c], and: [0x71], shifted: [0x74], shiftedBack: [0x76], fill: [0xfc, 11, 0],
};

/** The bytes of a function with so many locals besides its parameters, all i32. */
function functionOf(locals, ...code) {
  const body = Buffer.from([1, locals, 0x7f, ...code.flat(), ...op.end]);
  return Buffer.concat([lebUnsigned(body.length), body]);
}

/** Writes the next numbers of some columns to a place: its address, the first column’s head, how many. Returns the address behind. */
function wordsFunction() {
  const [place, column, count, from, shift, value, byte] = [0, 1, 2, 3, 4, 5, 6];
  const { i32, get, set, tee, load, store, add } = op;
  return functionOf(4,
    op.loop,
    get(count), op.none, op.if, get(place), op.return, op.end,
    get(column), load(0), set(from),
    get(column), load(4), set(value),
    i32(0), set(shift),
    op.loop,
    get(value), get(from), op.byte(0), tee(byte), i32(0x7f), op.and, get(shift), op.shifted, add, set(value),
    get(from), i32(1), add, set(from),
    get(shift), i32(7), add, set(shift),
    get(byte), i32(0x80), op.ge, op.again,
    op.end,
    get(column), get(from), store(0),
    get(column), load(8), op.if, get(column), get(value), store(4), op.end,
    get(place), get(value), store(0),
    get(place), i32(4), add, set(place),
    get(column), i32(HEAD), add, set(column),
    get(count), i32(1), op.subtract, set(count),
    i32(1), op.again,
    op.end,
    get(place));
}

/** Unfolds a table whose folded form is so long. `words` is the number of the function above. */
function unfoldFunction(table, length, words) {
  const [i, at, place] = [0, 1, 2];
  const { i32, get, set, tee, load, store, add, call } = op;
  const heads = (column) => i32(table.finder.at + HEAD * column);
  const entries = Math.ceil((table.finder.end - table.finder.at) / FIND);
  return functionOf(3,
    i32(table.function(0)), set(place),
    op.loop,
    get(place), i32(7), add, i32(-8), op.and, tee(at),
    heads(0), i32(WORDS), call(words),
    heads(WORDS), get(at), load(NPCDATA), call(words),
    heads(WORDS + PCDATA), get(at), op.byte(NFUNCDATA), call(words), set(place),
    get(i), i32(8), op.times, get(at), load(0), store(table.functions.at),
    get(i), i32(8), op.times, get(at), i32(table.functions.at), op.subtract, store(table.functions.at + 4),
    get(i), i32(1), add, tee(i), i32(table.count), op.less, op.again,
    op.end,
    i32(table.finder.at), i32(0), i32(length), op.fill,
    i32(0), set(i),
    op.loop,
    get(i), i32(FIND), op.times, get(i), i32(Math.log2(PER_FUNCTION)), op.shiftedBack, i32(-EVERY), op.and, store(table.finder.at),
    get(i), i32(1), add, tee(i), i32(entries), op.less, op.again,
    op.end);
}

/** A vector of a module with more entries, of bytes each. */
function extended(part, ...entries) {
  const [count, at] = unsigned(part.bytes, part.content);
  return section(part.kind, Buffer.concat([lebUnsigned(count + entries.length), part.bytes.subarray(at), ...entries.map((entry) => Buffer.from(entry))]));
}

/** The module with two functions more, of which the last runs when it is instantiated. `make` is given the number of the first. */
function withStart(module, make) {
  const sections = [...sectionsOf(module)];
  const part = (kind) => sections.find((one) => one.kind === kind);
  const count = (kind) => unsigned(part(kind).bytes, part(kind).content)[0];
  if (part(START)) throw new Error('the module has a start function already');
  const imported = WebAssembly.Module.imports(new WebAssembly.Module(module)).filter(({ kind }) => kind === 'function').length;
  const types = count(TYPE), first = imported + count(FUNCTION);
  const changed = {
    [TYPE]: () => extended(part(TYPE), [0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f], [0x60, 0, 0]),
    [FUNCTION]: () => extended(part(FUNCTION), lebUnsigned(types), lebUnsigned(types + 1)),
    [EXPORT]: () => Buffer.concat([part(EXPORT).bytes, section(START, lebUnsigned(first + 1))]),
    [CODE]: () => extended(part(CODE), ...make(first)),
  };
  return Buffer.concat([module.subarray(0, 8), ...sections.map((one) => changed[one.kind]?.() ?? one.bytes)]);
}

/** The memory of a module when it has been instantiated. Nothing of it may call what it imports by then. */
function instantiated(module) {
  const compiled = new WebAssembly.Module(module);
  const imports = {};
  for (const { module, name } of WebAssembly.Module.imports(compiled)) {
    (imports[module] ??= {})[name] = () => { throw new Error(`the module calls ${name} as soon as it is there`); };
  }
  return Buffer.from(new WebAssembly.Instance(compiled, imports).exports.mem.buffer);
}

/** Returns the module, with a function table as trimFunctionTable leaves it, so that it unfolds that table itself. */
export function foldFunctionTable(module) {
  let table, length, whole;
  const changed = changeMemory(module, (memory) => {
    whole = Buffer.from(memory);
    table = new FunctionTable(memory);
    const bytes = folded(columnsOf(table), table.finder.at);
    length = bytes.length;
    if (length > table.finder.end - table.finder.at) throw new Error('the folded function table is longer than the place for it');
    const [first, end] = [table.function(0), table.functions.end];
    table = Object.assign(Object.create(table), { function: () => first });
    memory.fill(0, table.functions.at, table.functions.at + 8 * table.count);
    memory.fill(0, first, end);
    memory.fill(0, table.finder.at, table.finder.end);
    bytes.copy(memory, table.finder.at);
  });
  const made = withStart(changed, (words) => [wordsFunction(), unfoldFunction(table, length, words)]);
  const memory = instantiated(made);
  if (!memory.subarray(0, whole.length).equals(whole) || memory.subarray(whole.length).some((byte) => byte !== 0)) throw new Error('the function table does not unfold to what it was; compare web/foldtable.mjs with web/functable.mjs');
  return made;
}
