// Go’s runtime carries a table of its functions. The garbage collector, growing stacks and panics read from it where the
// pointers of a frame lie; tracebacks read names, files, lines and arguments besides. A fifth of the module on the line
// was for the latter alone. Of a traceback this keeps the functions’ names, as they are printed, and drops the rest:
// files, lines, arguments, the names of the runtime’s own functions that no panic shows, and what only a runtime that is
// interrupted from outside or traced would look at, which none is that was built for a browser.
//
// Names and streams move together within their parts; else nothing moves, and what is dropped becomes zeros, which cost
// nothing on the line. Go’s sources say what is read where:
// runtime/symtab.go (pcHeader, moduledata, findfunc, funcdata, step), runtime2.go (_func), symtabinl.go (inlinedCall),
// stkframe.go, and cmd/link/internal/ld/pcln.go, which writes the table. Any other version of Go is refused until
// somebody has compared them.
import { changeMemory, customSection } from './segments.mjs';

const VERSION = /^go1\.26(\.\d+)?$/;
const MAGIC = Buffer.from([0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8]);
const NONE = 0xffffffff;

/** The fields of _func by their offsets; the offsets of its pcdata follow at TABLES, then those of its funcdata. */
const ENTRY = 0, NAME = 4, ARGS = 8, DEFERRETURN = 12, PCSP = 16, PCFILE = 20, PCLN = 24, NPCDATA = 28, UNIT = 32, STARTLINE = 36, ID = 40, FLAG = 41, NFUNCDATA = 43, TABLES = 44;

/** Kept of pcdata: which stack map and which inlined call an address has. Dropped: where a signal may interrupt, which arguments are alive. */
const STACK_MAP_INDEX = 1, INLINED_INDEX = 2;
const DROPPED_PCDATA = [0, 3];

/** Kept of funcdata: maps of arguments and locals, objects on the stack, inlined calls, open-coded defers. Dropped: how arguments are printed, what a tracer skips. */
const ARGUMENTS = 0, LOCALS = 1, OBJECTS = 2, INLINED = 3, DEFERS = 4;
const DROPPED_FUNCDATA = [5, 6, 7];

/** findfunc begins to search at the function that its table names for an address. Naming each eighth only costs it seven steps at most. */
const EVERY = 8;
const BUCKET = 4096, SUBBUCKETS = 16;

function known(fact, what) {
  if (!fact) throw new Error(`the module’s function table is not as Go 1.26 lays it out: ${what}; compare web/functable.mjs with the sources of this Go`);
}

/**
 * The name of every function of the runtime that no panic shows; a fatal error of its own shows them as this. It is a
 * method’s, because the runtime looks for one in the names of wrappers (panicwrap).
 */
const HIDDEN = 'runtime.(*x).x';

/** Not exported by the runtime, and shown or asked for nevertheless: where a panic, a goroutine or a fatal error begins. */
const SHOWN = new Set(['gopanic', 'goexit', 'main', 'throw', 'fatal', 'runFinalizers', 'runCleanups'].map((name) => `runtime.${name}`));

/** What is seen of a function’s name: no type arguments (funcNameForPrint in runtime/traceback.go), of what compares and hashes a type not which, and of the runtime’s own only those that a traceback shows (showfuncinfo and isExportedRuntime there). */
export function shownName(name) {
  const [open, close] = [name.indexOf('['), name.lastIndexOf(']')];
  const printed = open >= 0 && close > open ? `${name.slice(0, open)}[...]${name.slice(close + 1)}` : name;
  if (/^type:\.(eq|hash)\./.test(printed)) return printed.slice(0, printed.indexOf('.', 6));
  const exported = /^runtime\.((\(\*)?[A-Z]\w*\)?\.)?[A-Z]\w*$/;
  return printed.startsWith('runtime.') && !exported.test(printed) && !SHOWN.has(printed) ? HIDDEN : printed;
}

