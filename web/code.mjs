// Go compiles a function for the browser to numbered blocks. It enters at one of them by a table of branches, so that a
// goroutine that was put aside can go on where it was; it jumps by naming the number and branching back to that table;
// and before each call it writes down the number at which the call comes back. What is the same in every function is
// written with other numbers in each, and packs badly: a sixth of the code on the line. This writes the same functions
// with fewer numbers, each step of which is the same by itself, whatever stands around it:
//
//   i64.const RETURN                      local.get 2, i64.const BLOCK, i64.add    local 2 is new: what all have in common
//   br_if UNWIND                          if, i32.const 1, return, end             the block that ends in just that
//   i32.const BLOCK, local.set 0, br TOP  br BLOCK                                 where the table would lead, if that lies ahead
//   if, br BLOCK, end                     br_if BLOCK
//
// The last two are shorter to run as well. cmd/internal/obj/wasm/wasmobj.go says how Go writes functions; what is not
// written so stays as it is.
import { lebUnsigned, section, sectionsOf, unsigned } from './segments.mjs';

const TYPE = 1, FUNCTION = 3, CODE = 10;
const BLOCK = 0x02, LOOP = 0x03, IF = 0x04, ELSE = 0x05, END = 0x0b, BR = 0x0c, BR_IF = 0x0d, BR_TABLE = 0x0e, RETURN = 0x0f;
const CALL = 0x10, CALL_INDIRECT = 0x11, LOCAL_GET = 0x20, LOCAL_SET = 0x21, LOCAL_TEE = 0x22, GLOBAL_GET = 0x23, GLOBAL_SET = 0x24;
const I32_CONST = 0x41, I64_CONST = 0x42, F32_CONST = 0x43, F64_CONST = 0x44, I64_ADD = 0x7c, PREFIX = 0xfc;
const I32 = 0x7f, I64 = 0x7e, NOTHING = 0x40;

/** Numbers of functions in the addresses of code begin here (funcValueOffset in cmd/link/internal/wasm/asm.go). */
const FIRST = 0x1000;

/** The local that holds what a function's return addresses have in common. */
const COMMON = 2;

/** A signed LEB128 number of at most 64 bits at `at`, as BigInt, and where the next thing begins. */
function signed(bytes, at) {
  let value = 0n;
  for (let shift = 0n; ; ) {
    const byte = bytes[at++];
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte < 0x80) return [byte & 0x40 ? value - (1n << shift) : value, at];
  }
}

/** The signed LEB128 bytes of a number that is not negative. */
function lebSigned(value) {
  const out = [];
  for (; value > 0x3f; value = Math.floor(value / 0x80)) out.push((value % 0x80) | 0x80);
  return Buffer.from([...out, value]);
}

/** The instructions of a function: opcode, its number or numbers, and its bytes. */
function instructions(bytes, at) {
  const all = [];
  while (at < bytes.length) {
    const from = at;
    const op = bytes[at++];
    let value;
    const number = () => ([value, at] = unsigned(bytes, at));
    if (op === BLOCK || op === LOOP || op === IF) {
      value = bytes[at++];
    } else if (op === BR || op === BR_IF || op === CALL || (op >= LOCAL_GET && op <= GLOBAL_SET)) {
      number();
    } else if (op === BR_TABLE) {
      const targets = [];
      number();
      for (let count = value + 1; count > 0; count--) {
        number();
        targets.push(value);
      }
      value = targets;
    } else if (op === I32_CONST || op === I64_CONST) {
      [value, at] = signed(bytes, at);
    } else if (op === CALL_INDIRECT || (op >= 0x28 && op <= 0x3e)) { // loads and stores have an alignment and an offset
      number();
      number();
    } else if (op === 0x3f || op === 0x40) { // memory.size, memory.grow
      at++;
    } else if (op === F32_CONST) {
      at += 4;
    } else if (op === F64_CONST) {
      at += 8;
    } else if (op === PREFIX) {
      number();
      if (value > 7 && value !== 10 && value !== 11) throw new Error(`the module has an instruction 0xfc ${value} that is not known here`);
      at += value === 10 ? 2 : value === 11 ? 1 : 0; // memory.copy, memory.fill; else a saturating conversion
    } else if (!(op <= 0x01 || op === ELSE || op === END || op === RETURN || op === 0x1a || op === 0x1b || (op >= 0x45 && op <= 0xc4))) {
      throw new Error(`the module has an instruction ${op} that is not known here`);
    }
    all.push({ op, value, bytes: bytes.subarray(from, at) });
  }
  if (at !== bytes.length || all.at(-1)?.op !== END) throw new Error('a function of the module does not end with its last instruction');
  return all;
}

