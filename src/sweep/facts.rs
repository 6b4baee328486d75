//! What is kept of an artifact besides its findings: the facts, from which other
//! rules can judge it without reading it again.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::artifact::{Artifact, Gap};
use crate::evidence::{Evidence, Kind, Span};
use crate::formats;
use crate::report::{Excerpt, Finding};
use crate::rules::RuleSet;

/// Most compressed bytes that are kept of one object; with more facts than that,
/// it is read again.
const MOST: usize = 1 << 20;

/// Most bytes that what was kept may unpack to.
const UNPACKED: u64 = 256 << 20;

/// An artifact's facts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    name: String,
    size: u64,
    formats: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<[u8; 32]>,
    facts: Vec<Fact>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shown: Vec<Shown>,
    gaps: Vec<Gap>,
    members: Vec<Kept>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Fact {
    kind: String,
    value: String,
    attributes: Vec<(String, String)>,
    offset: u64,
    length: u64,
}

/// What stands around a fact that was a finding. The limits of the scan bound
/// how many there are, and their size.
#[derive(Debug, Serialize, Deserialize)]
struct Shown {
    kind: String,
    value: String,
    offset: u64,
    excerpt: Excerpt,
}

impl Shown {
    fn of(finding: &Finding) -> Option<Self> {
        let excerpt = finding.excerpt.clone()?;
        let (kind, value) = (finding.evidence.kind.clone(), finding.evidence.value.clone());
        Some(Self { kind, value, offset: finding.location.offset, excerpt })
    }

    /// Whether a finding, by whatever rule, is about the same.
    fn fits(&self, finding: &Finding) -> bool {
        let evidence = &finding.evidence;
        self.offset == finding.location.offset && self.kind == evidence.kind && self.value == evidence.value
    }
}

impl Kept {
    /// The facts of `artifact`. What lists say of its digest is left out: that
    /// is asked again.
    pub(super) fn of(artifact: &Artifact) -> Self {
        let lasting = artifact.evidence.iter().filter(|evidence| evidence.kind != Kind::DigestMatch);
        let facts = lasting.map(|evidence| Fact {
            kind: evidence.kind.name().to_owned(),
            value: evidence.value.clone(),
            attributes: evidence.attributes.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            offset: evidence.span.offset,
            length: evidence.span.length,
        });
        Self {
            name: artifact.name.clone(),
            size: artifact.size,
            formats: artifact.formats.iter().map(|format| (*format).to_owned()).collect(),
            sha256: artifact.sha256,
            facts: facts.collect(),
            shown: artifact.findings.iter().filter_map(Shown::of).collect(),
            gaps: artifact.gaps.clone(),
            members: artifact.members.iter().map(Self::of).collect(),
        }
    }

    /// The artifact again, as `rules` and `digests` judge it.
    pub(super) fn judged(self, rules: &RuleSet, digests: &crate::policy::DigestLists) -> Artifact {
        let mut artifact = Artifact::new(self.name, self.size);
        artifact.formats =
            self.formats.iter().filter_map(|name| formats::by_name(name)).map(|format| format.name()).collect();
        artifact.sha256 = self.sha256;
        artifact.evidence = self.facts.into_iter().filter_map(Fact::evidence).collect();
        artifact.gaps = self.gaps;
        artifact.members = self.members.into_iter().map(|member| member.judged(rules, digests)).collect();
        digests.compare(&mut artifact);
        rules.judge(&mut artifact);
        for finding in &mut artifact.findings {
            finding.excerpt = self.shown.iter().find(|shown| shown.fits(finding)).map(|shown| shown.excerpt.clone());
        }
        artifact
    }
}

impl Fact {
    fn evidence(self) -> Option<Evidence> {
        let kind = Kind::from_name(&self.kind)?;
        let evidence = Evidence::new(kind, self.value, Span::new(self.offset, self.length));
        Some(self.attributes.into_iter().fold(evidence, |evidence, (name, value)| evidence.with(name, value)))
    }
}

/// Facts as they are stored; nothing when there are too many.
pub(super) fn pack(kept: &Kept) -> Option<Vec<u8>> {
    packed(kept).filter(|packed| packed.len() <= MOST)
}

/// Stored facts; nothing when a later version wrote them.
pub(super) fn unpack(packed: &[u8]) -> Option<Kept> {
    unpacked(packed)
}

/// Anything as compressed JSON.
pub(super) fn packed(value: &impl Serialize) -> Option<Vec<u8>> {
    let json = serde_json::to_vec(value).ok()?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&json).ok()?;
    encoder.finish().ok()
}

/// And back.
pub(super) fn unpacked<T: DeserializeOwned>(packed: &[u8]) -> Option<T> {
    let mut json = Vec::new();
    ZlibDecoder::new(packed).take(UNPACKED).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}
