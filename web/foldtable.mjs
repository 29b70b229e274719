// The records of the functions in Go’s table, and what leads to them, repeat each other in a way that compressors do not
// see: the same field lies elsewhere in each, most count up, and an index and a table of addresses say once more what the
// records say. They were a tenth of the module on the line. This ships the records by their fields and nothing that
// follows from them; a function that the module runs when it is instantiated (its start function, so whoever runs it
// need not know) writes the table where it was, byte for byte.
//
// Most fields are offsets of pieces that several functions share: of names, of streams, of stack maps. Go writes the pieces in
// the order of the functions that need them first, so that one that is new to the table mostly lies behind the last that
// was; and where a piece ends can be read from itself.
//
// Folded, the place of the table that finds functions holds 24 bytes a column, and then, column by column, a number for each
// record that has the field (unsigned LEB128 of 32 bits). A column is six words:
//
//   0  where its numbers begin
//   4  what its numbers are: 0 a value less the next word, 1 what is to be added to the value before; of pieces of a kind
//      (TEXT, MAPS, OBJECTS) 0 none, 1 the next new one, else an offset and 2
//   8  the next word: the value before, or the value that stands for none
//  12  where the offset behind the last new piece is kept, which columns may share
//  16  where the offsets begin
//  20  the offset behind the last new piece
import { FunctionTable } from './functable.mjs';
import { changeMemory, lebSigned, lebUnsigned, section, sectionsOf, unsigned } from './segments.mjs';

const TYPE = 1, FUNCTION = 3, EXPORT = 7, START = 8, CODE = 10;

/** A record is so many words, then those of pcdata and funcdata, whose numbers are a word and a byte of it; see functable.mjs. */
const WORDS = 11, PCDATA = 5, FUNCDATA = 8, NPCDATA = 28, NFUNCDATA = 43;

/** What a column's numbers are. Pieces that are text end with a zero, others say at their beginning how long they are; see size in functable.mjs. */
const PLAIN = 0, COUNTED = 1, TEXT = 2, MAPS = 3, OBJECTS = 4;

/** Columns, by their places: words, pcdata, funcdata. One of pieces names the column with which it shares what is new. */
const COLUMNS = [
  ...Array.from({ length: WORDS + PCDATA }, () => ({ kind: PLAIN, none: 0, group: 0 })),
  ...Array.from({ length: FUNCDATA }, () => ({ kind: PLAIN, none: 0xffffffff, group: 0 })),
];
const pieces = (column, kind, part, group = column) => Object.assign(COLUMNS[column], { kind, part, group });
COLUMNS[0].kind = COUNTED; // the functions themselves
pieces(1, TEXT, 'names');
pieces(4, TEXT, 'pctab');
pieces(WORDS + 1, TEXT, 'pctab', 4);
pieces(WORDS + 2, TEXT, 'pctab', 4);
pieces(WORDS + PCDATA, MAPS, 'funcdata');
pieces(WORDS + PCDATA + 1, MAPS, 'funcdata', WORDS + PCDATA);
pieces(WORDS + PCDATA + 2, OBJECTS, 'funcdata');

/** A column as the folded table begins with it. */
const HEAD = 24, LAST = 20;

/** The table that finds functions: 16 entries for each function, of 20 bytes, which name each eighth function. */
const FIND = 20, PER_FUNCTION = 16, EVERY = 8;

/** Where the piece at an address ends, and so where the next new one mostly begins. */
function behind(memory, kind, at) {
  if (kind === MAPS) return Math.ceil((at + 8 + memory.readUInt32LE(at) * Math.ceil(memory.readUInt32LE(at + 4) / 8)) / 4) * 4;
  if (kind === OBJECTS) return at + 8 + 16 * memory.readUInt32LE(at);
  do at++; while (memory[at] !== 0);
  return at + 1;
}