/** A function: its groups of locals, its instructions, and how they lie in each other. */
class Function {
  /** `number` is its place among the module's functions, `type` its bytes. */
  constructor(number, type, bytes) {
    Object.assign(this, { number, type });
    let at;
    let count;
    this.locals = [];
    for ([count, at] = unsigned(bytes, 0); count > 0; count--) {
      const [many, next] = unsigned(bytes, at);
      this.locals.push([many, bytes[next]]);
      at = next + 1;
    }
    const code = (this.code = instructions(bytes, at));
    let open = [];
    this.within = []; // of each instruction, the blocks that are open where it stands, as their first instructions
    this.last = new Map(); // of each block, its end
    code.forEach(({ op }, i) => {
      if (op === END && open.length > 0) this.last.set(open.at(-1), i);
      if (op === END) open = open.slice(0, -1);
      this.within.push(open);
      if (op === BLOCK || op === LOOP || op === IF) open = [...open, i];
    });
    this.entry = this.entryTable();
  }

  is(at, op, value) {
    return this.code[at]?.op === op && (value === undefined || this.code[at].value === value);
  }

  /** What a branch at an instruction leads to: the first instruction of a block, or undefined for the function itself. */
  target(at, depth = this.code[at].value) {
    return this.within[at].at(-1 - depth);
  }

  /** The table by which the function is entered and jumps: the loop around it, and the block that each number leads to. */
  entryTable() {
    const at = this.code.findIndex(({ op }) => op === BR_TABLE);
    if (at < 0 || !this.is(at - 1, LOCAL_GET, 0)) return undefined;
    const around = this.within[at];
    const loop = around.findLast((block) => this.is(block, LOOP));
    if (loop === undefined || around.at(-1) !== at - 2) return undefined;
    for (let block = loop; block < at - 1; block++) if (this.code[block].op !== (block === loop ? LOOP : BLOCK)) return undefined;
    const { value } = this.code[at];
    return { at, loop, leads: (number) => this.target(at, value[Math.min(number, value.length - 1)]) };
  }

  /** Whether the block that begins at an instruction ends in a return of 1. */
  unwinds(block) {
    const { length } = this.code;
    return block !== undefined && this.is(block, BLOCK, NOTHING) && this.last.get(block) === length - 3 && this.is(length - 2, I32_CONST, 1n);
  }

  /** The number of the block to which the three instructions at `at` jump by the table, or undefined. */
  jump(at) {
    if (!this.entry || !this.is(at, I32_CONST) || !this.is(at + 1, LOCAL_SET, 0) || !this.is(at + 2, BR)) return undefined;
    return this.target(at + 2) === this.entry.loop ? Number(this.code[at].value) : undefined;
  }

  /** Whether the number of the block is read by the table alone, and set before each way to it. */
  jumpsByTable() {
    return this.entry !== undefined && this.code.every(({ op, value }, i) => {
      if ((op === BR || op === BR_IF) && this.target(i) === this.entry.loop) return op === BR && this.jump(i - 2) !== undefined;
      if (op === BR_TABLE && i !== this.entry.at) return false;
      if (op === LOCAL_GET && value === 0 && i !== this.entry.at - 1) return this.is(i - 1, I32_CONST, 0n) && this.is(i - 2, LOCAL_SET, 0); // changes places on the stack
      return !(op === LOCAL_TEE && value === 0);
    });
  }

