//! The tasks of NIST SP 800-218A that a scan supports: what each asks for,
//! what a scan does about it, and what it does not show. Rules name these ids,
//! and `weighin report ssdf` is written from them.

use serde::Serialize;

/// The publications that the tasks are from.
pub const STANDARD: &str = "NIST SP 800-218A (July 2024), with SP 800-218 version 1.1";

/// A task that a scan supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Task {
    /// Its id, such as `PW.4.4`.
    pub id: &'static str,
    /// The recommendations (R) and considerations (C) of SP 800-218A under it
    /// that a scan serves; empty when the task itself is.
    pub items: &'static [&'static str],
    /// What it asks for, shortened.
    pub asks: &'static str,
    /// What a scan does about it.
    pub done: &'static str,
    /// What a scan does not show.
    pub not_shown: &'static str,
    /// Which findings are its result.
    pub counts: Counts,
}

/// Which findings of a scan are the result of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// All of them.
    All,
    /// Those of rules that name the task.
    Naming,
    /// None: the task is about the record, not about what was found.
    Record,
}

/// All, in the order of the publication.
pub const TASKS: &[Task] = &[
    Task {
        id: "PO.3.3",
        items: &[],
        asks: "Configure tools to generate artifacts of their support of secure software development practices.",
        done: "The report itself is such an artifact: the tool's version, the digest of the rules, and every file with \
               its digest, format, verdict, findings and gaps. The same input gives the same bytes.",
        not_shown: "Who ran the scan and when, and that the report was not changed since: sign it and keep it.",
        counts: Counts::Record,
    },
    Task {
        // Table 1 has plaintext secrets here; PO.5.3 is about software as it runs.
        id: "PO.5.1",
        items: &["R6"],
        asks: "Continuously monitor each environment for plaintext secrets.",
        done: "Model files and the text and code beside them were searched for private keys and live credentials.",
        not_shown: "Secrets elsewhere in the environment, secrets of unknown shape, and whether one that was found \
                    still works. One scan is not continuous.",
        counts: Counts::Naming,
    },
    Task {
        id: "PS.1.3",
        items: &["R2", "R4"],
        asks: "Monitor the integrity of model weights and configuration parameters, with cryptographic hashes.",
        done: "Every byte of each file went into its SHA-256; comparing reports shows what has changed. Lists of \
               known-good and known-bad digests were compared where they were given.",
        not_shown: "Confidentiality, access rights, and what happened between two scans.",
        counts: Counts::Record,
    },
    Task {
        id: "PS.2.1",
        items: &["R1"],
        asks: "Generate and provide cryptographic hashes or digital signatures for an AI model and its components.",
        done: "The report has the SHA-256 of each file that was read whole.",
        not_shown: "Signatures: a digest says which bytes were scanned, not who published them.",
        counts: Counts::Record,
    },
    Task {
        id: "PS.3.2",
        items: &["R1"],
        asks: "Collect, maintain and share provenance data for all components of each release; track the provenance \
               of an AI model and its components.",
        done: "The report lists each file and each artifact inside it with size and format, and where files refer to \
               content, code or packages that are elsewhere.",
        not_shown: "Where the files came from, what they were trained on, and who made them.",
        counts: Counts::Naming,
    },
    Task {
        id: "PW.4.1",
        items: &[],
        asks: "Acquire and maintain well-secured software components.",
        done: "Packages that the files ask for were checked for where they come from and whether they are pinned.",
        not_shown: "Whether those packages are sound: they were not fetched and not scanned.",
        counts: Counts::Naming,
    },
    Task {
        id: "PW.4.4",
        items: &["R1", "R2"],
        asks: "Verify the integrity, provenance and security of acquired AI models and components, and scan them for \
               vulnerabilities and malicious content before use.",
        done: "Each file was recognised by its content, read by every format that claims it, members and payloads \
               included, and every byte was searched. Nothing was loaded or run.",
        not_shown: "Provenance, and what a model answers: poisoned training data and backdoored weights are invisible \
                    to a reader of files. Files with gaps were examined only in part.",
        counts: Counts::All,
    },
    Task {
        id: "PW.6.1",
        items: &["C1"],
        asks: "Consider secure model serialization mechanisms that reduce or eliminate vectors for malicious content.",
        done: "The format of each file and of what is inside it was determined by content; files that are, or hold, \
               pickles or other programs are counted.",
        not_shown: "Whether the program that loads a file uses the safe options of its loader.",
        counts: Counts::Record,
    },
    Task {
        id: "PW.7.1",
        items: &["C1"],
        asks: "Consider performing scans of AI model code in addition to testing the AI models.",
        done: "Code in and beside the models was parsed and judged: pickles, Python, compiled Python, notebooks, \
               templates, scripts, graphs.",
        not_shown: "That the code does what it should, and what the packages do that it imports.",
        counts: Counts::All,
    },
    Task {
        id: "PW.7.2",
        items: &["R1"],
        asks: "Scan all AI models for malware, vulnerabilities, backdoors and other security issues; record and \
               triage all discovered issues and recommended remediations.",
        done: "Each finding is recorded with its rule, place, evidence, severity and remediation. Those that were \
               triaged stay in the report with the reason.",
        not_shown: "Backdoors in the weights. That the organization's issue tracker has the findings, and that \
                    somebody acts on them.",
        counts: Counts::All,
    },
    Task {
        id: "PW.8.2",
        items: &["R1", "R2"],
        asks: "Scope, perform and document testing, all discovered issues included; retest AI models when they are \
               retrained.",
        done: "The scope is the list of files, with what was left out as gaps; the results are documented per file.",
        not_shown: "Dynamic testing, red teaming and adversarial testing: nothing was run. A scan is a static test.",
        counts: Counts::All,
    },
    Task {
        id: "RV.1.2",
        items: &["R1", "R2"],
        asks: "Scan and test AI models frequently to identify previously undetected vulnerabilities, relying mainly on \
               automation.",
        done: "The scan needs nobody to attend it, and says by digest which rules were applied, so that a newer rule \
               set shows which files to scan again.",
        not_shown: "How often scans run: that is seen from several reports.",
        counts: Counts::All,
    },
    Task {
        id: "RV.2.1",
        items: &[],
        asks: "Analyze each vulnerability to gather sufficient information about risk to plan its remediation.",
        done: "Each finding says what happens on load, how bad and how sure that is, which weakness and known \
               vulnerabilities it is an instance of, and what to do.",
        not_shown: "How much the file matters to the organization, and who has loaded it already.",
        counts: Counts::All,
    },
];

/// The task with this id.
pub fn task(id: &str) -> Option<&'static Task> {
    TASKS.iter().find(|task| task.id == id)
}
