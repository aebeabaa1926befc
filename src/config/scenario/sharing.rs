//! `[sharing]`: how the vGPUs or processes of one card take turns, and which card each goes to.
//!
//! What a setting does is `gpu::turns`' affair. A key without effect is refused: it would mislead
//! whoever wrote it.

use super::sharing_keys::{ROUND_ROBIN, Sharing, ids, known_policies};
use crate::config::text::{Diagnostic, Problems, Reader, Value};
use crate::gpu::policy_entry;
use crate::layout::fit::SizeMode;
use crate::layout::registry::{self, RegistryWord};
use crate::spec::{
    GpuSpec, HardwareTurns, IdleRule, InstanceSharing, MixedSize, SlicePolicy, SwitchTimes,
    TimeSlicing, TurnOrder, TurnsOf, VgpuType,
};
use crate::units::SimDuration;

/// The keys that a registry word sets.
const WORDED: [&str; 5] = ["policy", "slice", "frequency", "order", "averaging_factor"];

/// The keys of software turns only.
const NOT_BEST_EFFORT: [&str; 7] =
    ["slice", "frequency", "order", "averaging_factor", "idle", "cap_window", "slice_floor"];

/// Whether a GPU has mixed-size mode, as far as is known: not where it has types and none of them has.
fn has_mixed_size(gpu: &GpuSpec) -> bool {
    let has_mode = |vgpu: &VgpuType| vgpu.mixed_size != MixedSize::Unsupported;
    gpu.vgpu_types.is_empty() || gpu.vgpu_types.iter().any(has_mode)
}

impl Sharing {
    /// Reads the table. Faulty keys leave the default.
    pub(crate) fn read(mut table: Reader<'_>) -> Sharing {
        let mut sharing = Sharing::given(&mut table);
        let is_known = match table.get("registry") {
            Some(value) => {
                refuse_beside_registry(&mut table);
                WORDED.iter().for_each(|key| table.stands_for(key, &value));
                sharing.registry.take().map(|word| sharing.obey(&word)).is_some()
            }
            None => sharing.settle(&mut table),
        };
        if let IdleRule::SkippedAndCapped { window } = &mut sharing.idle {
            *window = sharing.cap_window;
        }
        if let Some(value) = table.get("compute_timeslice").filter(|_| table.has("hardware_slice"))
        {
            let diagnostic = value.wrong("conflicts with `hardware_slice`");
            value.report(diagnostic.help("drop one: both are the length of a turn"));
        }
        if is_known {
            sharing.refuse_what_is_without_effect(&mut table);
        }
        table.finish();
        sharing
    }

    /// How the vGPUs of a card take turns when their type has `slots_max` on a card.
    pub(crate) fn of_vgpus(&self, gpu: &GpuSpec, slots_max: u32) -> InstanceSharing {
        if self.policy == SlicePolicy::BestEffort {
            return InstanceSharing::BestEffort(self.best_effort(gpu));
        }
        InstanceSharing::Vgpus(TimeSlicing {
            policy: self.policy,
            slots_max,
            slice: self.slice.unwrap_or_else(|| registry::default_slice(self.order, slots_max)),
            order: self.order,
            idle: self.idle,
            overshoot: self.overshoot,
            switch_cost: self.cost(gpu),
            slice_floor: self.slice_floor,
        })
    }

    /// Time to pass the GPU to another vGPU.
    fn cost(&self, gpu: &GpuSpec) -> SimDuration {
        self.switch_cost.map_or(gpu.switch_cost.value.value, |times| times.whole())
    }

    /// Best effort: the hardware's turns. Lengths and costs are what is published of vGPUs, where no
    /// figure tells what a switch is made of: it takes the same whoever is stopped.
    fn best_effort(&self, gpu: &GpuSpec) -> HardwareTurns {
        let slice = self.hardware_slice.unwrap_or(gpu.time_slice_best_effort.value);
        let published = SwitchTimes::always(gpu.switch_cost.value.value);
        HardwareTurns {
            slice,
            renewal: slice,
            switch: self.switch_cost.unwrap_or(published),
            overshoot: self.overshoot,
            of: self.turns,
        }
    }