  /** The addresses within this function begin with this. */
  get common() {
    return (FIRST + this.number) * 0x10000;
  }

  /** The block of an instruction that puts a return address of this function on the stack, or undefined. */
  returnBlock(at) {
    if (!this.is(at, I64_CONST)) return undefined;
    const block = Number(this.code[at].value) - this.common;
    return block >= 0 && block < 0x10000 ? block : undefined;
  }

  /** Whether it is entered by a number (its parameter) and begins by reading the stack pointer into its first local. */
  isGo() {
    const { type, locals } = this;
    return type.equals(Buffer.from([0x60, 1, I32, 1, I32])) && locals[0]?.[0] === 1 && locals[0][1] === I32 && this.is(0, GLOBAL_GET, 0) && this.is(1, LOCAL_SET, 1);
  }

  /** Its bytes with the steps above taken. */
  rewritten() {
    const out = [];
    const byTable = this.jumpsByTable();
    const addresses = this.isGo() && this.code.some((_, i) => this.returnBlock(i) !== undefined);
    const local = (op, number) => Buffer.concat([Buffer.from([op]), lebUnsigned(number)]);
    for (let i = 0; i < this.code.length; i++) {
      const { op, value, bytes } = this.code[i];
      const to = byTable ? this.jump(i) : undefined;
      const ahead = to === undefined ? -1 : this.within[i].lastIndexOf(this.entry.leads(to));
      if (ahead >= 0) {
        const depth = this.within[i].length - 1 - ahead;
        const alone = this.is(i - 1, IF, NOTHING) && this.is(i + 3, END);
        if (alone) out.pop();
        out.push(alone ? local(BR_IF, depth - 1) : local(BR, depth));
        i += alone ? 3 : 2;
      } else if (op === BR_IF && this.unwinds(this.target(i))) {
        out.push(Buffer.from([IF, NOTHING, I32_CONST, 1, RETURN, END]));
      } else if (addresses && this.returnBlock(i) !== undefined) {
        out.push(local(LOCAL_GET, COMMON), Buffer.from([I64_CONST]), lebSigned(this.returnBlock(i)), Buffer.from([I64_ADD]));
      } else if (addresses && op >= LOCAL_GET && op <= LOCAL_TEE && value >= COMMON) {
        out.push(local(op, value + 1));
      } else {
        out.push(bytes);
      }
      if (addresses && i === 1) out.push(Buffer.from([I64_CONST]), lebSigned(this.common), local(LOCAL_SET, COMMON));
    }
    const locals = addresses ? [this.locals[0], [1, I64], ...this.locals.slice(1)] : this.locals;
    return Buffer.concat([lebUnsigned(locals.length), ...locals.flatMap(([many, type]) => [lebUnsigned(many), Buffer.from([type])]), ...out]);
  }

