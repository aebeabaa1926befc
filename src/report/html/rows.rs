//! Rows of the tables of a run: a VM with its run, and how near its bound it is.

use crate::study::{RunResult, VmResult};

/// A VM with its run.
pub(super) type Of<'r> = (&'r RunResult, &'r VmResult);

/// How far p99, or the percentile that is judged, is beyond the bound.
pub(super) fn badness(vm: &VmResult) -> f64 {
    if vm.tokens.is_some() {
        return vm.lateness();
    }
    let judged = if vm.load.percentile > 99.0 { vm.latency_ms.p999 } else { vm.latency_ms.p99 };
    vm.badness(judged)
}
