//! Draws valid pickles from bytes: each byte is one choice, so that a shorter
//! list, or one of smaller bytes, is a simpler pickle. Every opcode of
//! protocols 0 to 5 can come up, in every dialect that CPython reads.
//!
//! The fuzz targets draw with it too; it depends on nothing.

use std::collections::BTreeSet;

/// A pickle that CPython's unpickler would load, and what weighin must see.
#[derive(Debug, Clone, Default)]
pub struct Assembled {
    /// The stream, STOP included.
    pub bytes: Vec<u8>,
    /// Dotted names that are imported.
    pub imports: BTreeSet<String>,
    /// Dotted name and opcode of every call.
    pub calls: BTreeSet<(String, &'static str)>,
    /// Offset and code of every opcode, in order.
    pub opcodes: Vec<(usize, u8)>,
}

/// How deep drawn values nest.
const DEPTH: u32 = 5;

/// Draws one pickle; one that begins with PROTO when `header`.
pub fn assemble(choices: &[u8], header: bool) -> Assembled {
    let mut draw = Draw { choices: choices.iter(), out: Assembled::default(), memo: BTreeSet::new() };
    if header {
        let version = draw.below(6);
        draw.op(0x80, &[version]);
    }
    if draw.below(4) == 1 {
        draw.framed(|draw| {
            draw.value(DEPTH);
            draw.op(b'.', &[]);
        });
    } else {
        draw.value(DEPTH);
        draw.op(b'.', &[]);
    }
    draw.out
}

struct Draw<'c> {
    choices: std::slice::Iter<'c, u8>,
    out: Assembled,
    memo: BTreeSet<u32>,
}

