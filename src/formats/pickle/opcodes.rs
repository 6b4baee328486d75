//! The opcodes of protocols 0 to 5, and how long each one's argument is.
//!
//! Follows `Modules/_pickle.c` of CPython, which is what loads a file, where
//! `Lib/pickletools.py`, which only describes it, differs.

use super::constants::{Digits, digits};
use crate::input::{Cursor, Input, to_usize};
use crate::stop::Stop;

macro_rules! opcodes {
    ($( $name:ident = $code:literal; )+) => {
        $( pub(super) const $name: u8 = $code; )+

        /// The name of an opcode in `pickletools`.
        pub(super) fn name(code: u8) -> Option<&'static str> {
            match code {
                $( $name => Some(stringify!($name)), )+
                _ => None,
            }
        }
    };
}

opcodes! {
    MARK = b'('; STOP = b'.'; POP = b'0'; POP_MARK = b'1'; DUP = b'2';
    FLOAT = b'F'; INT = b'I'; BININT = b'J'; BININT1 = b'K'; LONG = b'L'; BININT2 = b'M'; NONE = b'N';
    PERSID = b'P'; BINPERSID = b'Q'; REDUCE = b'R'; STRING = b'S'; BINSTRING = b'T'; SHORT_BINSTRING = b'U';
    UNICODE = b'V'; BINUNICODE = b'X'; APPEND = b'a'; BUILD = b'b'; GLOBAL = b'c'; DICT = b'd';
    EMPTY_DICT = b'}'; APPENDS = b'e'; GET = b'g'; BINGET = b'h'; INST = b'i'; LONG_BINGET = b'j';
    LIST = b'l'; EMPTY_LIST = b']'; OBJ = b'o'; PUT = b'p'; BINPUT = b'q'; LONG_BINPUT = b'r';
    SETITEM = b's'; TUPLE = b't'; EMPTY_TUPLE = b')'; SETITEMS = b'u'; BINFLOAT = b'G';
    PROTO = 0x80; NEWOBJ = 0x81; EXT1 = 0x82; EXT2 = 0x83; EXT4 = 0x84; TUPLE1 = 0x85; TUPLE2 = 0x86;
    TUPLE3 = 0x87; NEWTRUE = 0x88; NEWFALSE = 0x89; LONG1 = 0x8a; LONG4 = 0x8b; BINBYTES = b'B';
    SHORT_BINBYTES = b'C'; SHORT_BINUNICODE = 0x8c; BINUNICODE8 = 0x8d; BINBYTES8 = 0x8e; EMPTY_SET = 0x8f;
    ADDITEMS = 0x90; FROZENSET = 0x91; NEWOBJ_EX = 0x92; STACK_GLOBAL = 0x93; MEMOIZE = 0x94; FRAME = 0x95;
    BYTEARRAY8 = 0x96; NEXT_BUFFER = 0x97; READONLY_BUFFER = 0x98;
}

/// How an opcode's argument is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// A fixed number of bytes, perhaps none.
    Fixed(u8),
    /// Text up to a line feed.
    Line,
    /// Two of these.
    TwoLines,
    /// A little-endian length of this many bytes, then as many bytes.
    Counted(u8),
    /// The same with a signed 4-byte length, which must not be negative.
    SignedCounted,
}

/// The layout of an opcode's argument; nothing for a byte that is no opcode.
#[inline]
pub(super) fn argument(code: u8) -> Option<Argument> {
    Some(match code {
        MARK | STOP | POP | POP_MARK | DUP | NONE | BINPERSID | REDUCE | APPEND | BUILD | DICT | EMPTY_DICT
        | APPENDS | LIST | EMPTY_LIST | OBJ | SETITEM | TUPLE | EMPTY_TUPLE | SETITEMS | NEWOBJ | TUPLE1 | TUPLE2
        | TUPLE3 | NEWTRUE | NEWFALSE | EMPTY_SET | ADDITEMS | FROZENSET | NEWOBJ_EX | STACK_GLOBAL | MEMOIZE
        | NEXT_BUFFER | READONLY_BUFFER => Argument::Fixed(0),
        BININT1 | BINGET | BINPUT | PROTO | EXT1 => Argument::Fixed(1),
        BININT2 | EXT2 => Argument::Fixed(2),
        BININT | LONG_BINGET | LONG_BINPUT | EXT4 => Argument::Fixed(4),
        BINFLOAT | FRAME => Argument::Fixed(8),
        FLOAT | INT | LONG | PERSID | STRING | UNICODE | GET | PUT => Argument::Line,
        GLOBAL | INST => Argument::TwoLines,
        SHORT_BINSTRING | SHORT_BINBYTES | SHORT_BINUNICODE | LONG1 => Argument::Counted(1),
        BINUNICODE | BINBYTES => Argument::Counted(4),
        BINUNICODE8 | BINBYTES8 | BYTEARRAY8 => Argument::Counted(8),
        BINSTRING | LONG4 => Argument::SignedCounted,
        _ => return None,
    })
}