    /// How processes take turns: the hardware's, without a hypervisor.
    pub(crate) fn of_processes(&self, gpu: &GpuSpec) -> InstanceSharing {
        let measured = &gpu.process_turns.value;
        let own = self.compute_timeslice.or(self.hardware_slice);
        InstanceSharing::Processes(HardwareTurns {
            slice: own.unwrap_or(measured.slice),
            renewal: own.unwrap_or(measured.renewal),
            switch: self.switch_cost.unwrap_or(measured.switch),
            overshoot: self.overshoot,
            of: TurnsOf::Process,
        })
    }

    /// The rules that need to know the GPUs.
    pub(crate) fn check(&self, gpus: &[&GpuSpec], problems: &Problems) {
        self.check_vgpu_mode(gpus, problems);
        self.replicas.iter().for_each(|replicas| replicas.check(gpus, problems));
        gpus.iter().for_each(|gpu| self.check_times(gpu, problems));
    }

    /// The same on cards of one of the GPUs: what has no mixed-size mode stays in the other.
    pub(crate) fn on(&self, gpu: &GpuSpec) -> Sharing {
        match has_mixed_size(gpu) {
            true => self.clone(),
            false => Sharing { vgpu_mode: SizeMode::Equal, ..self.clone() },
        }
    }

    fn check_times(&self, gpu: &GpuSpec, problems: &Problems) {
        let own = self.compute_timeslice.or(self.hardware_slice);
        let slice =
            own.unwrap_or(gpu.time_slice_best_effort.value.min(gpu.process_turns.value.slice));
        if let (Some(switch), Some(spot)) = (self.switch_cost, self.spot("switch_cost"))
            && switch.restore * 2 > slice
        {
            let title = format!(
                "`restore` of {} takes more than half of a slice of {slice}",
                switch.restore
            );
            problems.push(Diagnostic::at(spot, title).allowed("at most half of a slice"));
        }
        // Polling at no cost would never pass time.
        let cost = self.cost(gpu);
        if let (IdleRule::Polled, Some(spot)) = (self.idle, self.spot("idle"))
            && cost == SimDuration::ZERO
        {
            let title = "polled idle turns need a switch cost: visiting idle owners for nothing takes no time at all";
            let help = "write switch_cost above 0, or another idle rule";
            problems.push(Diagnostic::at(spot, title).help(help));
        }
    }

    /// The rules that need to know who shares: a key without effect misleads whoever wrote it.
    pub(crate) fn check_processes(
        &self,
        (any, in_turns, nothing_else): (bool, bool, bool),
        problems: &Problems,
    ) {
        let spot = |key: &'static str| Some((key, self.spot(key)?));
        for (key, spot) in ["replicas", "compute_timeslice"].into_iter().filter_map(spot) {
            let (without, help) = match key {
                _ if !any => {
                    ("without processes", "write process = \"time-slicing\" or \"mps\" in a [[vm]]")
                }
                "compute_timeslice" if !in_turns => ("under MPS", "drop the key: MPS has no turns"),
                _ => continue,
            };
            let title = format!("`sharing.{key}` has no effect {without}");
            problems.push(Diagnostic::at(spot, title).help(help));
        }
        let of_vgpus = ["policy", "registry", "turns"].into_iter().filter(|_| nothing_else && any);
        for (key, spot) in of_vgpus.filter_map(spot) {
            let title = format!("`sharing.{key}` has no effect without vGPUs");
            let help = "drop the key: processes take turns by the hardware's ring";
            problems.push(Diagnostic::at(spot, title).help(help));
        }
    }

    /// Mixed-size mode needs a GPU that has it, and a policy other than fixed share.
    fn check_vgpu_mode(&self, gpus: &[&GpuSpec], problems: &Problems) {
        let Some(spot) = self.spot("vgpu_mode").filter(|_| self.vgpu_mode == SizeMode::Mixed)
        else {
            return;
        };
        if !gpus.iter().any(|gpu| has_mixed_size(gpu)) {
            let title = match gpus {
                [gpu] => format!("GPU {} has no mixed-size mode", gpu.id),
                _ => format!("none of {} has a mixed-size mode", ids(gpus)),
            };
            problems.push(Diagnostic::at(spot, title).allowed("equal-size"));
        } else if self.policy == SlicePolicy::FixedShare {
            let title = "mixed-size mode does not support fixed share";
            let diagnostic = Diagnostic::at(spot, title);
            let diagnostic = diagnostic.allowed("policy = \"best-effort\" or \"equal-share\"");
            let source = "NVIDIA AI Enterprise User Guide v5.0, mixed-size mode";
            problems.push(diagnostic.note("source", source));
        }
    }

