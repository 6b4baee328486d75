//! Native executables and libraries as whole files: what they are for and what
//! they need. The sweep finds those that stand inside other content.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::stop::Stop;

/// Reads executables: see [`Format`].
#[derive(Debug)]
pub struct Executable;

/// What the first bytes say: the kind, and the machine it is for.
fn kind(first: &[u8]) -> Option<(&'static str, String)> {
    let u16_at = |at: usize, big: bool| match first.get(at..at.saturating_add(2)) {
        Some([a, b]) => Some(if big { u16::from_be_bytes([*a, *b]) } else { u16::from_le_bytes([*a, *b]) }),
        _ => None,
    };
    match first {
        [0x7f, b'E', b'L', b'F', 1 | 2, order @ (1 | 2), 1, ..] => {
            let big = *order == 2;
            let machine = u16_at(18, big)?;
            // ET_REL to ET_CORE, and what vendors add.
            (u16_at(16, big)? != 0).then(|| ("elf", elf_machine(machine)))
        }
        [b'M', b'Z', ..] => {
            let at = first.get(0x3c..0x40).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(u32::from_le_bytes)?;
            let at = usize::try_from(at).ok()?;
            if first.get(at..at.saturating_add(4)) == Some(b"PE\0\0") {
                return Some(("pe", pe_machine(u16_at(at.saturating_add(4), false)?)));
            }
            // Cosmopolitan's Actually Portable Executable begins `MZqFpD='`.
            first.starts_with(b"MZqFpD='").then(|| ("ape", "any".to_owned()))
        }
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xfe, 0xed, 0xfa, 0xcf | 0xce, ..] => Some(("mach-o", String::new())),
        // A fat binary has few architectures; a Java class has a version there.
        [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, count, ..] if *count < 20 => Some(("mach-o", "several".to_owned())),
        [0xca, 0xfe, 0xba, 0xbe, _, _, 0, version, ..] if (45..=80).contains(version) => {
            Some(("java-class", format!("version {version}")))
        }
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Some(("wasm", String::new())),
        [b'd', b'e', b'x', b'\n', b'0', b'3' | b'4', _, 0, ..] => Some(("dex", String::new())),
        _ => None,
    }
}

fn elf_machine(machine: u16) -> String {
    let name = match machine {
        3 => "x86",
        40 => "arm",
        62 => "x86-64",
        183 => "aarch64",
        190 => "cuda",
        224 => "amdgpu",
        243 => "riscv",
        247 => "bpf",
        _ => return format!("machine {machine}"),
    };
    name.to_owned()
}

fn pe_machine(machine: u16) -> String {
    let name = match machine {
        0x014c => "x86",
        0x8664 => "x86-64",
        0xaa64 => "aarch64",
        0x01c4 => "arm",
        _ => return format!("machine {machine:#x}"),
    };
    name.to_owned()
}

impl Format for Executable {
    fn name(&self) -> &'static str {
        "executable"
    }

    fn about(&self) -> About {
        About {
            title: "ELF, PE, Mach-O, WebAssembly, Java class and DEX files",
            extensions: &[".so", ".dll", ".exe", ".dylib", ".pyd", ".wasm", ".class", ".dex", ".llamafile"],
            reads: "the header: what it is and for which machine",
            leaves_out: "what the code does",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if kind(head.first).is_some() { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bound = to_u64(crate::limits::HEAD_BYTES);
        let first = input.prefix(bound).all(bound)?;
        let Some((what, machine)) = kind(&first) else { return Err(Stop::malformed(0, "not an executable")) };
        cx.push(Evidence::new(Kind::NativeCode, what, Span::new(0, input.len())).with("machine", machine));
        Ok(())
    }
}
