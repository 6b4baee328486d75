//! The bytes of R's serialization: `src/main/serialize.c`, versions 2 and 3, in
//! the XDR, little-endian and ASCII forms.

use crate::engine::Cx;
use crate::input::{Cursor, Input};
use crate::stop::Stop;

/// `SEXPTYPE` and the pseudo types of serialize.c that are told apart here.
pub(super) mod sexp {
    pub(in super::super) const NIL: u32 = 0;
    pub(in super::super) const SYMBOL: u32 = 1;
    pub(in super::super) const LIST: u32 = 2;
    pub(in super::super) const CLOSURE: u32 = 3;
    pub(in super::super) const ENVIRONMENT: u32 = 4;
    pub(in super::super) const PROMISE: u32 = 5;
    pub(in super::super) const LANGUAGE: u32 = 6;
    pub(in super::super) const SPECIAL: u32 = 7;
    pub(in super::super) const BUILTIN: u32 = 8;
    pub(in super::super) const CHAR: u32 = 9;
    pub(in super::super) const LOGICAL: u32 = 10;
    pub(in super::super) const INTEGER: u32 = 13;
    pub(in super::super) const REAL: u32 = 14;
    pub(in super::super) const COMPLEX: u32 = 15;
    pub(in super::super) const STRING: u32 = 16;
    pub(in super::super) const DOT: u32 = 17;
    pub(in super::super) const VECTOR: u32 = 19;
    pub(in super::super) const EXPRESSION: u32 = 20;
    pub(in super::super) const BYTECODE: u32 = 21;
    pub(in super::super) const POINTER: u32 = 22;
    pub(in super::super) const WEAK: u32 = 23;
    pub(in super::super) const RAW: u32 = 24;
    pub(in super::super) const S4: u32 = 25;
    pub(in super::super) const ALTREP: u32 = 238;
    pub(in super::super) const ATTR_LIST: u32 = 239;
    pub(in super::super) const ATTR_LANGUAGE: u32 = 240;
    pub(in super::super) const BASE_ENV: u32 = 241;
    pub(in super::super) const EMPTY_ENV: u32 = 242;
    pub(in super::super) const BC_REP_REF: u32 = 243;
    pub(in super::super) const BC_REP_DEF: u32 = 244;
    pub(in super::super) const PERSIST: u32 = 247;
    pub(in super::super) const PACKAGE: u32 = 248;
    pub(in super::super) const NAMESPACE: u32 = 249;
    pub(in super::super) const BASE_NAMESPACE: u32 = 250;
    pub(in super::super) const MISSING_ARGUMENT: u32 = 251;
    pub(in super::super) const UNBOUND: u32 = 252;
    pub(in super::super) const GLOBAL_ENV: u32 = 253;
    pub(in super::super) const NIL_VALUE: u32 = 254;
    pub(in super::super) const REFERENCE: u32 = 255;
}

/// `HAS_ATTR_BIT_MASK` and `HAS_TAG_BIT_MASK` of the flags word.
pub(super) const HAS_ATTRIBUTES: u32 = 1 << 9;
pub(super) const HAS_TAG: u32 = 1 << 10;

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Xdr,
    Little,
    Ascii,
}

/// Reads the primitives of a stream.
#[derive(Debug)]
pub(super) struct Stream<'i> {
    cursor: Cursor<'i>,
    form: Form,
}

/// Longest number or escape in the ASCII form.
const WORD: usize = 64;

impl<'i> Stream<'i> {
    /// Opens a stream behind what `load` expects before it (`RDX3\n` and the
    /// like), and reads its header.
    pub(super) fn open(input: &'i Input) -> Result<Self, Stop> {
        let mut cursor = input.cursor();
        let head = input.prefix(5).all(5)?;
        if matches!(head.as_slice(), [b'R', b'D', b'A' | b'B' | b'X', b'1'..=b'3', b'\n']) {
            cursor.skip(5)?;
        }
        let form = match cursor.array::<2>()? {
            [b'X', b'\n'] => Form::Xdr,
            [b'B', b'\n'] => Form::Little,
            [b'A', b'\n'] => Form::Ascii,
            _ => return Err(Stop::malformed(0, "no known form of R's serialization")),
        };
        let mut stream = Self { cursor, form };
        let version = stream.integer()?;
        stream.integer()?;
        stream.integer()?;
        match version {
            2 => {}
            3 => {
                let length = stream.length()?;
                stream.bytes(length)?;
            }
            _ => return Err(Stop::unsupported(0, format!("version {version} of R's serialization"))),
        }
        Ok(stream)
    }

