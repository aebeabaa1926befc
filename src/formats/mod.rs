//! Floor 6: files that other programs write and read, one file here per format.
//!
//! Each reader turns text into plain figures, or returns [`Fault`]s with their places. It opens no
//! file and knows no scenario; the caller shows the faults in the text.

pub mod device_plugin;
pub mod gpu_requests;
pub mod kubernetes;
pub mod latency_csv;
pub mod loadgen_log;
pub mod measured_csv;
pub mod mig_parted;
pub mod mlperf_conf;
mod objects;
pub mod operation_trace;
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

/// One fault in a file of another program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The place: a range of bytes of the text.
    pub span: Range<usize>,
    /// The fault: lower case, no full stop.
    pub title: String,
    /// The allowed values, with their unit; empty when the title states them.
    pub allowed: String,
    /// How to correct it; empty when that is clear.
    pub help: String,
}

impl Fault {
    /// A fault at a place, with nothing but a title.
    pub fn at(span: Range<usize>, title: impl Into<String>) -> Self {
        Self { span, title: title.into(), allowed: String::new(), help: String::new() }
    }

    /// Adds the allowed values.
    pub fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = allowed.into();
        self
    }

    /// Adds how to correct it.
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

/// A value that was read, with its place, for error messages.
#[derive(Clone, PartialEq, Debug)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Its place: a range of bytes of the text.
    pub span: Range<usize>,
}

/// The most faults that are reported for one file.
pub(crate) const FAULTS_MAX: usize = 50;
