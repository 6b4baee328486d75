//! Which member a place in swept bytes belongs to: what the sweep finds in a
//! stored member is told of the member, not of the archive around it.

use crate::artifact::Artifact;
use crate::evidence::{Evidence, Kind};
use crate::rules::RuleSet;

/// Records facts that the sweep of `artifact` found, each with the innermost
/// artifact that holds its first byte, and judges anew the members that got
/// some. `artifact` itself is judged later.
pub(super) fn record(found: Vec<Evidence>, artifact: &mut Artifact, rules: &RuleSet) {
    for evidence in found {
        hand_down(evidence, artifact, false);
    }
    for member in &mut artifact.members {
        judge(member, rules);
    }
}

fn hand_down(mut evidence: Evidence, artifact: &mut Artifact, inside: bool) {
    let offset = evidence.span.offset;
    // A rule that matched nowhere in particular is about all of it.
    let placed = evidence.kind != Kind::YaraMatch || evidence.span.length > 0;
    let holds = |member: &Artifact| {
        placed && member.within.is_some_and(|start| (start..start.saturating_add(member.size)).contains(&offset))
    };
    artifact.late |= inside;
    if let Some(member) = artifact.members.iter_mut().find(|member| holds(member)) {
        evidence.span.offset = offset.saturating_sub(member.within.unwrap_or(0));
        hand_down(evidence, member, true);
        return;
    }
    // A rule that matches at many places matches once; and a stored member may
    // have been scanned by itself before.
    let alike = |other: &Evidence| {
        other.kind == Kind::YaraMatch && other.value == evidence.value && other.attributes == evidence.attributes
    };
    if evidence.kind == Kind::YaraMatch && artifact.evidence.iter().any(alike) {
        return;
    }
    // An executable within an executable is one program.
    if evidence.kind != Kind::EmbeddedExecutable || !is_executable(artifact) {
        let evidence = describe(evidence, artifact, inside);
        artifact.evidence.push(evidence);
    }
}

fn is_executable(artifact: &Artifact) -> bool {
    let whole = |evidence: &Evidence| evidence.kind == Kind::EmbeddedExecutable && evidence.span.offset == 0;
    artifact.evidence.iter().any(whole)
}

/// What the artifact's name has to say about an executable in it.
fn describe(evidence: Evidence, artifact: &Artifact, inside: bool) -> Evidence {
    if evidence.kind != Kind::EmbeddedExecutable {
        return evidence;
    }
    let evidence = if inside { evidence.with("member", "true") } else { evidence };
    if evidence.span.offset > 0 {
        return evidence;
    }
    evidence.with("whole", "true").with("extension", extension(&artifact.name))
}

/// The name's ending, version numbers (`libx.so.1`) aside; empty without one.
fn extension(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name).to_lowercase();
    let base = base.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    base.rsplit_once('.').map(|(_, extension)| extension.to_owned()).unwrap_or_default()
}

/// Judges the members that evidence was handed to. Evidence that was judged
/// before is only there when it is kept, and is then judged again.
fn judge(artifact: &mut Artifact, rules: &RuleSet) {
    if !artifact.late {
        return;
    }
    artifact.late = false;
    for member in &mut artifact.members {
        judge(member, rules);
    }
    let earlier = std::mem::take(&mut artifact.findings);
    rules.judge(artifact);
    for finding in earlier {
        if !artifact.findings.contains(&finding) {
            artifact.findings.push(finding);
        }
    }
}
