//! The formats: each recognises bytes, and reads them into evidence.
//!
//! A format says what is there; it knows no severity. It reads through
//! [`Input`] and [`Cursor`](crate::input::Cursor) and speaks through [`Cx`],
//! and nothing else: no files, no clocks, no loading.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

use crate::engine::Cx;
use crate::input::Input;
use crate::stop::Stop;

pub mod ar;
pub mod bson;
pub mod bzip2;
pub mod catboost;
mod codec;
pub mod coreml;
pub mod dvc;
pub mod empty;
pub mod engines;
pub mod executable;
pub mod executorch;
mod flatbuffers;
pub mod gguf;
pub mod gzip;
pub mod hdf5;
pub mod java;
pub mod jax_export;
pub mod jinja;
pub mod json;
pub mod keras_config;
pub mod lfs;
pub mod lightgbm;
pub mod lmdb;
pub mod lz4;
pub mod lzma;
pub mod markup;
pub mod marshal;
pub mod media;
mod members;
pub mod modelfile;
pub mod msgpack;
pub mod mxnet;
pub mod notebook;
pub mod numpy;
pub mod ocdbt;
pub mod onnx;
pub mod ort;
pub mod other;
pub mod paddle;
pub mod paddle_params;
pub mod pickle;
mod protobuf;
pub mod pyc;
pub mod python;
pub mod rar;
pub mod rds;
mod reference;
pub mod requirements;
pub mod safetensors;
pub mod script;
pub mod sevenz;
pub mod shards;
pub mod skops;
pub mod spacy;
mod stream;
pub mod tar;
pub mod tensorflow;
pub mod text;
pub mod textproto;
pub mod tflite;
pub mod torch7;
pub mod torchscript;
pub mod torchserve;
mod unpack;
pub mod word2vec;
pub mod xgboost;
pub mod xml;
pub mod xz;
pub mod yaml;
pub mod zarr;
pub mod zfile;
pub mod zip;
pub mod zlib;
pub mod zstd;

/// How sure a format is that an artifact is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Match {
    /// Nothing speaks for it.
    No,
    /// Only the file's name does.
    Name,
    /// The content could be read this way, as could other content by chance.
    Likely,
    /// A signature or an equally certain structure is there.
    Magic,
}

/// What recognition may look at.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The first bytes of the artifact: all, or at least 64 KiB.
    pub first: &'a [u8],
    /// The last bytes: all, or at least 64 KiB.
    pub last: &'a [u8],
    /// Length of the artifact in bytes.
    pub len: u64,
    /// The last component of its name, in lower case.
    pub name: &'a str,
}

impl Head<'_> {
    /// Whether the content begins with `magic`.
    pub fn starts_with(&self, magic: &[u8]) -> bool {
        self.first.starts_with(magic)
    }

    /// Whether `magic` stands at `offset`.
    pub fn has_at(&self, offset: usize, magic: &[u8]) -> bool {
        self.first.get(offset..).is_some_and(|from| from.starts_with(magic))
    }

    /// Whether the name ends in one of `extensions` (lower case, with the dot).
    pub fn is_named(&self, extensions: &[&str]) -> bool {
        extensions.iter().any(|extension| self.name.ends_with(extension))
    }
}

/// What a format's row in the generated table says.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// What the files are, and the specification that the reader follows.
    pub title: &'static str,
    /// Usual file name endings, with the dot.
    pub extensions: &'static [&'static str],
    /// What of it is read.
    pub reads: &'static str,
    /// What is left out.
    pub leaves_out: &'static str,
}

/// A file format that weighin reads.
pub trait Format: Sync {
    /// Its name: the folder, the value in reports and in rules.
    fn name(&self) -> &'static str;

    /// Its row in the format table.
    fn about(&self) -> About;

    /// Whether `head` looks like this format. Never reads more than `head`.
    fn recognise(&self, head: &Head<'_>) -> Match;

    /// Reads `input` into evidence and child artifacts. Evidence is pushed as
    /// it is met, so returning early loses nothing.
    ///
    /// # Errors
    /// The [`Stop`] that ended the reading; the engine records it as a gap.
    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop>;
}

/// Every format, in the order in which reports name them. One line each.
#[rustfmt::skip]
pub const ALL: &[&dyn Format] = &[
    &pickle::Pickle,
    &safetensors::Safetensors,
    &gguf::Gguf,
    &gguf::Ggml,
    &onnx::Onnx,
    &tensorflow::TensorFlow,
    &tensorflow::Checkpoint,
    &tflite::TfLite,
    &ort::Ort,
    &executorch::ExecuTorch,
    &coreml::CoreMl,
    &coreml::MilBlob,
    &paddle::Paddle,
    &paddle_params::PaddleParams,
    &shards::Shards,
    &engines::TensorRt,
    &engines::Rknn,
    &engines::Ncnn,
    &engines::Espresso,
    &hdf5::Hdf5,
    &marshal::Marshal,
    &zip::Zip,
    &tar::Tar,
    &gzip::Gzip,
    &bzip2::Bzip2,
    &xz::Xz,
    &lzma::Lzma,
    &zstd::Zstd,
    &lz4::Lz4,
    &zlib::Zlib,
    &zfile::Zfile,
    &sevenz::SevenZ,
    &rar::Rar,
    &numpy::Numpy,
    &torchscript::TorchScript,
    &executable::Executable,
    &java::Java,
    &pyc::Pyc,
    &media::Media,
    &other::Other,
    &other::Database,
    &lfs::Lfs,
    &dvc::Dvc,
    &empty::Empty,
    &notebook::Notebook,
    &json::Json,
    &jinja::Jinja,
    &python::Python,
    &script::Script,
    &yaml::Yaml,
    &requirements::Requirements,
    &modelfile::Modelfile,
    &markup::Markup,
    &xml::Xml,
    &text::Text,
    &keras_config::KerasConfig,
    &skops::Skops,
    &rds::Rds,
    &xgboost::Xgboost,
    &lightgbm::Lightgbm,
    &catboost::Catboost,
    &torchserve::Manifest,
    &msgpack::Msgpack,
    &mxnet::Mxnet,
    &torch7::Torch7,
    &bson::Bson,
    &lmdb::Lmdb,
    &ocdbt::Ocdbt,
    &zarr::Zarr,
    &jax_export::JaxExport,
    &spacy::Spacy,
    &ar::Ar,
    &textproto::TextProto,
    &word2vec::Word2Vec,
];

/// The format called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    ALL.iter().copied().find(|format| format.name() == name)
}
