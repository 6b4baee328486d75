//! Data files that lie beside models and hold nothing that a loader runs:
//! databases, tables, indices, vocabularies in binary form. Recognised so that
//! they are not taken for something unknown; the sweep reads their bytes.

use crate::engine::Cx;
use crate::formats::protobuf::Shape;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// Recognises data files: see [`Format`].
#[derive(Debug)]
pub struct Other;

/// Signatures at the beginning.
const FIRST: &[&[u8]] = &[
    b"PAR1",
    b"ARROW1\0\0",
    // Feather version 1, Avro, ORC, LevelDB's manifest of TensorFlow events.
    b"FEA1",
    b"Obj\x01avro",
    b"ORC",
    // fastText: FASTTEXT_FILEFORMAT_MAGIC_INT32, 793712314, little-endian.
    b"\xba\x16\x4f\x2f",
    // KenLM binary, Annoy has none, hnswlib has none.
    b"mmap lm http://kheafield.com/code format version",
    // Java key stores. The lock file of LMDB.
    b"\xde\xc0\xef\xbe",
    // Git's packs and indices, which lie in clones.
    b"PACK\0\0\0",
    b"\xfftOc\0\0\0\x02",
    b"DIRC\0\0\0",
    // Windows shortcuts never belong; terminfo, locale data: gettext catalogues.
    b"\xde\x12\x04\x95",
    b"TZif",
    // FITS: the first card. MATLAB 5, NetCDF.
    b"SIMPLE  =                    T",
    b"MATLAB 5.0 MAT-file",
    b"CDF\x01",
    b"CDF\x02",
    b"CDF\x05",
    // CRFsuite, Sudachi's dictionaries, marisa-trie, shapes of ESRI.
    b"SudachiBinaryDic",
    b"lCRF",
    b"We love Marisa.\0",
    b"\0\0\x27\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    // LiteRT-LM's containers, Hailo's compiled models.
    b"LITERTLM",
    b"\x01HEF",
    // Points in PLY.
    b"ply\nformat ascii ",
    b"ply\nformat binary_",
    // OpenFst, Kaldi in binary form, glTF, LAS.
    b"\xd6\xfd\xb2\x7e",
    b"\0B<",
    b"glTF",
    b"LASF",
    // What macOS leaves behind: AppleDouble, .DS_Store.
    b"\0\x05\x16\x07",
    b"\0\0\0\x01Bud1",
];

/// Whether `first` is a sentencepiece model: a protobuf of pieces, of which
/// the first is usually `<unk>`: field 1, a message of field 1, a string.
fn is_sentencepiece(head: &Head<'_>) -> bool {
    let mut rest = head.first;
    for _ in 0..3 {
        let [0x0a, length, inner @ ..] = rest else { return false };
        let length = usize::from(*length);
        let Some([0x0a, text, piece @ ..]) = inner.get(..length) else { return false };
        let text = usize::from(*text);
        let Some(name) = piece.get(..text) else { return false };
        // Then the score: field 2, four bytes.
        if std::str::from_utf8(name).is_err() || !matches!(piece.get(text), Some(0x15 | 0x18) | None) {
            return false;
        }
        rest = inner.get(length..).unwrap_or_default();
    }
    true
}

/// A model of CTranslate2, as faster-whisper's: a version of 32 bits and the
/// name of the model's specification, a string with its length before and a
/// zero at its end (`ctranslate2/specs/model_spec.py`, `_serialize`).
fn is_ctranslate2(head: &Head<'_>) -> bool {
    let Some(([1..=16, 0, 0, 0, low, high], name)) = head.first.split_first_chunk::<6>() else { return false };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let Some((0, name)) = name.get(..length).and_then(<[u8]>::split_last).map(|(last, name)| (*last, name)) else {
        return false;
    };
    name.ends_with(b"Spec") && name.iter().all(u8::is_ascii_alphanumeric)
}

/// An index of FAISS: four letters, then the header that all kinds share, with
/// two numbers that mean nothing (`faiss/impl/index_write.cpp`,
/// `write_index_header`, `write_index_binary_header`).
fn is_faiss(head: &Head<'_>) -> bool {
    const UNUSED: [u8; 8] = (1_u64 << 20).to_le_bytes();
    let Some(([b'I', letters @ .., d0, d1, d2, 0, s0, s1, s2, 0], _)) = head.first.split_first_chunk::<12>() else {
        return false;
    };
    let number = |a: &u8, b: &u8, c: &u8| u32::from_le_bytes([*a, *b, *c, 0]);
    let dimensions = number(d0, d1, d2);
    let binary = letters.first() == Some(&b'B') && dimensions > 0 && dimensions == number(s0, s1, s2).saturating_mul(8);
    letters.iter().all(u8::is_ascii_alphanumeric)
        && (binary || head.has_at(16, &UNUSED) && head.has_at(24, &UNUSED) && dimensions > 0)
}

/// A volume of NIfTI, whose header has 348 bytes and its magic at their end, or of
/// DICOM, which has a preamble.
fn is_image_of_bodies(head: &Head<'_>) -> bool {
    let nifti = head.starts_with(b"\x5c\x01\0\0") && (head.has_at(344, b"n+1\0") || head.has_at(344, b"ni1\0"));
    nifti || head.has_at(128, b"DICM")
}

/// A table of dBASE, as they lie beside shapes: a version, a date, the number of
/// rows, and lengths of a header and a row.
fn is_dbase(head: &Head<'_>) -> bool {
    let Some((fixed, _)) = head.first.split_first_chunk::<12>() else { return false };
    let [0x03 | 0x30 | 0x83 | 0x8b, _, 1..=12, 1..=31, r0, r1, r2, r3, h0, h1, l0, l1] = *fixed else { return false };
    let rows = u64::from(u32::from_le_bytes([r0, r1, r2, r3]));
    let (header, row) = (u64::from(u16::from_le_bytes([h0, h1])), u64::from(u16::from_le_bytes([l0, l1])));
    let end = rows.saturating_mul(row).saturating_add(header);
    head.is_named(&[".dbf"]) && header >= 33 && (end..end.saturating_add(2)).contains(&head.len)
}