/// Reads the length in front of a counted argument.
///
/// # Errors
/// At the end of the input, and for a negative length.
#[inline]
pub(super) fn counted_length(cursor: &mut Cursor<'_>, layout: Argument) -> Result<u64, Stop> {
    match layout {
        Argument::Counted(1) => cursor.u8().map(u64::from),
        Argument::Counted(4) => cursor.u32_le().map(u64::from),
        Argument::Counted(_) => cursor.u64_le(),
        Argument::SignedCounted => {
            let at = cursor.position();
            let length = cursor.i32_le()?;
            u64::try_from(length).map_err(|_| Stop::malformed(at, "negative length"))
        }
        Argument::Fixed(_) | Argument::Line | Argument::TwoLines => Ok(0),
    }
}

/// What a dry run over the first bytes of a stream saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DryRun {
    /// Opcodes that fit the stack.
    pub opcodes: u32,
    /// Imports among them.
    pub imports: u32,
    /// Calls among them.
    pub calls: u32,
    /// Strings among them that could name a module or what is in one.
    pub names: u32,
    /// Imports by GLOBAL and INST of what could be no name.
    pub odd_names: u32,
    /// STOP was reached with something on the stack.
    pub stopped: bool,
    /// An opcode was unknown, or the stack too short for it.
    pub broken: bool,
    /// Bytes of the opcodes that fit.
    pub length: u64,
}

/// Length of a line argument that a dry run reads over.
const LINE: usize = 1 << 20;

/// Length of the name of a module or of what is in it.
const NAME: usize = 4096;

/// Opcodes that a dry run looks at before it has seen enough.
const DRY_RUN_OPCODES: u32 = 4096;

/// Decodes `bytes` and counts the stack, without values: enough to tell a
/// pickle from text or weights.
pub(crate) fn dry_run(bytes: &[u8]) -> DryRun {
    dry_run_of(&bytes.into(), DRY_RUN_OPCODES)
}

/// The same for an input that need not be in memory, up to `most` opcodes.
pub(crate) fn dry_run_of(input: &Input, most: u32) -> DryRun {
    let mut cursor = input.cursor();
    let mut run = DryRun::default();
    let mut depth: u32 = 0;
    let mut marks: Vec<u32> = Vec::new();
    while run.opcodes < most {
        let Ok(code) = cursor.u8() else { break };
        let argument = cursor.position();
        match step(&mut cursor, code, &mut depth, &mut marks) {
            Ok(true) => {}
            Ok(false) => {
                run.broken = true;
                break;
            }
            // Ran into the end of what was given.
            Err(Stop::Truncated { .. }) => break,
            Err(_) => {
                run.broken = true;
                break;
            }
        }
        run.opcodes = run.opcodes.saturating_add(1);
        run.length = cursor.position();
        match code {
            GLOBAL | STACK_GLOBAL => run.imports = run.imports.saturating_add(1),
            REDUCE | OBJ | NEWOBJ | NEWOBJ_EX => run.calls = run.calls.saturating_add(1),
            // Writing to what was imported acts as a call does.
            BUILD | SETITEM | SETITEMS | APPEND | APPENDS | ADDITEMS if run.imports > 0 => {
                run.calls = run.calls.saturating_add(1);
            }
            INST => {
                run.imports = run.imports.saturating_add(1);
                run.calls = run.calls.saturating_add(1);
            }
            UNICODE | SHORT_BINUNICODE | BINUNICODE | BINUNICODE8 | SHORT_BINSTRING | BINSTRING
                if is_dotted_name(input, code, argument, run.length) =>
            {
                run.names = run.names.saturating_add(1);
            }
            STOP => {
                run.stopped = true;
                break;
            }
            _ => {}
        }
        if matches!(code, GLOBAL | INST) {
            run.names = run.names.saturating_add(2);
            let odd = !is_dotted_name(input, code, argument, run.length);
            run.odd_names = run.odd_names.saturating_add(u32::from(odd));
        }
    }
    run.length = run.length.min(input.len());
    run
}