/** The module’s function table: where its parts lie, and what the runtime reads from them. */
export class FunctionTable {
  constructor(memory) {
    this.memory = memory;
    this.word = (at) => {
      const value = memory.readBigUInt64LE(at);
      known(value <= BigInt(memory.length) || value < 1n << 48n, `the word at ${at} is no address`);
      return Number(value);
    };
    const headers = [];
    for (let at = memory.indexOf(MAGIC); at >= 0; at = memory.indexOf(MAGIC, at + 1)) {
      const first = Buffer.alloc(16);
      first.writeBigUInt64LE(BigInt(at), 0);
      if (at % 8 !== 0 || at + 72 > memory.length) continue;
      first.writeBigUInt64LE(BigInt(at) + memory.readBigUInt64LE(at + 32), 8);
      for (let module = memory.indexOf(first); module >= 0; module = memory.indexOf(first, module + 1)) headers.push([at, module]);
    }
    known(headers.length === 1, `${headers.length} headers are named by module data`);
    const [header, module] = headers[0];
    const part = (field, slot, width) => {
      const at = header + this.word(header + field);
      const length = this.word(module + slot + 8);
      known(this.word(module + slot) === at && this.word(module + slot + 16) === length, `the part at ${field} is not where the module data says`);
      return { at, length: length * width, end: at + length * width };
    };
    this.names = part(32, 8, 1);
    this.units = part(40, 32, 4);
    this.files = part(48, 56, 1);
    this.pctab = part(56, 80, 1);
    this.functions = part(64, 104, 1);
    this.count = this.word(header + 8);
    known(this.word(module + 128) === this.functions.at && this.word(module + 136) === this.count + 1, 'functions and their index do not begin together');
    const pointers = ['minpc', 'maxpc', 'text', 'etext', 'noptrdata', 'enoptrdata', 'data', 'edata', 'bss', 'ebss', 'noptrbss', 'enoptrbss', 'covctrs', 'ecovctrs', 'end', 'gcdata', 'gcbss', 'types', 'etypes', 'rodata', 'gofunc', 'epclntab'];
    this.finder = { at: this.word(module + 152) };
    const of = Object.fromEntries(pointers.map((name, i) => [name, this.word(module + 160 + 8 * i)]));
    this.minpc = of.minpc;
    this.funcdata = { at: of.gofunc, end: this.finder.at };
    this.finder.end = of.epclntab;
    const order = [header + 72, this.names.at, this.names.end, this.units.at, this.units.end, this.files.at, this.files.end, this.pctab.at, this.pctab.end, this.functions.at, this.funcdata.at, this.finder.at, this.finder.end];
    known(order.every((at, i) => i === 0 || order[i - 1] <= at) && of.text === 0, 'its parts do not follow each other');
    known(of.minpc === this.entry(0) * 0x10000 && Math.ceil(of.maxpc / 0x10000) === this.entry(this.count), 'the addresses of code are not those of its functions');
    this.span = of.maxpc - of.minpc;
    known(this.finder.end - this.finder.at === 4 * Math.ceil(this.span / BUCKET) + Math.ceil(this.span / (BUCKET / SUBBUCKETS)), 'the table that finds functions has another size');
  }

  u32(at) {
    return this.memory.readUInt32LE(at);
  }

  entry(index) {
    return this.u32(this.functions.at + 8 * index);
  }

  /** The address of the index-th function's _func. */
  function(index) {
    const at = this.functions.at + this.u32(this.functions.at + 8 * index + 4);
    known(at + TABLES <= this.functions.end && this.u32(at + ENTRY) === this.entry(index), `function ${index} is not where the index says`);
    return at;
  }

  /** The places of a function's offsets into pctab and funcdata, by their kinds. */
  tables(at) {
    const pcdata = this.u32(at + NPCDATA), funcdata = this.memory[at + NFUNCDATA];
    known(pcdata <= 5 && funcdata <= 8, `the function at ${at} has ${pcdata} pcdata and ${funcdata} funcdata`);
    return {
      pcdata: Array.from({ length: pcdata }, (_, kind) => at + TABLES + 4 * kind),
      funcdata: Array.from({ length: funcdata }, (_, kind) => at + TABLES + 4 * pcdata + 4 * kind),
    };
  }

  /** The name at an offset; 0 stands for none. */
  name(offset) {
    if (offset === 0) return '';
    known(offset < this.names.length && this.memory[this.names.at + offset - 1] === 0, `no name begins at ${offset}`);
    return this.memory.toString('latin1', this.names.at + offset, this.memory.indexOf(0, this.names.at + offset));
  }

