//! The lines of a scenario that an import prints: its head, and a VM for each process.
//!
//! The workload and load of the VMs are a first version, to be edited: the imported files do not
//! state them.

use super::{ImportArgs, Node};
use crate::config::quoted;
use crate::spec::MigProfile;

/// Most VMs of a file that an import writes.
pub(super) const VMS_MAX: u32 = 64;

/// The workload that nobody asked for and every scenario needs.
const USUAL: &str = "bert-99";

/// A scenario that is being written.
pub(super) struct Written {
    workload: String,
    /// What stands on top, line by line: what must be filled in, and what else is worth knowing.
    remarks: Vec<String>,
    text: String,
}

impl Written {
    /// Its head, with the values that must be filled in on top.
    pub(super) fn new(arguments: &ImportArgs, node: &Node<'_>, title: &str, cards: u32) -> Self {
        let known = node.catalogue.workloads_on(&node.gpu.id);
        let workload = match &arguments.workload {
            Some(asked) => asked.clone(),
            None if known.contains(&USUAL) => USUAL.to_string(),
            None => known.first().copied().unwrap_or(USUAL).to_string(),
        };
        let mut remarks = Vec::new();
        if !known.contains(&workload.as_str()) {
            remarks.extend(to_fill_in(&workload, &known, &node.gpu.id));
        }
        let (host, gpu) = (&arguments.host, &node.gpu.id);
        let text = format!(
            "title = {title:?}\nhost = \"{host}\"\ngpus = {{ model = \"{gpu}\", count = {cards} }}\n"
        );
        Self { workload, remarks, text }
    }

    /// Lines as they are.
    pub(super) fn lines(&mut self, lines: &str) {
        self.text.push_str(lines);
    }

    /// A group of equal VMs, and each one's share of the cards. The load is a first version, to be
    /// edited.
    pub(super) fn vms(&mut self, name: &str, count: u32, has: &str) {
        let workload = &self.workload;
        let count = if count == 1 { String::new() } else { format!("count = {count}\n") };
        self.text.push_str(&format!(
            "\n[[vm]]\nname = {name:?}\n{count}vcpus = 2\n{has}\nworkload = \"{workload}\"\nserver = {{ batch_max = 1 }}\nload = {{ scenario = \"server\", target_qps = 10, min_duration = \"60 s\" }}   # yours\n"
        ));
    }

    /// Adds a remark at the top.
    pub(super) fn remark(&mut self, line: &str) {
        if !self.remarks.iter().any(|known| known == line) {
            self.remarks.push(line.to_string());
        }
    }

    /// Adds a remark on values that are missing for a simulation of a GPU instance.
    pub(super) fn needs(&mut self, profile: &MigProfile) {
        let lacks = match profile {
            MigProfile { sms: None, .. } => "SMs",
            MigProfile { frame_buffer: None, .. } => "frame buffer",
            _ => return,
        };
        self.remark(&format!(
            "To fill in: the {lacks} of {} are not published, and `slicewise check` refuses this file",
            profile.name
        ));
        self.remark("until your own GPU file states them (`slicewise show GPU`).");
    }

    /// The scenario.
    pub(super) fn finish(self) -> String {
        let remarks: String = self.remarks.iter().map(|line| format!("# {line}\n")).collect();
        remarks + &self.text
    }
}

/// What stands on top of a scenario that lacks a workload for its GPU.
fn to_fill_in(workload: &str, known: &[&str], gpu: &str) -> [String; 2] {
    let (why, next) = match known {
        [] => (
            format!("no workload of the catalogue has service times on {gpu}"),
            "measure one and put it in a workload file: `slicewise calibrate` makes one from \
             batch times"
                .to_string(),
        ),
        known => (
            format!("the workload {} has no service times on {gpu}", quoted(workload)),
            format!("name one that has: {}", known.join(", ")),
        ),
    };
    [
        format!("To fill in: {why}."),
        format!("Until then `slicewise check` refuses this file. {}.", capital(&next)),
    ]
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