  /**
   * What the function does, in words that are the same for both ways to write it. Blocks are named by their order of
   * beginning, which ifs have no part in.
   */
  says() {
    const block = new Map();
    this.code.forEach(({ op }, i) => { if (op === BLOCK || op === LOOP) block.set(i, block.size); });
    const added = this.isGo() && this.locals[1]?.[0] === 1 && this.locals[1][1] === I64 && this.is(2, I64_CONST, BigInt(this.common)) && this.is(3, LOCAL_SET, COMMON);
    const name = (at) => (at === undefined ? 'the function' : block.has(at) ? `block ${block.get(at)}` : `if ${this.within[at].length}`);
    const ahead = (at) => this.entry && at !== undefined && at > this.entry.loop && at < this.entry.at;
    const words = [JSON.stringify(added ? [this.locals[0], ...this.locals.slice(2)] : this.locals)];
    for (let i = 0; i < this.code.length; i++) {
      const { op, value, bytes } = this.code[i];
      const to = this.jump(i);
      if (added && (i === 2 || i === 3)) continue;
      if (this.is(i, IF, NOTHING) && this.is(i + 1, I32_CONST, 1n) && this.is(i + 2, RETURN) && this.is(i + 3, END)) {
        words.push('if true return 1');
        i += 3;
      } else if (op === BR_IF && this.unwinds(this.target(i))) {
        words.push('if true return 1');
      } else if (this.is(i, IF, NOTHING) && this.jump(i + 1) !== undefined && this.is(i + 4, END)) {
        words.push(`if true go to ${name(this.entry.leads(this.jump(i + 1)))}`);
        i += 4;
      } else if (op === BR_IF && ahead(this.target(i))) {
        words.push(`if true go to ${name(this.target(i))}`);
      } else if (to !== undefined) {
        words.push(`go to ${name(this.entry.leads(to))}`);
        i += 2;
      } else if (op === BR || op === BR_IF) {
        words.push(`${op === BR ? '' : 'if true '}go to ${name(this.target(i))}`);
      } else if (op === BR_TABLE) {
        words.push(`table of ${value.map((depth) => name(this.target(i, depth)))}`);
      } else if (added && this.is(i, LOCAL_GET, COMMON) && this.is(i + 1, I64_CONST) && this.is(i + 2, I64_ADD)) {
        words.push(`i64 ${BigInt(this.common) + this.code[i + 1].value}`);
        i += 2;
      } else if (op === I64_CONST) {
        words.push(`i64 ${value}`);
      } else if (op >= LOCAL_GET && op <= LOCAL_TEE) {
        words.push(`local ${op} ${added && value > COMMON ? value - 1 : added && value === COMMON ? 'that is new' : value}`);
      } else {
        words.push(bytes.toString('hex'));
      }
    }
    return words.join('\n');
  }
}

/** A module’s sections, and the type and the bytes of each of its functions. */
export function functionsOf(module) {
  const sections = [...sectionsOf(module)];
  const entries = (kind, read) => {
    const { bytes, content } = sections.find((one) => one.kind === kind);
    const all = [];
    for (let [count, at] = unsigned(bytes, content); count > 0; count--) {
      const [entry, next] = read(bytes, at);
      all.push(entry);
      at = next;
    }
    return all;
  };
  const types = entries(TYPE, (bytes, at) => {
    let end = at + 1;
    for (let list = 0; list < 2; list++) {
      const [count, next] = unsigned(bytes, end);
      end = next + count;
    }
    return [bytes.subarray(at, end), end];
  });
  const typeOf = entries(FUNCTION, unsigned);
  const bodies = entries(CODE, (bytes, at) => {
    const [length, from] = unsigned(bytes, at);
    return [bytes.subarray(from, from + length), from + length];
  });
  return { sections, functions: bodies.map((body, i) => ({ number: i, type: types[typeOf[i]], body })) };
}

/** Throws unless a function of functionsOf does the same in another body. */
export function compareBodies({ number, type, body }, other) {
  if (new Function(number, type, body).says() !== new Function(number, type, other).says()) throw new Error(`function ${number} of the module does not do what it did`);
}

/** Returns the module, as Go wrote it, with code that does the same and packs better. */
export function rewriteCode(module) {
  const bytes = Buffer.from(module);
  const { sections, functions } = functionsOf(bytes);
  const bodies = functions.flatMap((one) => {
    const body = new Function(one.number, one.type, one.body).rewritten();
    compareBodies(one, body);
    return [lebUnsigned(body.length), body];
  });
  const code = section(CODE, Buffer.concat([lebUnsigned(functions.length), ...bodies]));
  const rewritten = Buffer.concat([bytes.subarray(0, 8), ...sections.map((one) => (one.kind === CODE ? code : one.bytes))]);
  if (!WebAssembly.validate(rewritten)) throw new Error('the module is not valid any more');
  return rewritten;
}