impl Draw<'_> {
    /// The next choice; the simplest once there are no more.
    fn byte(&mut self) -> u8 {
        self.choices.next().copied().unwrap_or(0)
    }

    fn below(&mut self, n: u8) -> u8 {
        self.byte() % n
    }

    fn op(&mut self, code: u8, argument: &[u8]) {
        self.out.opcodes.push((self.out.bytes.len(), code));
        self.out.bytes.push(code);
        self.out.bytes.extend_from_slice(argument);
    }

    fn line(&mut self, code: u8, text: &str) {
        self.op(code, format!("{text}\n").as_bytes());
    }

    /// An argument behind its length in `width` bytes.
    fn counted(&mut self, code: u8, width: usize, content: &[u8]) {
        let length = (content.len() as u64).to_le_bytes();
        self.op(code, &[&length[..width], content].concat());
    }

    /// What `inner` writes, as one frame.
    fn framed(&mut self, inner: impl FnOnce(&mut Self)) {
        self.op(0x95, &[0; 8]);
        let from = self.out.bytes.len();
        inner(self);
        let length = (self.out.bytes.len() - from) as u64;
        self.out.bytes[from - 8..from].copy_from_slice(&length.to_le_bytes());
    }

    /// One value on the stack, with opcodes around it that change nothing.
    fn value(&mut self, depth: u32) {
        match self.below(16) {
            1 => {
                self.op(b'(', &[]);
                self.op(b'0', &[]);
                self.plain_value(depth);
            }
            2 => {
                self.op(b'(', &[]);
                self.atom();
                self.atom();
                self.op(b'1', &[]);
                self.plain_value(depth);
            }
            3 => {
                self.plain_value(depth);
                self.op(b'2', &[]);
                self.op(b'0', &[]);
            }
            4 => {
                self.op(0x80, &[4]);
                self.plain_value(depth);
            }
            5 => self.framed(|draw| draw.plain_value(depth)),
            6..=8 => {
                self.plain_value(depth);
                let slot = self.store();
                if self.below(2) == 1 {
                    self.op(b'0', &[]);
                    self.fetch(slot);
                }
            }
            _ => self.plain_value(depth),
        }
    }

    fn plain_value(&mut self, depth: u32) {
        let deeper = depth.saturating_sub(1);
        match self.below(if depth == 0 { 4 } else { 16 }) {
            0..=2 => self.atom(),
            3 => match self.memo.iter().next_back().copied() {
                Some(slot) => self.fetch(slot),
                None => self.atom(),
            },
            4 | 5 => self.tuple(deeper),
            6 => self.list(deeper),
            7 => self.dict(deeper),
            8 => self.set(),
            9 => {
                self.global();
            }
            10..=12 => self.call(deeper),
            13 => self.persistent(),
            14 => {
                let code = self.byte().max(1);
                match self.below(3) {
                    0 => self.op(0x82, &[code]),
                    1 => self.op(0x83, &[code, 1]),
                    _ => self.op(0x84, &[code, 1, 1, 0]),
                }
            }
            _ => {
                self.op(0x97, &[]);
                if self.below(2) == 1 {
                    self.op(0x98, &[]);
                }
            }
        }
    }

    // Constants.

    /// Something that can be the key of a dictionary.
    fn atom(&mut self) {
        match self.below(8) {
            0 => self.op(b'N', &[]),
            1 => match self.below(4) {
                0 => self.op(0x88, &[]),
                1 => self.op(0x89, &[]),
                2 => self.line(b'I', "00"),
                _ => self.line(b'I', "01"),
            },
            2 | 3 => self.integer(),
            4 => {
                let number = f64::from(self.byte()) / 8.0;
                if self.below(2) == 0 {
                    self.op(b'G', &number.to_be_bytes());
                } else {
                    self.line(b'F', &number.to_string());
                }
            }
            5 => self.bytes(),
            _ => {
                let text: String = (0..self.below(6)).map(|_| self.character()).collect();
                self.text(&text);
            }
        }
    }

    fn character(&mut self) -> char {
        const ODD: &[char] = &['\'', '"', '\\', '\n', '\r', '\t', '\0', 'é', '\u{202e}', '語', '😀'];
        match self.byte() {
            byte @ 0..=127 => char::from(b' ' + byte % 95),
            byte => ODD[usize::from(byte) % ODD.len()],
        }
    }

    fn integer(&mut self) {
        let small = self.byte();
        match self.below(10) {
            0 => self.op(b'K', &[small]),
            1 => self.op(b'M', &[small, small]),
            2 => self.op(b'J', &[small, small, small, small]),
            3 => self.line(b'I', &small.to_string()),
            4 => self.line(b'I', &format!("-0x{small:x}")),
            5 => self.line(b'I', &format!(" 0{small:o}")),
            6 => self.line(b'L', &format!("-{small}L")),
            7 => self.line(b'L', &format!("{small}{small}0000000000000000000")),
            8 => self.counted(0x8a, 1, &vec![small; usize::from(small % 12)]),
            _ => self.counted(0x8b, 4, &vec![small; usize::from(small % 12)]),
        }
    }

    fn bytes(&mut self) {
        let content: Vec<u8> = (0..self.below(6)).map(|_| self.byte()).collect();
        match self.below(4) {
            0 => self.counted(b'C', 1, &content),
            1 => self.counted(b'B', 4, &content),
            _ => self.counted(0x8e, 8, &content),
        }
    }

    /// `text` in one of the encodings that can hold it.
    fn text(&mut self, text: &str) {
        match self.below(7) {
            0 => self.counted(0x8c, 1, text.as_bytes()),
            1 => self.counted(b'X', 4, text.as_bytes()),
            2 => self.counted(0x8d, 8, text.as_bytes()),
            3 if text.is_ascii() => self.counted(b'T', 4, text.as_bytes()),
            4 if text.is_ascii() => self.counted(b'U', 1, text.as_bytes()),
            5 if text.is_ascii() => {
                let escape = |byte: u8| match byte {
                    b'\'' | b'\\' | b'\n' | b'\r' => format!("\\{byte:03o}"),
                    byte if byte % 3 == 0 => format!("\\x{byte:02x}"),
                    byte => char::from(byte).to_string(),
                };
                let escaped: String = text.bytes().map(escape).collect();
                self.line(b'S', &format!("'{escaped}'"));
            }
            _ => {
                // raw-unicode-escape: Latin-1, and escapes for all others.
                let mut line = Vec::new();
                for c in text.chars() {
                    match u32::from(c) {
                        code if code > 0xffff => line.extend_from_slice(format!("\\U{code:08x}").as_bytes()),
                        code if code > 0xff || matches!(c, '\\' | '\n' | '\0' | '\r') || code % 5 == 0 => {
                            line.extend_from_slice(format!("\\u{code:04x}").as_bytes());
                        }
                        code => line.push(code as u8),
                    }
                }
                line.push(b'\n');
                self.op(b'V', &line);
            }
        }
    }

    // Containers.

    fn tuple(&mut self, depth: u32) {
        let n = self.below(5);
        match (n, self.below(2)) {
            (0, 0) => self.op(b')', &[]),
            (1..=3, 0) => {
                (0..n).for_each(|_| self.value(depth));
                self.op(0x84 + n, &[]);
            }
            _ => self.marked(b't', n, depth),
        }
    }

    /// MARK, `n` values, and the opcode that gathers them.
    fn marked(&mut self, code: u8, n: u8, depth: u32) {
        self.op(b'(', &[]);
        (0..n).for_each(|_| self.value(depth));
        self.op(code, &[]);
    }

    fn list(&mut self, depth: u32) {
        let n = self.below(4);
        match self.below(4) {
            0 => {
                self.op(b']', &[]);
                for _ in 0..n {
                    self.value(depth);
                    self.op(b'a', &[]);
                }
            }
            1 => {
                self.op(b']', &[]);
                self.marked(b'e', n, depth);
            }
            2 => {
                // A bytearray is the other thing that appends.
                self.counted(0x96, 8, b"weighin");
            }
            _ => self.marked(b'l', n, depth),
        }
    }

    fn dict(&mut self, depth: u32) {
        let n = self.below(4);
        let form = self.below(3);
        self.op(if form == 2 { b'(' } else { b'}' }, &[]);
        if form == 1 {
            self.op(b'(', &[]);
        }
        for _ in 0..n {
            self.atom();
            self.value(depth);
            if form == 0 {
                self.op(b's', &[]);
            }
        }
        match form {
            0 => {}
            1 => self.op(b'u', &[]),
            _ => self.op(b'd', &[]),
        }
    }

    fn set(&mut self) {
        let n = self.below(4);
        let frozen = self.below(2) == 1;
        if !frozen {
            self.op(0x8f, &[]);
        }
        self.op(b'(', &[]);
        (0..n).for_each(|_| self.atom());
        self.op(if frozen { 0x91 } else { 0x90 }, &[]);
    }

    // The memo.

    /// Keeps the top of the stack; returns its slot.
    fn store(&mut self) -> u32 {
        let slot = u32::from(self.byte());
        let slot = match self.below(4) {
            0 => {
                let slot = self.memo.len() as u32;
                self.op(0x94, &[]);
                slot
            }
            1 => {
                self.op(b'q', &[slot as u8]);
                slot
            }
            2 => {
                let slot = slot << 12;
                self.op(b'r', &slot.to_le_bytes());
                slot
            }
            _ => {
                self.line(b'p', &format!("0{slot}"));
                slot
            }
        };
        self.memo.insert(slot);
        slot
    }

    fn fetch(&mut self, slot: u32) {
        match (self.below(3), u8::try_from(slot)) {
            (0, Ok(slot)) => self.op(b'h', &[slot]),
            (1, _) => self.line(b'g', &slot.to_string()),
            _ => self.op(b'j', &slot.to_le_bytes()),
        }
    }

    // Names and calls.

    fn name(&mut self) -> (String, String) {
        let module = ["alpha_pkg", "alpha_pkg.tools", "beta_lib._inner"][usize::from(self.below(3))];
        (module.to_owned(), format!("Thing{}", self.below(8)))
    }

    /// An import; returns its dotted name.
    fn global(&mut self) -> String {
        let (module, name) = self.name();
        if self.below(2) == 0 {
            self.line(b'c', &format!("{module}\n{name}"));
        } else {
            for part in [&module, &name] {
                self.text(part);
                if self.below(2) == 1 {
                    let slot = self.store();
                    self.op(b'0', &[]);
                    self.fetch(slot);
                }
            }
            self.op(0x93, &[]);
        }
        let dotted = format!("{module}.{name}");
        self.out.imports.insert(dotted.clone());
        dotted
    }

    fn call(&mut self, depth: u32) {
        let n = self.below(3);
        let (name, opcode) = match self.below(5) {
            0 => {
                let name = self.global();
                self.marked(b't', n, depth);
                self.op(b'R', &[]);
                (name, "REDUCE")
            }
            1 => {
                let name = self.global();
                self.marked(b't', n, depth);
                self.op(0x81, &[]);
                (name, "NEWOBJ")
            }
            2 => {
                let name = self.global();
                self.marked(b't', n, depth);
                self.op(b'}', &[]);
                self.text("key");
                self.atom();
                self.op(b's', &[]);
                self.op(0x92, &[]);
                (name, "NEWOBJ_EX")
            }
            3 => {
                self.op(b'(', &[]);
                let name = self.global();
                (0..n).for_each(|_| self.value(depth));
                self.op(b'o', &[]);
                (name, "OBJ")
            }
            _ => {
                let (module, name) = self.name();
                self.op(b'(', &[]);
                (0..n).for_each(|_| self.value(depth));
                self.line(b'i', &format!("{module}\n{name}"));
                let dotted = format!("{module}.{name}");
                self.out.imports.insert(dotted.clone());
                (dotted, "INST")
            }
        };
        self.out.calls.insert((name, opcode));
        if self.below(3) == 1 {
            self.dict(depth);
            self.op(b'b', &[]);
        }
    }

    fn persistent(&mut self) {
        let key = self.byte();
        if self.below(2) == 0 {
            self.line(b'P', &format!("key-{key}"));
        } else {
            self.text(&format!("key-{key}"));
            self.op(b'Q', &[]);
        }
    }
}
