//! MXNet parameters: a list of arrays and a list of their names
//! (`src/ndarray/ndarray.cc`, `NDArray::Save`); and the graphs that they belong to.

mod symbol;

use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::{Cursor, Input};
use crate::stop::Stop;

/// `kMXAPINDArrayListMagic`.
const LIST: u64 = 0x112;

/// `NDARRAY_V1_MAGIC` to `NDARRAY_V3_MAGIC`.
const ARRAYS: [u32; 3] = [0xf993_fac8, 0xf993_fac9, 0xf993_faca];

/// The format.
#[derive(Debug)]
pub struct Mxnet;

impl Format for Mxnet {
    fn name(&self) -> &'static str {
        "mxnet"
    }

    fn about(&self) -> About {
        About {
            title: "MXNet parameters (NDArray list) and graphs (symbol.json)",
            extensions: &[".params", "-symbol.json"],
            reads: "the header of every dense array, and the names; operators of graphs",
            leaves_out: "the numbers; sparse arrays",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if symbol::begins(head) {
            return Match::Likely;
        }
        if head.starts_with(&[0x12, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        if cursor.peek(1)?.first() != LIST.to_le_bytes().first() {
            return symbol::read(input, cx);
        }
        if cursor.u64_le()? != LIST {
            return Err(Stop::malformed(0, "no list of MXNet arrays"));
        }
        cursor.skip(8)?;
        let count = cursor.u64_le()?;
        for _ in 0..count {
            cx.charge(1, cursor.position())?;
            array(&mut cursor)?;
        }
        let names = cursor.u64_le()?;
        for _ in 0..names {
            cx.charge(1, cursor.position())?;
            let length = cursor.u64_le()?;
            cursor.skip(length)?;
        }
        if cursor.is_at_end() {
            return Ok(());
        }
        cx.behind("behind the names", input, cursor.position())?;
        Err(Stop::malformed(cursor.position(), "content behind the names"))
    }
}

fn array(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    let offset = cursor.position();
    let magic = cursor.u32_le()?;
    let wide = ARRAYS.first() != Some(&magic);
    if !ARRAYS.contains(&magic) {
        return Err(Stop::unsupported(offset, "an MXNet array without a version"));
    }
    // Dense arrays only: -1 is an undefined one, 0 the default storage.
    if wide && !matches!(cursor.i32_le()?, -1 | 0) {
        return Err(Stop::unsupported(offset, "a sparse MXNet array"));
    }
    let dimensions = cursor.u32_le()?;
    if dimensions == 0 {
        return Ok(());
    }
    if dimensions > 64 {
        return Err(Stop::malformed(offset, "an array of too many dimensions"));
    }
    let mut elements = Some(1_u64);
    for _ in 0..dimensions {
        let dimension = cursor.u64_le()?;
        elements = elements.and_then(|elements| elements.checked_mul(dimension));
    }
    // Device type and number.
    cursor.skip(8)?;
    let each = match cursor.i32_le()? {
        1 | 6 => 8,
        2 | 8 | 12 => 2,
        3 | 5 | 7 => 1,
        _ => 4,
    };
    let size = elements.and_then(|elements| elements.checked_mul(each));
    cursor.skip(size.ok_or_else(|| Stop::malformed(offset, "dimensions that multiply beyond 64 bits"))?)
}
