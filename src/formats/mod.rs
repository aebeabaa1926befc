//! Floor 6: files that other programs write and read, one file here per format.
//!
//! Each reader turns text into plain figures, or says in [`Fault`]s what is wrong and where. It opens
//! no file and knows no scenario; whoever asked for the file shows the faults in its text.

pub mod device_plugin;
pub mod gpu_requests;
pub mod kubernetes;
pub mod latency_csv;
pub mod loadgen_log;
pub mod measured_csv;
pub mod mig_parted;
pub mod mlperf_conf;
mod objects;
pub mod perf_analyzer;
pub mod probe;
pub mod recognise;
pub mod request_trace;
pub mod triton_config;
pub mod triton_ensemble;
pub mod trtexec;
pub mod vgpu_configs;

mod dates;
mod dialect;
mod gpu_claims;
mod rows;
mod text_format;
mod trtexec_log;
mod yaml;

use std::ops::Range;

/// One thing that is wrong in a foreign file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The place: a range of bytes of the text.
    pub span: Range<usize>,
    /// What is wrong: lower case, no full stop.
    pub title: String,
    /// What is allowed, with its unit; empty when the title says it.
    pub allowed: String,
    /// How to put it right; empty when that is plain.
    pub help: String,
}

impl Fault {
    /// A fault at a place, with nothing but a title.
    pub fn at(span: Range<usize>, title: impl Into<String>) -> Self {
        Self { span, title: title.into(), allowed: String::new(), help: String::new() }
    }

    /// What is allowed.
    pub fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = allowed.into();
        self
    }

    /// How to put it right.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

impl Fault {
    /// `did you mean`, when something close was found.
    pub(crate) fn did_you_mean(self, near: Option<String>) -> Self {
        match near {
            Some(near) => self.help(format!("did you mean \"{near}\"?")),
            None => self,
        }
    }
}

/// A value that was read, and where it stands: whoever finds it wrong can point there.
#[derive(Clone, PartialEq, Debug)]
pub struct Placed<T> {
    /// What was read.
    pub value: T,
    /// Its place: a range of bytes of the text.
    pub span: Range<usize>,
}

/// So many faults of one file are told; who sees them all is not helped by more.
pub(crate) const FAULTS_MAX: usize = 50;
