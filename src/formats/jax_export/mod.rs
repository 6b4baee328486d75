//! Functions that `jax.export` has serialised: a FlatBuffer without an
//! identifier (`jax/_src/export/serialization.fbs`) around a StableHLO module
//! in MLIR's bytecode.

use crate::engine::Cx;
use crate::formats::flatbuffers::Flat;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// How MLIR bytecode begins.
const MLIR: &[u8] = b"ML\xefR";

/// Fields of `Exported`.
const FUNCTION_NAME: u16 = 1;
const PLATFORMS: u16 = 9;
const MLIR_MODULE_SERIALIZED: u16 = 13;

/// Platforms of one function: `cpu`, `cuda`, `rocm`, `tpu`.
const MOST_PLATFORMS: u64 = 16;

/// The format.
#[derive(Debug)]
pub struct JaxExport;

impl Format for JaxExport {
    fn name(&self) -> &'static str {
        "jax-export"
    }

    fn about(&self) -> About {
        About {
            title: "Exported JAX functions (jax/_src/export/serialization.fbs)",
            extensions: &[],
            reads: "the function's name, its platforms, where its module is",
            leaves_out: "what the module computes, and its custom calls, which need code of their own",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // The root's offset, then a vtable that is long enough for a module.
        let Some([a, b, 0, 0, ..]) = head.first.get(..8) else { return Match::No };
        let root = usize::from(u16::from_le_bytes([*a, *b]));
        let module = memchr::memmem::find(head.first, MLIR).is_some_and(|at| at > root);
        if (8..1024).contains(&root) && root.is_multiple_of(4) && module { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut flat = Flat::new(input);
        let root = flat.root()?;
        let module = flat.vector(root, MLIR_MODULE_SERIALIZED, 1)?;
        let module = input.window(module.at, module.len)?;
        if module.prefix(4).all(4)? != MLIR {
            return Err(Stop::malformed(0, "no module of MLIR where jax.export has it"));
        }
        let name = flat.text(root, FUNCTION_NAME, 1024)?;
        cx.field("function_name", || name.into());
        let platforms = flat.tables(root, PLATFORMS)?;
        for index in 0..platforms.len.min(MOST_PLATFORMS) {
            let platform = flat.string_at(platforms, index, 64)?;
            cx.row("platforms", &["name"], || vec![platform.into()]);
        }
        cx.data("module", module)
    }
}