  varint(at) {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.memory[at++];
      value |= (byte & 0x7f) << (shift & 31);
      if (byte < 0x80) return [value >>> 0, at];
    }
  }

  /** A stream of pctab, which says for ranges of addresses a value each: pairs of value and end, and where it ends itself. */
  stream(offset) {
    known(offset > 0 && offset < this.pctab.length, `no stream begins at ${offset}`);
    const steps = [];
    let at = this.pctab.at + offset, value = -1, pc = 0;
    for (let first = true; first || this.memory[at] !== 0; first = false) {
      let delta;
      [delta, at] = this.varint(at);
      value += -(delta & 1) ^ (delta >>> 1);
      [delta, at] = this.varint(at);
      pc += delta;
      steps.push(value, pc);
      known(at < this.pctab.end, `the stream at ${offset} does not end`);
    }
    return { steps, end: at + 1 - this.pctab.at };
  }

  /** How many bytes funcdata of a kind has. `inlined` is how many inlined calls its function names. */
  size(kind, at, inlined) {
    switch (kind) {
      case ARGUMENTS:
      case LOCALS:
        return 8 + this.u32(at) * Math.ceil(this.u32(at + 4) / 8);
      case OBJECTS:
        return 8 + 16 * this.u32(at);
      case INLINED:
        return 16 * inlined;
      case DEFERS:
        return this.varint(this.varint(at)[1])[1] - at;
      default:
        throw new Error(`funcdata of kind ${kind} is not known to be kept`);
    }
  }

  /** The index of the function that has an address, as findfunc finds it. */
  find(pc) {
    const x = pc - this.minpc;
    const bucket = this.finder.at + Math.floor(x / BUCKET) * (4 + SUBBUCKETS);
    let index = this.u32(bucket) + this.memory[bucket + 4 + Math.floor((x % BUCKET) / (BUCKET / SUBBUCKETS))];
    while (this.entry(index + 1) <= Math.floor(pc / 0x10000)) index++;
    return index;
  }

  /**
   * What the runtime reads of a function other than for files, lines and arguments of a traceback, as text. It has to be
   * the same before and after.
   */
  says(index) {
    const at = this.function(index);
    const { pcdata, funcdata } = this.tables(at);
    const stream = (offset) => (offset === 0 ? '-' : this.stream(offset).steps.join(' '));
    const kept = pcdata.map((place, kind) => (DROPPED_PCDATA.includes(kind) ? '' : stream(this.u32(place))));
    const calls = kept[INLINED_INDEX] && kept[INLINED_INDEX] !== '-' ? kept[INLINED_INDEX].split(' ').filter((_, i) => i % 2 === 0).map(Number) : [];
    const inlined = Math.max(-1, ...calls) + 1;
    const data = funcdata.map((place, kind) => {
      const offset = this.u32(place);
      if (DROPPED_FUNCDATA.includes(kind)) return '';
      if (offset === NONE) return '-';
      const from = this.funcdata.at + offset;
      if (kind === INLINED) {
        const calls = Array.from({ length: inlined }, (_, call) => from + 16 * call);
        return calls.map((call) => `${this.memory[call]} ${shownName(this.name(this.u32(call + 4)))} ${this.u32(call + 8)}`).join(';');
      }
      const size = this.size(kind, from, inlined);
      known(from + size <= this.funcdata.end, `funcdata of function ${index} does not end`);
      return this.memory.toString('hex', from, from + size);
    });
    const fields = [this.u32(at + ENTRY), shownName(this.name(this.u32(at + NAME))), this.u32(at + ARGS), this.u32(at + DEFERRETURN), this.memory[at + ID], this.memory[at + FLAG]];
    return JSON.stringify([fields, stream(this.u32(at + PCSP)), kept, data]);
  }
}

/** Which of the pieces that begin at some offsets of a part are still named. Pieces follow each other, so each ends where the next begins. */
class Pieces {
  kept = new Map();

  add(offset, keep) {
    this.kept.set(offset, keep || this.kept.get(offset) === true);
  }

  /** Calls with the bounds of each piece, from the beginning of the part, and whether it is kept. */
  each(length, called) {
    const begins = [...this.kept.keys()].sort((one, other) => one - other);
    begins.forEach((begin, i) => called(begin, begins[i + 1] ?? length, this.kept.get(begin)));
  }
}