/** The folded form of a table, to lie at an address. */
function folded(table, address) {
  const columns = COLUMNS.map(({ none, part }) => ({ next: none, base: part ? table[part].at : 0, last: 0, numbers: [] }));
  const add = (column, place) => {
    const value = table.u32(place);
    const { kind, none, group } = COLUMNS[column];
    const one = columns[column];
    let number = (value - one.next) >>> 0;
    if (kind === COUNTED) one.next = value;
    if (kind >= TEXT && value !== none) {
      const shared = columns[group];
      number = value === shared.last ? 1 : value + 2;
      if (value >= shared.last) shared.last = behind(table.memory, kind, one.base + value) - one.base;
    }
    one.numbers.push(lebUnsigned(number));
  };
  let next = table.function(0);
  for (let index = 0; index < table.count; index++) {
    const at = table.function(index);
    if (at !== Math.ceil(next / 8) * 8) throw new Error(`the record of function ${index} does not follow the one before`);
    const { pcdata, funcdata } = table.tables(at);
    for (let word = 0; word < WORDS; word++) add(word, at + 4 * word);
    pcdata.forEach((place, kind) => add(WORDS + kind, place));
    funcdata.forEach((place, kind) => add(WORDS + PCDATA + kind, place));
    next = at + 4 * (WORDS + pcdata.length + funcdata.length);
  }
  const heads = Buffer.alloc(HEAD * COLUMNS.length);
  const numbers = columns.map(({ numbers }) => Buffer.concat(numbers));
  let from = address + heads.length;
  COLUMNS.forEach(({ kind, none, group }, column) => {
    const shares = address + HEAD * group + LAST;
    [from, kind, none, shares, columns[column].base].forEach((word, i) => heads.writeUInt32LE(word, HEAD * column + 4 * i));
    from += numbers[column].length;
  });
  return Buffer.concat([heads, ...numbers]);
}

const op = {
  loop: [0x03, 0x40], if: [0x04, 0x40], else: [0x05], end: [0x0b], again: [0x0d, 0], return: [0x0f], // again: a branch to the innermost loop, if
  call: (number) => [0x10, ...lebUnsigned(number)], get: (local) => [0x20, local], set: (local) => [0x21, local], tee: (local) => [0x22, local],
  load: (offset) => [0x28, 2, ...lebUnsigned(offset)], byte: (offset) => [0x2d, 0, ...lebUnsigned(offset)], store: (offset) => [0x36, 2, ...lebUnsigned(offset)],
  i32: (value) => [0x41, ...lebSigned(value)],
  ge: [0x4f], less: [0x49], none: [0x45], same: [0x46], add: [0x6a], subtract: [0x6b], times: [0x6c], and: [0x71], shifted: [0x74], shiftedBack: [0x76], fill: [0xfc, 11, 0],
};

/** The bytes of a function with so many locals besides its parameters, all i32. */
function functionOf(locals, ...code) {
  const body = Buffer.from([1, locals, 0x7f, ...code.flat(2), ...op.end]);
  return Buffer.concat([lebUnsigned(body.length), body]);
}

/** `behind`, of a kind of piece and an address. */
function behindFunction() {
  const [kind, at] = [0, 1];
  const { i32, get, set, tee, load, byte, add } = op;
  return functionOf(0,
    get(kind), i32(MAPS), op.same, op.if,
    get(at), get(at), load(0), get(at), load(4), i32(7), add, i32(3), op.shiftedBack, op.times, add, i32(8 + 3), add, i32(-4), op.and, op.return,
    op.end,
    get(kind), i32(OBJECTS), op.same, op.if,
    get(at), get(at), load(0), i32(16), op.times, add, i32(8), add, op.return,
    op.end,
    op.loop, get(at), i32(1), add, tee(at), byte(0), op.again, op.end,
    get(at), i32(1), add);
}