/// An archive of Kaldi: a key, a space, and a matrix or vector in binary form.
fn is_archive_of_kaldi(head: &Head<'_>) -> bool {
    let Some(space) = head.first.iter().take(128).position(|byte| *byte == b' ') else { return false };
    let (key, rest) = head.first.split_at_checked(space).unwrap_or_default();
    let kinds: [&[u8]; 6] = [b" \0BFM ", b" \0BFV ", b" \0BDM ", b" \0BDV ", b" \0BCM ", b" \0BCM2 "];
    !key.is_empty() && key.iter().all(u8::is_ascii_graphic) && kinds.iter().any(|kind| rest.starts_with(kind))
}

/// An index of usearch: a matrix of vectors, and behind it the header of the
/// graph (`index_dense.hpp`, `index_dense_head_t`).
fn is_usearch(head: &Head<'_>) -> bool {
    let Some((fixed, _)) = head.first.split_first_chunk::<8>() else { return false };
    let [r0, r1, r2, r3, c0, c1, c2, c3] = *fixed;
    let (rows, columns) = (u32::from_le_bytes([r0, r1, r2, r3]), u32::from_le_bytes([c0, c1, c2, c3]));
    let end = u64::from(rows).checked_mul(u64::from(columns)).and_then(|bytes| bytes.checked_add(8));
    end.is_some_and(|end| usize::try_from(end).is_ok_and(|end| head.has_at(end, b"usearch")))
}

/// A model of Treelite, versions 3 and 4: three numbers of a version, the types
/// of thresholds and leaves, the number of trees (`include/treelite/detail/serializer.h`).
fn is_treelite(head: &Head<'_>) -> bool {
    let Some((fixed, _)) = head.first.split_first_chunk::<22>() else { return false };
    let [3 | 4, 0, 0, 0, 0..=63, 0, 0, 0, 0..=63, 0, 0, 0, 1..=3, 1..=3, a, b, c, 0, 0, 0, 0, 0] = fixed else {
        return false;
    };
    [a, b, c].iter().any(|byte| **byte > 0)
}

/// Weights of Caffe: a message with the name of a net, and its layers
/// (`caffe.proto`, `NetParameter`). Layers are only matched by name: their kinds
/// come from the description beside it.
fn is_caffe(head: &Head<'_>) -> bool {
    // `name`, `layers` (V1), `layer`.
    head.is_named(&[".caffemodel"])
        && Shape::of(head.first, head.len)
            .is_some_and(|shape| shape.fields.iter().all(|(number, _)| matches!(number, 1..=8 | 100)))
}

/// Recognises databases, whose programs may keep pickles in them on purpose: see
/// [`Format`].
#[derive(Debug)]
pub struct Database;

impl Format for Database {
    fn name(&self) -> &'static str {
        "database"
    }

    fn about(&self) -> About {
        About {
            title: "Databases: SQLite, DuckDB",
            extensions: &[".db", ".sqlite", ".duckdb"],
            reads: "the signature; all bytes for pickles and signatures of other things",
            leaves_out: "rows in which a pickle is not in one piece",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.starts_with(b"SQLite format 3\0") || head.has_at(8, b"DUCK") { Match::Magic } else { Match::No }
    }

    fn read(&self, _input: &Input, _cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        Ok(())
    }
}

/// An Arrow IPC stream: the continuation mark and a length that is no more
/// than a schema's.
fn is_arrow_stream(head: &Head<'_>) -> bool {
    let Some([0xff, 0xff, 0xff, 0xff, a, b, c, 0]) = head.first.get(..8) else { return false };
    let length = u32::from_le_bytes([*a, *b, *c, 0]);
    length.is_multiple_of(8) && length > 0
}

/// TensorFlow's event files and TFRecord: a length, its masked CRC, the data.
fn is_records(head: &Head<'_>) -> bool {
    head.name.contains("tfevents") || head.is_named(&[".tfrecord", ".tfrecords"])
}

impl Format for Other {
    fn name(&self) -> &'static str {
        "other"
    }

    fn about(&self) -> About {
        About {
            title: "Data that nothing in is run of: Parquet, Arrow, sentencepiece, CTranslate2, Caffe's weights, Treelite, CRFsuite, fastText, FAISS, event logs",
            extensions: &[".parquet", ".arrow", ".spm", ".faiss", ".index"],
            reads: "the signature; all bytes for signatures of other things",
            leaves_out: "the data",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let known = FIRST.iter().any(|magic| head.starts_with(magic));
        if known
            || memchr::memmem::find(head.last, b"\xab\xcd\xefMaxMind.com").is_some()
            || is_archive_of_kaldi(head)
            || is_image_of_bodies(head)
            || is_sentencepiece(head)
            || is_ctranslate2(head)
            || is_caffe(head)
            || is_faiss(head)
            || is_usearch(head)
        {
            Match::Magic
        } else if is_arrow_stream(head) || is_records(head) || is_treelite(head) || is_dbase(head) {
            Match::Likely
        } else if head.is_named(&[".onnx_data", ".onnx.data", ".onnx_data_1", ".weights", ".usearch"]) {
            // Raw tensors of an ONNX model, Darknet weights, vectors: numbers without a signature.
            Match::Name
        } else {
            Match::No
        }
    }

    fn read(&self, _input: &Input, _cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        Ok(())
    }
}
