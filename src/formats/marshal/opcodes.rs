//! The numbers that CPython's versions give the opcodes which name, import and
//! call things. Everything else only moves values, and is not followed.

use super::wire::{Object, Reading};

/// Versions whose instructions differ here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V27,
    V36To310,
    V311,
    V312,
    V313,
    V314,
}

/// What an instruction does, where it matters here. `u32` arguments index
/// names, constants or locals, or count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    LoadConst(u32),
    LoadName(u32),
    LoadFast(u32),
    LoadAttr(u32),
    ImportName(u32),
    ImportFrom(u32),
    StoreName(u32),
    StoreFast(u32),
    StoreAttr,
    /// Positional and keyword values above the callable.
    Call(u32),
    /// The same, with a tuple of keyword names on top.
    CallNames(u32),
    /// A tuple of arguments, and with `true` a dictionary.
    CallSpread(bool),
    /// The same with a dictionary unless a NULL was pushed in its place.
    CallSpreadOrNull,
    PushNull,
    Pop,
    /// So many values are used up.
    Drop(u32),
    SmallInt(u32),
    /// Two locals at once, four bits each.
    LoadFastTwo(u32),
    StoreFastLoadFast(u32),
    StoreFastTwo(u32),
    /// A container or string of so many values.
    Build(u32),
    /// One value for two: arithmetic, comparison, subscript.
    Two,
    MakeFunction(u32),
    BuildClass,
    Extended,
    /// The values above can't be told apart any more: a jump.
    Jump,
    Other,
}

impl Version {
    /// The version that wrote a `.pyc` file's magic number
    /// (`Lib/importlib/_bootstrap_external.py` lists them).
    pub(super) fn of_magic(magic: u16) -> Option<Self> {
        match magic {
            62_100..=62_300 => Some(Self::V27),
            3_360..=3_449 => Some(Self::V36To310),
            3_450..=3_499 => Some(Self::V311),
            3_500..=3_549 => Some(Self::V312),
            3_550..=3_599 => Some(Self::V313),
            3_600..=3_649 => Some(Self::V314),
            _ => None,
        }
    }

    /// The version that a layout and the instructions speak for.
    pub(super) fn guess(layout: &str, reading: &Reading<'_>) -> Option<Self> {
        let code = reading.objects.iter().find_map(|object| match object {
            Object::Code(code) => Some(super::code_bytes(reading, code)),
            _ => None,
        })?;
        let ops = || code.chunks_exact(2).filter_map(|pair| pair.first().copied());
        match layout {
            "2.7" => Some(Self::V27),
            // 3.6 made every instruction two bytes; before, an odd length gives it away.
            "3.0-3.7" | "3.8-3.10" => (code.len().is_multiple_of(2)).then_some(Self::V36To310),
            // PRECALL and LOAD_METHOD are 3.11's alone; RESUME is 128 in 3.14, 149 in 3.13 and 151 before.
            "3.11+" if ops().any(|op| op == 166) && ops().any(|op| op == 151) => Some(Self::V311),
            "3.11+" if ops().any(|op| op == 151) => Some(Self::V312),
            "3.11+" if ops().any(|op| op == 149) => Some(Self::V313),
            "3.11+" if ops().any(|op| op == 128) => Some(Self::V314),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V27 => "2.7",
            Self::V36To310 => "3.6-3.10",
            Self::V311 => "3.11",
            Self::V312 => "3.12",
            Self::V313 => "3.13",
            Self::V314 => "3.14",
        }
    }

    /// What the instruction `op` with `arg` does.
    pub(super) fn op(self, op: u8, arg: u32) -> Op {
        match self {
            Self::V313 => op_313(op, arg),
            Self::V314 => op_314(op, arg),
            Self::V311 | Self::V312 => self.op_311(op, arg),
            Self::V27 | Self::V36To310 => self.op_before_311(op, arg),
        }
    }

    fn op_before_311(self, op: u8, arg: u32) -> Op {
        let two = self == Self::V27;
        match op {
            1 => Op::Pop,
            19..=29 | 55..=59 | 62..=67 | 75..=79 => Op::Two,
            71 if !two => Op::BuildClass,
            90 | 97 => Op::StoreName(arg),
            95 => Op::StoreAttr,
            100 => Op::LoadConst(arg),
            101 | 116 => Op::LoadName(arg),
            102..=104 => Op::Build(arg),
            105 if !two => Op::Build(arg.saturating_mul(2)),
            156 if !two => Op::Build(arg.saturating_add(1)),
            157 if !two => Op::Build(arg),
            106 | 160 => Op::LoadAttr(arg),
            107 => Op::Two,
            108 => Op::ImportName(arg),
            109 => Op::ImportFrom(arg),
            110..=115 | 119 => Op::Jump,
            124 => Op::LoadFast(arg),
            125 => Op::StoreFast(arg),
            131 if two => Op::Call((arg & 0xff).saturating_add((arg >> 8 & 0xff).saturating_mul(2))),
            131 | 161 => Op::Call(arg),
            132 if two => Op::MakeFunction(arg),
            132 => Op::MakeFunction((arg & 0xf).count_ones().saturating_add(1)),
            140 | 142 if two => Op::CallSpread(op == 142),
            141 if two => Op::CallSpread(false),
            141 => Op::CallNames(arg),
            142 => Op::CallSpread(arg & 1 == 1),
            145 if two => Op::Extended,
            144 if !two => Op::Extended,
            _ => Op::Other,
        }
    }

