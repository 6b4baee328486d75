//! Whether what begins at an offset is an executable, told by its structure.
//!
//! A magic number is 2 to 8 bytes, and gigabytes of weights hold any 2 to 4
//! bytes by chance. Each check here fixes at least 56 bits, so that random
//! bytes pass one in 2⁵⁶ (ELF: magic 32, class and byte order 14, type 13,
//! machine 8, header entry sizes 15). Fields that a loader ignores are not
//! asked for: an attacker can leave them empty.

use std::borrow::Cow;

use crate::input::Input;

/// Largest `e_lfanew` that is followed. Windows takes 256 MiB; linkers write
/// less than 1 KiB.
const MAX_E_LFANEW: u64 = 16 << 20;

/// What was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Executable {
    /// The value of the evidence.
    pub kind: &'static str,
    /// For which machine.
    pub machine: Cow<'static, str>,
}

fn found(kind: &'static str, machine: impl Into<Cow<'static, str>>) -> Option<Executable> {
    Some(Executable { kind, machine: machine.into() })
}

/// Bytes of the input, from where a candidate begins.
struct At<'i> {
    input: &'i Input,
    offset: u64,
}

impl At<'_> {
    fn bytes<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        let n = self.input.read_at(self.offset.checked_add(at)?, &mut bytes).ok()?;
        (n == N).then_some(bytes)
    }

    fn u16(&self, at: u64, big: bool) -> Option<u16> {
        self.bytes(at).map(|bytes| if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: u64, big: bool) -> Option<u32> {
        self.bytes(at).map(|bytes| if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

/// What begins at `offset`, where one of the magic numbers was seen.
pub(super) fn recognise(input: &Input, offset: u64) -> Option<Executable> {
    let at = At { input, offset };
    match at.bytes::<4>(0)? {
        [0x7f, b'E', b'L', b'F'] => elf(&at),
        [b'M', b'Z', ..] => pe(&at),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf] => mach_o(&at, true),
        [0xce | 0xcf, 0xfa, 0xed, 0xfe] => mach_o(&at, false),
        [0xca, 0xfe, 0xba, 0xbe] => java(&at).or_else(|| fat(&at, 20)),
        [0xca, 0xfe, 0xba, 0xbf] => fat(&at, 32),
        [0, b'a', b's', b'm'] => wasm(&at),
        [b'd', b'e', b'x', b'\n'] => dex(&at),
        _ => None,
    }
}

/// ELF: `Elf32_Ehdr`, `Elf64_Ehdr` of the System V ABI.
fn elf(at: &At<'_>) -> Option<Executable> {
    let [class, data] = at.bytes::<2>(4)?;
    let big = match data {
        1 => false,
        2 => true,
        _ => return None,
    };
    let (sizes_at, phdr, shdr) = match class {
        1 => (42, 32, 40),
        2 => (54, 56, 64),
        _ => return None,
    };
    let e_type = at.u16(16, big)?;
    let e_machine = at.u16(18, big)?;
    let e_phentsize = at.u16(sizes_at, big)?;
    let e_shentsize = at.u16(sizes_at + 4, big)?;
    let entries = (e_phentsize == phdr && (e_shentsize == 0 || e_shentsize == shdr || e_type != 1))
        || (e_phentsize == 0 && e_shentsize == shdr);
    if !(1..=4).contains(&e_type) && !(0xfe00..=0xfeff).contains(&e_type) || !entries {
        return None;
    }
    match e_machine {
        // NVIDIA's GPU code: data for the processor.
        190 => found("cubin", "cuda"),
        3 => found("elf", "x86"),
        62 => found("elf", "x86-64"),
        40 => found("elf", "arm"),
        183 => found("elf", "aarch64"),
        243 => found("elf", "riscv"),
        258 => found("elf", "loongarch"),
        8 => found("elf", "mips"),
        20 => found("elf", "powerpc"),
        21 => found("elf", "powerpc64"),
        22 => found("elf", "s390"),
        2 | 18 | 43 => found("elf", "sparc"),
        224 => found("elf", "amdgpu"),
        247 => found("elf", "bpf"),
        // The assigned numbers, and the old Alpha's.
        1..=263 | 0x9026 => found("elf", format!("machine {e_machine}")),
        _ => None,
    }
}

/// PE: the DOS header's `e_lfanew`, then the COFF and optional headers.
fn pe(at: &At<'_>) -> Option<Executable> {
    // The shell script header of Actually Portable Executables, which run on
    // every system (llamafile).
    if at.bytes::<8>(0)? == *b"MZqFpD='" {
        return found("ape", "any");
    }
    let e_lfanew = u64::from(at.u32(0x3c, false)?);
    if e_lfanew > MAX_E_LFANEW || at.bytes::<4>(e_lfanew)? != *b"PE\0\0" {
        return None;
    }
    let machine = match at.u16(e_lfanew + 4, false)? {
        0x14c => "x86",
        0x8664 => "x86-64",
        0xaa64 | 0xa641 | 0xa64e => "aarch64",
        0x1c0 | 0x1c2 | 0x1c4 => "arm",
        0x200 => "ia64",
        0xebc => "efi",
        0x5032 | 0x5064 | 0x5128 => "riscv",
        0x6232 | 0x6264 => "loongarch",
        0x166 | 0x169 | 0x266 | 0x366 | 0x466 => "mips",
        0x1f0 | 0x1f1 => "powerpc",
        _ => return None,
    };
    let sections = at.u16(e_lfanew + 6, false)?;
    let magic = at.u16(e_lfanew + 24, false)?;
    (sections <= 96 && matches!(magic, 0x10b | 0x20b | 0x107)).then(|| found("pe", machine))?
}

fn cpu(cputype: u32) -> Option<&'static str> {
    Some(match cputype {
        7 => "x86",
        0x0100_0007 => "x86-64",
        12 => "arm",
        0x0100_000c | 0x0200_000c => "aarch64",
        18 => "powerpc",
        0x0100_0012 => "powerpc64",
        _ => return None,
    })
}

/// Mach-O: `mach_header` in `<mach-o/loader.h>`.
fn mach_o(at: &At<'_>, big: bool) -> Option<Executable> {
    let machine = cpu(at.u32(4, big)?)?;
    let filetype = at.u32(12, big)?;
    let ncmds = at.u32(16, big)?;
    let sizeofcmds = at.u32(20, big)?;
    // A load command has at least 8 bytes.
    let fits = ncmds.checked_mul(8).is_some_and(|least| sizeofcmds >= least) && ncmds <= 1 << 16;
    ((1..=12).contains(&filetype) && fits).then(|| found("mach-o", machine))?
}

/// A fat Mach-O: `fat_header` in `<mach-o/fat.h>`, entries of `entry` bytes.
fn fat(at: &At<'_>, entry: u64) -> Option<Executable> {
    let nfat_arch = at.u32(4, true)?;
    if !(1..=30).contains(&nfat_arch) {
        return None;
    }
    let mut machines: Vec<&'static str> = Vec::new();
    for index in 0..u64::from(nfat_arch) {
        machines.push(cpu(at.u32(8 + index * entry, true)?)?);
    }
    found("mach-o", machines.join(", "))
}

/// A Java class, version 45 (Java 1.1) on: the same magic as a fat Mach-O,
/// which never has that many architectures.
fn java(at: &At<'_>) -> Option<Executable> {
    let minor = at.u16(4, true)?;
    let major = at.u16(6, true)?;
    let minor_fits = if major == 45 { minor <= 3 } else { minor == 0 || minor == 0xffff };
    ((45..=90).contains(&major) && minor_fits).then(|| found("java-class", format!("java {major}")))?
}

/// A WebAssembly module or component, and the first section's id.
fn wasm(at: &At<'_>) -> Option<Executable> {
    let version = at.bytes::<4>(4)?;
    if !matches!(version, [1, 0, 0, 0] | [0x0d, 0, 1, 0]) {
        return None;
    }
    let section = at.bytes::<1>(8).map_or(0, |[id]| id);
    (section <= 13).then(|| found("wasm", "wasm"))?
}

/// Android's Dalvik executable.
fn dex(at: &At<'_>) -> Option<Executable> {
    let [a, b, c, end] = at.bytes::<4>(4)?;
    let version = a == b'0' && matches!(b, b'3' | b'4') && c.is_ascii_digit() && end == 0;
    version.then(|| found("dex", "dalvik"))?
}
