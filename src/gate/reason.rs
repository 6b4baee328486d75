//! What a request can end with: one table, from which the answers, the OpenAPI
//! description and the documentation come.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a model may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

macro_rules! reasons {
    ($( $name:ident $spelled:literal $status:literal $meaning:literal; )+) => {
        /// Why it was decided so.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum Reason {
            $( #[doc = $meaning] $name, )+
        }

        impl Reason {
            /// All there are, by status.
            pub const ALL: &[Self] = &[$( Self::$name, )+];

            /// As answers, logs and metrics spell it.
            pub fn name(self) -> &'static str {
                match self { $( Self::$name => $spelled, )+ }
            }

            /// The status of the HTTP response.
            pub fn status(self) -> u16 {
                match self { $( Self::$name => $status, )+ }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $( Self::$name => $meaning, )+ }
            }
        }
    };
}

reasons! {
    Passed "passed" 200 "It was examined, and the policy has nothing against it.";
    BadRequest "bad-request" 400 "The request can't be understood, or its body ended early.";
    Unauthorized "unauthorized" 401 "The bearer token or the webhook's signature is missing or wrong.";
    Findings "findings" 403 "A finding reaches the severity that the policy refuses.";
    UriNotAllowed "uri-not-allowed" 403 "The URI is below none of the prefixes that the gate may read.";
    ForeignOrigin "foreign-origin" 403 "A web page of another origin asks, and no token is needed here.";
    NotFound "not-found" 404 "There is nothing here: an unknown path, or a report that is not or no longer kept.";
    MethodNotAllowed "method-not-allowed" 405 "The path is known, the method is not.";
    SlowBody "slow-body" 408 "No byte of the body came for too long.";
    TooLarge "too-large" 413 "The body is larger than one may be.";
    Encoded "encoded" 415 "The body has a content encoding; the bytes are wanted as they will be loaded.";
    Incomplete "incomplete" 422 "Nothing was found, but not everything could be examined.";
    TooManyRequests "too-many-requests" 429 "This client asks too often; Retry-After says when to come back.";
    Failed "failed" 500 "The scan broke down; a defect of weighin.";
    Unreachable "unreachable" 502 "The store or registry with the bytes did not deliver them.";
    Overloaded "overloaded" 503 "As many requests as there may be are in progress; Retry-After says when to come back.";
    Draining "draining" 503 "The gate is about to end and takes nothing new.";
    TimedOut "timed-out" 504 "The request took longer than one may.";
    SpoolFull "spool-full" 507 "There is no room to hold the body while it is examined.";
}

impl Reason {
    /// Only what passed is allowed.
    pub fn decision(self) -> Decision {
        if self == Self::Passed { Decision::Allow } else { Decision::Deny }
    }

    /// Seconds after which it is worth to ask again, where it is.
    pub(super) fn retry_after(self) -> Option<u64> {
        match self {
            Self::Overloaded | Self::TooManyRequests => Some(2),
            Self::Draining | Self::SpoolFull => Some(10),
            _ => None,
        }
    }
}

/// The table of statuses and reasons, in Markdown.
pub fn reason_table() -> String {
    let mut table = "| status | reason | meaning |\n| --- | --- | --- |\n".to_owned();
    for reason in Reason::ALL {
        table.push_str(&format!("| {} | `{}` | {} |\n", reason.status(), reason.name(), reason.meaning()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{Decision, Reason};

    #[test]
    fn only_what_is_allowed_has_a_status_of_success() {
        for reason in Reason::ALL {
            assert_eq!(reason.decision() == Decision::Allow, reason.status() < 300, "{}", reason.name());
            let spelled = serde_json::to_string(reason).expect("a string");
            assert_eq!(spelled.trim_matches('"'), reason.name());
        }
        assert!(Reason::ALL.is_sorted_by_key(|reason| reason.status()));
    }
}