    /// Takes over the settings of a registry word.
    fn obey(&mut self, word: &RegistryWord) {
        self.policy = word.policy;
        self.slice = word.slice.length();
        self.order = word.order.unwrap_or(ROUND_ROBIN);
    }

    /// Settles the keys that a registry word would set; whether the policy is known.
    fn settle(&mut self, table: &mut Reader<'_>) -> bool {
        if let Some(value) = table.get("frequency") {
            if table.has("slice") {
                let diagnostic = value.wrong("conflicts with `slice`");
                value.report(diagnostic.help("drop one: a slice is 1 / frequency"));
            }
            table.stands_for("slice", &value);
        }
        self.slice = self.slice.or(self.frequency.map(registry::slice_of_frequency));
        if let TurnOrder::RoundRobin { averaging_factor } = &mut self.order {
            *averaging_factor = self.averaging_factor;
        }
        let is_known = |value: &Value<'_>| known_policies().any(|(word, _)| value.is_word(word));
        table.get("policy").is_none_or(|value| is_known(&value))
    }

    fn refuse_what_is_without_effect(&self, table: &mut Reader<'_>) {
        let parts = table.get("switch_cost").filter(Value::is_table);
        let refuse = |key: &str, why: &str, help: &str| {
            if table.has(key) {
                let title = format!("`sharing.{key}` has no effect {why}");
                table.report(Diagnostic::at(&table.spot_of(key), title).help(help));
            }
        };
        if self.policy == SlicePolicy::BestEffort {
            let hardware = "best effort hands out the hardware's slices, which no setting of the hypervisor changes: write policy = \"equal-share\" or \"fixed-share\", or try `hardware_slice`";
            let other = "drop the key, or write policy = \"equal-share\" or \"fixed-share\"";
            for key in
                NOT_BEST_EFFORT.iter().filter(|key| !table.has("registry") || !WORDED.contains(key))
            {
                let help = if matches!(*key, "slice" | "frequency") { hardware } else { other };
                refuse(key, "under best effort", help);
            }
            return;
        }
        let under = match self.policy.is_of_driver() {
            true => "under equal and fixed share".to_string(),
            false => format!("under policy \"{}\"", policy_entry(self.policy).name),
        };
        refuse("hardware_slice", &under, "write `slice`");
        let help = "drop the key: the hypervisor schedules vGPUs, whatever processes are in them";
        refuse("turns", &under, help);
        if let Some(value) = parts {
            let title = "the hypervisor's turns know one cost of a switch, not its parts";
            let help = "write switch_cost = \"0.2 ms\", or policy = \"best-effort\"";
            value.report(Diagnostic::at(&value.spot(), title).help(help));
        }
        if self.order == TurnOrder::LeastRunTime {
            let (why, help) =
                ("in the order of least run time", "drop the key: this order repays nothing");
            if !table.has("registry") {
                refuse("averaging_factor", why, help);
            }
            refuse("slice_floor", why, help);
            if self.idle == IdleRule::Polled {
                refuse("idle", why, "write order = \"round-robin\", or another idle rule");
            }
        }
        if !matches!(self.idle, IdleRule::SkippedAndCapped { .. }) {
            refuse(
                "cap_window",
                "without a cap",
                "drop the key, or write idle = \"skipped-and-capped\"",
            );
        }
    }
}

fn refuse_beside_registry(table: &mut Reader<'_>) {
    for key in WORDED {
        if let Some(value) = table.get(key) {
            let diagnostic = value.wrong("conflicts with `registry`, which sets it");
            value.report(diagnostic.help("drop one of them"));
        }
    }
}