/// Whether the string from `from` to `to`, of which the first bytes may be its
/// length, could name something in Python.
fn is_dotted_name(input: &Input, code: u8, from: u64, to: u64) -> bool {
    let counted = match argument(code) {
        Some(Argument::Counted(width)) => u64::from(width),
        Some(Argument::SignedCounted) => 4,
        _ => 0,
    };
    let from = from.saturating_add(counted);
    let mut text = [0; 256];
    let length = to_usize(to.saturating_sub(from));
    let Some(text) = text.get_mut(..length).filter(|text| !text.is_empty()) else { return false };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'\n');
    input.read_at(from, text).is_ok() && text.iter().all(plain)
}

/// One opcode of a dry run; false when it does not fit.
fn step(cursor: &mut Cursor<'_>, code: u8, depth: &mut u32, marks: &mut Vec<u32>) -> Result<bool, Stop> {
    let Some(layout) = argument(code) else { return Ok(false) };
    match layout {
        Argument::Fixed(n) => {
            cursor.skip(u64::from(n))?;
        }
        // A line may be as long as its writer likes, and a loader minds no more
        // than the length of a string.
        Argument::Line => match cursor.until(b'\n', LINE).map(|line| plausible_line(code, line)) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            // One safetensors file in sixteen begins like that.
            Err(Stop::Truncated { .. }) if !plausible_start(code, cursor.buffered()) => return Ok(false),
            Err(stop) => return Err(stop),
        },
        Argument::TwoLines => {
            for _ in 0..2 {
                let line = cursor.until(b'\n', NAME)?;
                // A NUL ends the name of a frozen module (`nul-in-name`).
                let name = line.split(|byte| *byte == 0).next().unwrap_or_default();
                if name.is_empty() || name.iter().any(|byte| *byte <= b' ') {
                    return Ok(false);
                }
            }
        }
        Argument::Counted(_) | Argument::SignedCounted => {
            let length = counted_length(cursor, layout)?;
            cursor.skip(length)?;
        }
    }
    let (pops, pushes) = match code {
        MARK => {
            marks.push(*depth);
            return Ok(true);
        }
        POP_MARK | TUPLE | LIST | DICT | FROZENSET | INST | OBJ | APPENDS | SETITEMS | ADDITEMS => {
            let Some(mark) = marks.pop() else { return Ok(false) };
            if code == OBJ && *depth <= mark {
                return Ok(false);
            }
            *depth = mark;
            match code {
                APPENDS | SETITEMS | ADDITEMS => (1, 1),
                POP_MARK => (0, 0),
                _ => (0, 1),
            }
        }
        // POP takes back a mark that nothing stands on (`load_pop`).
        POP if marks.last() == Some(depth) => {
            marks.pop();
            (0, 0)
        }
        STOP | POP => (1, 0),
        DUP => (1, 2),
        REDUCE | BUILD | APPEND | NEWOBJ | TUPLE2 | STACK_GLOBAL => (2, 1),
        SETITEM | NEWOBJ_EX | TUPLE3 => (3, 1),
        TUPLE1 | BINPERSID | READONLY_BUFFER => (1, 1),
        PUT | BINPUT | LONG_BINPUT | MEMOIZE => (1, 1),
        PROTO | FRAME => (0, 0),
        _ => (0, 1),
    };
    let floor = marks.last().copied().unwrap_or(0);
    let Some(left) = depth.checked_sub(pops).filter(|left| *left >= floor) else { return Ok(false) };
    *depth = left.saturating_add(pushes);
    Ok(true)
}

/// Whether a line argument whose end is not in sight could become what its
/// opcode takes.
fn plausible_start(code: u8, line: &[u8]) -> bool {
    !matches!(code, PERSID | GET | PUT) || line.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r'))
}

/// Whether a line argument could be what its opcode takes.
fn plausible_line(code: u8, line: &[u8]) -> bool {
    // A text-mode copy of protocol 0 has carriage returns, which load.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match code {
        INT => digits(line, Digits::Int).is_some(),
        LONG => digits(line, Digits::Long).is_some(),
        GET | PUT => digits(line, Digits::Index).is_some(),
        FLOAT => {
            let text = line.split(|byte| *byte == 0).next().unwrap_or_default();
            std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok())
        }
        // ASCII by the protocol; controls would be the binary header of something.
        PERSID => line.iter().all(|byte| matches!(byte, b' '..=b'~')),
        STRING => line.len() >= 2 && matches!(line.first(), Some(b'\'' | b'"')) && line.first() == line.last(),
        _ => true,
    }
}