/** Writes the next values of some columns to a place: its address, the first column’s head, how many. Returns the address after them. */
function wordsFunction(behind) {
  const [place, column, count, from, shift, value, byte, shares] = [0, 1, 2, 3, 4, 5, 6, 7];
  const { i32, get, set, tee, load, store, add } = op;
  const piece = [ // value is its number yet
    get(value), op.if,
    get(column), load(12), set(shares),
    get(value), i32(1), op.same, op.if, get(shares), load(0), set(value),
    op.else, get(value), i32(2), op.subtract, set(value), op.end,
    get(value), get(shares), load(0), op.ge, op.if,
    get(shares), get(column), load(4), get(column), load(16), get(value), add, op.call(behind), get(column), load(16), op.subtract, store(0),
    op.end,
    op.else, get(column), load(8), set(value), op.end,
  ];
  return functionOf(5,
    op.loop,
    get(count), op.none, op.if, get(place), op.return, op.end,
    get(column), load(0), set(from),
    i32(0), set(value), i32(0), set(shift),
    op.loop,
    get(value), get(from), op.byte(0), tee(byte), i32(0x7f), op.and, get(shift), op.shifted, add, set(value),
    get(from), i32(1), add, set(from),
    get(shift), i32(7), add, set(shift),
    get(byte), i32(0x80), op.ge, op.again,
    op.end,
    get(column), get(from), store(0),
    get(column), load(4), i32(TEXT), op.ge, op.if, piece,
    op.else, get(value), get(column), load(8), add, set(value), op.end,
    get(column), load(4), i32(COUNTED), op.same, op.if, get(column), get(value), store(8), op.end,
    get(place), get(value), store(0),
    get(place), i32(4), add, set(place),
    get(column), i32(HEAD), add, set(column),
    get(count), i32(1), op.subtract, set(count),
    i32(1), op.again,
    op.end,
    get(place));
}

/** Unfolds a table whose first record is at an address, and whose folded form is so long. `words` is the number of the function above. */
function unfoldFunction(table, first, length, words) {
  const [i, at, place] = [0, 1, 2];
  const { i32, get, set, tee, load, store, add, call } = op;
  const heads = (column) => i32(table.finder.at + HEAD * column);
  const entries = Math.ceil((table.finder.end - table.finder.at) / FIND);
  return functionOf(3,
    i32(first), set(place),
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

/** The module with three functions more, of which the last runs when it is instantiated. `make` is given the number of the first. */
function withStart(module, make) {
  const sections = [...sectionsOf(module)];
  const part = (kind) => sections.find((one) => one.kind === kind);
  const count = (kind) => unsigned(part(kind).bytes, part(kind).content)[0];
  if (part(START)) throw new Error('the module has a start function already');
  const imported = WebAssembly.Module.imports(new WebAssembly.Module(module)).filter(({ kind }) => kind === 'function').length;
  const types = count(TYPE), first = imported + count(FUNCTION);
  const changed = {
    [TYPE]: () => extended(part(TYPE), [0x60, 2, 0x7f, 0x7f, 1, 0x7f], [0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f], [0x60, 0, 0]),
    [FUNCTION]: () => extended(part(FUNCTION), lebUnsigned(types), lebUnsigned(types + 1), lebUnsigned(types + 2)),
    [EXPORT]: () => Buffer.concat([part(EXPORT).bytes, section(START, lebUnsigned(first + 2))]),
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
  let table, first, length, whole;
  const changed = changeMemory(module, (memory) => {
    whole = Buffer.from(memory);
    table = new FunctionTable(memory);
    const bytes = folded(table, table.finder.at);
    length = bytes.length;
    if (length > table.finder.end - table.finder.at) throw new Error('the folded function table is longer than the place for it');
    first = table.function(0);
    memory.fill(0, table.functions.at, table.functions.at + 8 * table.count);
    memory.fill(0, first, table.functions.end);
    memory.fill(0, table.finder.at, table.finder.end);
    bytes.copy(memory, table.finder.at);
  });
  const made = withStart(changed, (number) => [behindFunction(), wordsFunction(number), unfoldFunction(table, first, length, number + 1)]);
  const memory = instantiated(made);
  if (!memory.subarray(0, whole.length).equals(whole) || memory.subarray(whole.length).some((byte) => byte !== 0)) throw new Error('the function table does not unfold to what it was; compare web/foldtable.mjs with web/functable.mjs');
  return made;
}