    pub(super) fn offset(&self) -> u64 {
        self.cursor.position()
    }

    /// Whether nothing follows; the ASCII form may end in a line break.
    pub(super) fn rest_is_blank(&mut self) -> Result<bool, Stop> {
        if self.form == Form::Ascii && self.cursor.remaining() == 1 {
            return Ok(self.cursor.peek(1)? == b"\n");
        }
        Ok(self.cursor.is_at_end())
    }

    /// One word of the ASCII form.
    fn word(&mut self) -> Result<String, Stop> {
        loop {
            let line = self.cursor.until(b'\n', WORD)?;
            let text = String::from_utf8_lossy(line).trim().to_owned();
            if !text.is_empty() {
                return Ok(text);
            }
        }
    }

    pub(super) fn integer(&mut self) -> Result<i32, Stop> {
        match self.form {
            Form::Xdr => self.cursor.i32_be(),
            Form::Little => self.cursor.i32_le(),
            Form::Ascii => {
                let offset = self.offset();
                let word = self.word()?;
                if word == "NA" {
                    return Ok(i32::MIN);
                }
                word.parse().map_err(|_| Stop::malformed(offset, "a number of R's ASCII form is none"))
            }
        }
    }

    pub(super) fn flags(&mut self) -> Result<u32, Stop> {
        self.integer().map(i32::cast_unsigned)
    }

    /// `ReadLENGTH`: -1 announces a length of two words.
    pub(super) fn length(&mut self) -> Result<u64, Stop> {
        let offset = self.offset();
        match self.integer()? {
            -1 => {
                let (high, low) = (self.flags()?, self.flags()?);
                Ok(u64::from(high) << 32 | u64::from(low))
            }
            n => u64::try_from(n).map_err(|_| Stop::malformed(offset, "a negative length in R data")),
        }
    }

    /// Passes over `count` elements of `size` bytes each.
    pub(super) fn elements(&mut self, count: u64, size: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if self.form != Form::Ascii {
            return self.cursor.skip(count.saturating_mul(size));
        }
        // The ASCII form has a word for each number; a complex one has two.
        let words = if size == 16 { count.saturating_mul(2) } else { count };
        for _ in 0..words {
            cx.charge(1, self.offset())?;
            self.word()?;
        }
        Ok(())
    }

    /// `len` bytes as such, in every form.
    pub(super) fn bytes(&mut self, len: u64) -> Result<(), Stop> {
        if self.form == Form::Ascii {
            let mut left = len;
            while left > 0 {
                self.character()?;
                left = left.saturating_sub(1);
            }
            return Ok(());
        }
        self.cursor.skip(len)
    }

    /// A character of the ASCII form, where escapes stand for one.
    fn character(&mut self) -> Result<u8, Stop> {
        let byte = self.cursor.u8()?;
        if byte != b'\\' {
            return Ok(byte);
        }
        match self.cursor.u8()? {
            digit @ b'0'..=b'7' => {
                let mut value = u32::from(digit.saturating_sub(b'0'));
                for _ in 0..2 {
                    match self.cursor.peek(1)?.first() {
                        Some(digit @ b'0'..=b'7') => value = value << 3 | u32::from(digit.saturating_sub(b'0')),
                        _ => break,
                    }
                    self.cursor.skip(1)?;
                }
                Ok(u8::try_from(value & 0xff).unwrap_or_default())
            }
            other => Ok(other),
        }
    }

    /// The text of a `CHARSXP`; shortened to `bound`, all of it passed over.
    pub(super) fn text(&mut self, bound: usize, cx: &mut Cx<'_, '_>) -> Result<String, Stop> {
        let offset = self.offset();
        let length = self.integer()?;
        let Ok(length) = u64::try_from(length) else { return Ok("NA".to_owned()) };
        let mut kept = Vec::new();
        if self.form == Form::Ascii {
            for _ in 0..length {
                cx.charge(1, offset)?;
                let byte = self.character()?;
                if kept.len() < bound {
                    kept.push(byte);
                }
            }
        } else {
            let window = self.cursor.sub(length)?;
            let shown = crate::input::to_u64(bound);
            kept = window.prefix(shown).all(shown)?;
        }
        Ok(String::from_utf8_lossy(&kept).into_owned())
    }
}