/** Makes zeros of what only a traceback’s files, lines and arguments need. */
function drop(table) {
  const { memory } = table;
  const streams = new Pieces(), data = new Pieces();
  const names = new Map(); // from where a name began to what is left of it
  const renamed = []; // places that name one
  const rename = (place) => {
    names.set(table.u32(place), shownName(table.name(table.u32(place))));
    renamed.push(place);
  };
  const steps = []; // places that name a stream
  for (let index = 0; index < table.count; index++) {
    const at = table.function(index);
    const { pcdata, funcdata } = table.tables(at);
    const gone = [at + PCFILE, at + PCLN, ...pcdata.filter((_, kind) => DROPPED_PCDATA.includes(kind))];
    for (const place of [at + PCSP, ...pcdata, ...gone]) if (table.u32(place) !== 0) streams.add(table.u32(place), !gone.includes(place));
    steps.push(...[at + PCSP, ...pcdata].filter((place) => table.u32(place) !== 0 && !gone.includes(place)));
    funcdata.forEach((place, kind) => {
      if (table.u32(place) === NONE) return;
      data.add(table.u32(place), !DROPPED_FUNCDATA.includes(kind));
      if (DROPPED_FUNCDATA.includes(kind)) memory.writeUInt32LE(NONE, place);
    });
    if (pcdata.length > INLINED_INDEX && table.u32(pcdata[INLINED_INDEX]) !== 0) {
      const { steps } = table.stream(table.u32(pcdata[INLINED_INDEX]));
      const calls = Math.max(...steps.filter((_, i) => i % 2 === 0)) + 1;
      for (let call = 0; call < calls; call++) {
        const place = table.funcdata.at + table.u32(funcdata[INLINED]) + 16 * call;
        memory.writeUInt32LE(0, place + 12); // the line where it begins
        rename(place + 4);
      }
    }
    for (const place of [...gone, at + UNIT, at + STARTLINE]) memory.writeUInt32LE(0, place);
    rename(at + NAME);
  }
  const joined = (part, pieces) => { // joins [offset, bytes] to the part, and returns from where each was to where it is
    const moved = new Map(), placed = new Map();
    memory.fill(0, part.at, part.end);
    let next = 1; // 0 stands for none
    for (const [offset, bytes] of pieces) {
      const word = bytes.toString('latin1');
      moved.set(offset, placed.get(word) ?? next);
      if (placed.has(word)) continue;
      placed.set(word, next);
      next += bytes.copy(memory, part.at + next);
    }
    return moved;
  };
  const moved = joined(table.names, [...names].sort(([one], [other]) => one - other).map(([offset, name]) => [offset, Buffer.from(`${name}\0`, 'latin1')]));
  for (const place of renamed) memory.writeUInt32LE(moved.get(table.u32(place)), place);
  const kept = [];
  streams.each(table.pctab.length, (begin, end, keep) => {
    const { end: own } = table.stream(begin);
    known(own === end || (end === table.pctab.length && own <= end), `the stream at ${begin} does not end where the next begins`);
    if (keep) kept.push([begin, Buffer.from(memory.subarray(table.pctab.at + begin, table.pctab.at + own))]);
  });
  const led = joined(table.pctab, kept);
  for (const place of steps) memory.writeUInt32LE(led.get(table.u32(place)), place);
  data.each(table.funcdata.end - table.funcdata.at, (begin, end, keep) => {
    if (!keep) memory.fill(0, table.funcdata.at + begin, table.funcdata.at + end);
  });
  memory.fill(0, table.units.at, table.units.end);
  memory.fill(0, table.files.at, table.files.end);
  for (let at = table.finder.at; at + 4 <= table.finder.end; at += 4 + SUBBUCKETS) {
    const index = table.u32(at);
    known(memory.subarray(at + 4, Math.min(at + 4 + SUBBUCKETS, table.finder.end)).every((more) => more === 0), 'a function begins within the range of another');
    memory.writeUInt32LE(index - (index % EVERY), at);
  }
}

/** Throws unless the runtime reads the same from both tables: independently of `drop`, which knows the pieces of a part and not what they say. */
export function compareTables(before, after) {
  const same = (fact, what) => {
    if (!fact) throw new Error(`what was dropped from the module’s function table is still needed: ${what}`);
  };
  const from = before.names.at, to = before.finder.end;
  same(before.memory.length === after.memory.length && before.memory.subarray(0, from).equals(after.memory.subarray(0, from)) && before.memory.subarray(to).equals(after.memory.subarray(to)), 'memory outside of it');
  for (let index = 0; index < before.count; index++) {
    const at = after.function(index);
    const { pcdata, funcdata } = after.tables(at);
    same(at === before.function(index) && before.says(index) === after.says(index), `function ${index}, ${before.name(before.u32(at + NAME))}`);
    const gone = [at + PCFILE, at + PCLN, ...pcdata.filter((_, kind) => DROPPED_PCDATA.includes(kind))];
    same(gone.every((place) => after.u32(place) === 0) && funcdata.every((place, kind) => !DROPPED_FUNCDATA.includes(kind) || after.u32(place) === NONE), `function ${index} names what is gone`);
    for (let pc = before.entry(index) * 0x10000; pc < before.entry(index + 1) * 0x10000 && pc < before.minpc + before.span; pc += BUCKET / SUBBUCKETS) {
      same(after.find(pc) === index, `address ${pc} of function ${index}`);
    }
  }
}

/** Returns the module, as Go’s linker wrote it, with a function table that holds what runs and names what fails. */
export function trimFunctionTable(module) {
  const versions = customSection(module, 'producers')?.toString('latin1').match(/go\d[\x20-\x7e]*/g) ?? [];
  known(versions.length > 0 && versions.every((version) => VERSION.test(version)), `it was built by ${versions[0] ?? 'an unknown Go'}`);
  return changeMemory(module, (memory) => {
    const before = new FunctionTable(Buffer.from(memory));
    drop(new FunctionTable(memory));
    compareTables(before, new FunctionTable(memory));
  });
}