    fn op_311(self, op: u8, arg: u32) -> Op {
        let packed = if self == Self::V312 { arg >> 1 } else { arg };
        match op {
            1 => Op::Pop,
            25 | 107 | 122 => Op::Two,
            71 => Op::BuildClass,
            90 | 97 => Op::StoreName(arg),
            95 => Op::StoreAttr,
            100 => Op::LoadConst(arg),
            101 => Op::LoadName(arg),
            102..=104 | 157 => Op::Build(arg),
            105 => Op::Build(arg.saturating_mul(2)),
            156 => Op::Build(arg.saturating_add(1)),
            // In 3.12 the lowest bit says that a method is loaded.
            106 => Op::LoadAttr(packed),
            108 => Op::ImportName(arg),
            109 => Op::ImportFrom(arg),
            110..=112 | 114 | 115 | 128 | 129 | 134 | 140 => Op::Jump,
            // The lowest bit says that a NULL is pushed as well.
            116 => Op::LoadName(arg >> 1),
            124 | 127 => Op::LoadFast(arg),
            125 => Op::StoreFast(arg),
            132 => Op::MakeFunction((arg & 0xf).count_ones()),
            142 => Op::CallSpread(arg & 1 == 1),
            144 => Op::Extended,
            160 if self == Self::V311 => Op::LoadAttr(arg),
            171 => Op::Call(arg),
            _ => Op::Other,
        }
    }
}

fn op_313(op: u8, arg: u32) -> Op {
    match op {
        5 | 45 => Op::Two,
        24 => Op::BuildClass,
        26 => Op::MakeFunction(0),
        32 => Op::Pop,
        46 => Op::Build(arg.saturating_add(1)),
        48 => Op::Build(arg.saturating_mul(2)),
        47 | 50..=52 => Op::Build(arg),
        53 => Op::Call(arg),
        54 => Op::CallSpread(arg & 1 == 1),
        57 => Op::CallNames(arg),
        71 => Op::Extended,
        74 => Op::ImportFrom(arg),
        75 => Op::ImportName(arg),
        77..=79 | 97..=100 => Op::Jump,
        82 => Op::LoadAttr(arg >> 1),
        83 => Op::LoadConst(arg),
        85 | 87 => Op::LoadFast(arg),
        88 => Op::LoadFastTwo(arg),
        90 | 92 => Op::LoadName(arg),
        91 => Op::LoadName(arg >> 1),
        108 => Op::StoreAttr,
        110 => Op::StoreFast(arg),
        111 => Op::StoreFastLoadFast(arg),
        112 => Op::StoreFastTwo(arg),
        113 | 114 => Op::StoreName(arg),
        _ => Op::Other,
    }
}

/// `Include/opcode_ids.h` of 3.14.
fn op_314(op: u8, arg: u32) -> Op {
    match op {
        // BINARY_SLICE, LOAD_SUPER_ATTR
        1 | 96 => Op::Build(3),
        // BUILD_TEMPLATE, BINARY_OP, CALL_INTRINSIC_2, comparisons, SET_FUNCTION_ATTRIBUTE
        2 | 44 | 54 | 56 | 57 | 74 | 108 => Op::Two,
        4 => Op::CallSpreadOrNull,
        9 | 30 | 31 => Op::Pop,
        21 => Op::BuildClass,
        23 => Op::MakeFunction(0),
        33 => Op::PushNull,
        37 => Op::Drop(4),
        38 => Op::Drop(3),
        45 => Op::Build((arg & 1).saturating_add(2)),
        46 | 48..=51 => Op::Build(arg),
        47 => Op::Build(arg.saturating_mul(2)),
        52 => Op::Call(arg),
        53 => Op::Build(1),
        55 => Op::CallNames(arg),
        // DICT_MERGE, DICT_UPDATE, LIST_APPEND, LIST_EXTEND, SET_ADD, SET_UPDATE, STORE_DEREF
        66 | 67 | 78 | 79 | 107 | 109 | 111 => Op::Pop,
        69 => Op::Extended,
        // FOR_ITER, LOAD_COMMON_CONSTANT, LOAD_DEREF, LOAD_SPECIAL
        70 | 81 | 83 | 95 => Op::Build(0),
        72 => Op::ImportFrom(arg),
        73 => Op::ImportName(arg),
        80 => Op::LoadAttr(arg >> 1),
        82 => Op::LoadConst(arg),
        84..=86 | 88 => Op::LoadFast(arg),
        87 | 89 => Op::LoadFastTwo(arg),
        91 | 93 => Op::LoadName(arg),
        92 => Op::LoadName(arg >> 1),
        94 => Op::SmallInt(arg),
        98 => Op::Drop(2),
        100..=103 => Op::Jump,
        110 => Op::StoreAttr,
        112 => Op::StoreFast(arg),
        113 => Op::StoreFastLoadFast(arg),
        114 => Op::StoreFastTwo(arg),
        115 | 116 => Op::StoreName(arg),
        _ => Op::Other,
    }
}
