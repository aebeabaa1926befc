//! `[sharing]`: how the vGPUs or processes of one card take turns, and which card each goes to.
//!
//! What a setting does is `gpu::turns`' affair. A key that would be without effect is refused: it
//! misleads whoever wrote it.

use crate::config::text::{Diagnostic, Problems, Reader, Spot, Value};
use crate::gpu::{policies, policy_entry};
use crate::layout::fit::SizeMode;
use crate::layout::placement::Assignment;
use crate::layout::registry::{self, AVERAGING_FACTOR, FREQUENCY_HZ, RegistryWord};
use crate::spec::{
    GpuSpec, HardwareTurns, IdleRule, InstanceSharing, MixedSize, Overshoot, SlicePolicy,
    SwitchTimes, TimeSlicing, TurnOrder, TurnsOf, VgpuType,
};
use crate::suggest::quoted;
use crate::units::{Share, SimDuration};

const MS: SimDuration = SimDuration::from_millis(1);

pub(crate) const ORDERS: [(&str, TurnOrder); 2] =
    [("round-robin", ROUND_ROBIN), ("least-run-time", TurnOrder::LeastRunTime)];
const ROUND_ROBIN: TurnOrder =
    TurnOrder::RoundRobin { averaging_factor: registry::AVERAGING_FACTOR_DEFAULT };

pub(crate) const TURNS_OF: [(&str, TurnsOf); 2] =
    [(TurnsOf::Vm.word(), TurnsOf::Vm), (TurnsOf::Process.word(), TurnsOf::Process)];

pub(crate) const IDLE_RULES: [(&str, IdleRule); 4] = [
    ("burned", IdleRule::Burned),
    ("rest-burned", IdleRule::RestBurned),
    ("skipped-and-capped", IdleRule::SkippedAndCapped { window: None }),
    ("polled", IdleRule::Polled),
];

pub(crate) const ASSIGNMENTS: [(&str, Assignment); 2] =
    [("consolidate", Assignment::Consolidate), ("spread", Assignment::Spread)];

pub(crate) const VGPU_MODES: [(&str, SizeMode); 2] =
    [("equal-size", SizeMode::Equal), ("mixed-size", SizeMode::Mixed)];

/// The slices of `nvidia-smi compute-policy --set-timeslice`, nothing for the GPU's own. NVIDIA
/// publishes no times: 2, 10 and 30 ms are assumed, after a course of Red Hat's that names them.
pub(crate) const COMPUTE_TIMESLICES: [(&str, Option<SimDuration>); 4] = [
    ("default", None),
    ("short", Some(SimDuration::from_millis(2))),
    ("medium", Some(SimDuration::from_millis(10))),
    ("long", Some(SimDuration::from_millis(30))),
];

/// As most so many replicas a card is advertised.
pub(crate) const REPLICAS_MAX: u32 = 1024;

/// What a registry word says, so that no key may say it again.
const WORDED: [&str; 5] = ["policy", "slice", "frequency", "order", "averaging_factor"];

/// What only the software's turns have.
const NOT_BEST_EFFORT: [&str; 7] =
    ["slice", "frequency", "order", "averaging_factor", "idle", "cap_window", "slice_floor"];

/// How the vGPUs of one card take turns, as far as the file says it.
#[derive(Clone, Debug)]
pub(crate) struct Sharing {
    pub(crate) assignment: Assignment,
    /// Whether cards may hold vGPUs of several sizes.
    pub(crate) vgpu_mode: SizeMode,
    pub(crate) policy: SlicePolicy,
    /// Length of a turn; nothing for the vGPU type's default.
    pub(crate) slice: Option<SimDuration>,
    /// Length of a turn under best effort; nothing for the GPU's.
    pub(crate) hardware_slice: Option<SimDuration>,
    pub(crate) order: TurnOrder,
    /// Who has turns of its own under best effort.
    pub(crate) turns: TurnsOf,
    pub(crate) idle: IdleRule,
    pub(crate) overshoot: Overshoot,
    /// Nothing for the GPU's.
    pub(crate) switch_cost: Option<SwitchTimes>,
    pub(crate) slice_floor: Share,
    /// As how many replicas a card, or a GPU instance, is advertised to processes.
    pub(crate) replicas: Replicas,
    /// Length of a process's turn by the compute policy; nothing for the GPU's.
    compute_timeslice: Option<SimDuration>,
    /// Where the cost of a switch stands, if the file has one.
    switch_spot: Option<Spot>,
    /// Whether it is written by its parts.
    has_switch_parts: bool,
    /// Where the idle rule stands, if the file has one.
    idle_spot: Option<Spot>,
    /// Where the mode of vGPUs stands, if the file has one.
    vgpu_mode_spot: Option<Spot>,
    /// Where the keys stand that only processes have, and those that only vGPUs have.
    process_spots: Vec<(&'static str, Spot)>,
    vgpu_spots: Vec<(&'static str, Spot)>,
}

/// As how many replicas what processes share is advertised: nothing for as many as come.
#[derive(Clone, Default, Debug)]
pub(crate) struct Replicas {
    /// Of everything.
    all: Option<u32>,
    /// Of whole cards (`gpu`) and of GPU instances by profile, each with its place in the file.
    each: Vec<(String, u32, Spot)>,
}

impl Replicas {
    /// `10`, or `{ gpu = 8, "1g.5gb" = 2 }`.
    fn read(value: &Value<'_>) -> Replicas {
        let count = |value: &Value<'_>| value.count(1..=REPLICAS_MAX, SIMULATED);
        if !value.is_table() {
            return Replicas { all: count(value), each: Vec::new() };
        }
        let Some(mut table) = value.table() else { return Replicas::default() };
        let entries = table.entries().into_iter();
        let each = entries.filter_map(|(name, value)| Some((name, count(&value)?, value.spot())));
        let each = each.collect();
        table.finish();
        Replicas { all: None, each }
    }

    /// Those of a GPU instance profile, or of whole cards.
    pub(crate) fn of(&self, profile: Option<&str>) -> Option<u32> {
        let name = profile.unwrap_or(WHOLE);
        let own = self.each.iter().find(|(known, _, _)| known == name);
        own.map(|(_, count, _)| *count).or(self.all)
    }

    /// Reports names of what no GPU has.
    fn check(&self, gpus: &[&GpuSpec], problems: &Problems) {
        for (name, _, spot) in &self.each {
            if name == WHOLE || gpus.iter().any(|gpu| gpu.mig_profile(name).is_some()) {
                continue;
            }
            let profiles = gpus.iter().flat_map(|gpu| &gpu.mig_profiles);
            let mut names = vec![WHOLE];
            for profile in profiles {
                if !names.contains(&profile.name.as_str()) {
                    names.push(&profile.name);
                }
            }
            let title = match gpus {
                [gpu] => format!("replicas of {}, which {} has not", quoted(name), gpu.id),
                _ => format!("replicas of {}, which none of {} has", quoted(name), ids(gpus)),
            };
            let diagnostic = Diagnostic::at(spot, title).allowed(names.join(", "));
            problems.push(diagnostic.did_you_mean(crate::config::nearest(name, names)));
        }
    }
}

/// Whether a GPU has mixed-size mode, as far as is known: not where it has types and none of them has.
fn has_mixed_size(gpu: &GpuSpec) -> bool {
    let has_mode = |vgpu: &VgpuType| vgpu.mixed_size != MixedSize::Unsupported;
    gpu.vgpu_types.is_empty() || gpu.vgpu_types.iter().any(has_mode)
}

fn ids(gpus: &[&GpuSpec]) -> String {
    gpus.iter().map(|gpu| gpu.id.as_str()).collect::<Vec<_>>().join(", ")
}

/// What whole cards are called among the replicas.
const WHOLE: &str = "gpu";

/// The unit of replicas, with whose limit it is.
const SIMULATED: &str = " replicas, the most that slicewise simulates";

impl Default for Sharing {
    fn default() -> Self {
        Self {
            assignment: Assignment::default(),
            vgpu_mode: SizeMode::Equal,
            policy: SlicePolicy::BestEffort,
            slice: None,
            hardware_slice: None,
            order: ROUND_ROBIN,
            turns: TurnsOf::Vm,
            idle: IdleRule::Burned,
            overshoot: Overshoot::None,
            switch_cost: None,
            slice_floor: Share::new(0.1).expect("a share"),
            replicas: Replicas::default(),
            compute_timeslice: None,
            switch_spot: None,
            has_switch_parts: false,
            idle_spot: None,
            vgpu_mode_spot: None,
            process_spots: Vec::new(),
            vgpu_spots: Vec::new(),
        }
    }
}

impl Sharing {
    /// Reads the table. Faulty keys leave the default.
    pub(crate) fn read(mut table: Reader<'_>) -> Sharing {
        let mut sharing = Sharing::default();
        let assignment = table.get("assignment");
        set(
            &mut sharing.assignment,
            assignment.and_then(|value| value.choice("assignment", &ASSIGNMENTS)),
        );
        if let Some(value) = table.get("vgpu_mode") {
            set(&mut sharing.vgpu_mode, value.choice("vGPU mode", &VGPU_MODES));
            sharing.vgpu_mode_spot = Some(value.spot());
        }
        let known = match table.get("registry") {
            Some(value) => {
                refuse_beside_registry(&mut table);
                WORDED.iter().for_each(|key| table.stands_for(key, &value));
                word_of(&value).map(|word| sharing.obey(&word)).is_some()
            }
            None => sharing.read_policy(&mut table),
        };
        sharing.read_turns(&mut table);
        sharing.read_processes(&mut table);
        if known {
            sharing.refuse_what_is_without_effect(&table);
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
        self.replicas.check(gpus, problems);
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
        if let (Some(switch), Some(spot)) = (self.switch_cost, &self.switch_spot)
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
        if let (IdleRule::Polled, Some(spot)) = (self.idle, &self.idle_spot)
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
        for (key, spot) in &self.process_spots {
            let (without, help) = match *key {
                _ if !any => {
                    ("without processes", "write process = \"time-slicing\" or \"mps\" in a [[vm]]")
                }
                "compute_timeslice" if !in_turns => ("under MPS", "drop the key: MPS has no turns"),
                _ => continue,
            };
            let title = format!("`sharing.{key}` has no meaning {without}");
            problems.push(Diagnostic::at(spot, title).help(help));
        }
        for (key, spot) in self.vgpu_spots.iter().filter(|_| nothing_else && any) {
            let title = format!("`sharing.{key}` has no meaning without vGPUs");
            let help = "drop the key: processes take turns by the hardware's ring";
            problems.push(Diagnostic::at(spot, title).help(help));
        }
    }

    /// Mixed-size mode needs a GPU that has it, and a policy other than fixed share.
    fn check_vgpu_mode(&self, gpus: &[&GpuSpec], problems: &Problems) {
        let Some(spot) = self.vgpu_mode_spot.as_ref().filter(|_| self.vgpu_mode == SizeMode::Mixed)
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

    /// Takes over what a registry word says.
    fn obey(&mut self, word: &RegistryWord) {
        self.policy = word.policy;
        self.slice = word.slice.length();
        self.order = word.order.unwrap_or(ROUND_ROBIN);
    }

    /// Reads what a registry word would say; whether the policy is known.
    fn read_policy(&mut self, table: &mut Reader<'_>) -> bool {
        let policies: Vec<_> =
            policies().into_iter().map(|entry| (entry.name, entry.policy)).collect();
        let policy = table
            .get("policy")
            .map_or(Some(self.policy), |value| value.choice("time-slice policy", &policies));
        self.policy = policy.unwrap_or(SlicePolicy::EqualShare);
        let slice = table.get("slice");
        let range = |span: &SimDuration| (MS..=MS * 30).contains(span);
        self.slice = slice.and_then(|value| value.bounded(range, "1 ms to 30 ms"));
        let frequency = table.get("frequency").and_then(|value| value.count(FREQUENCY_HZ, " Hz"));
        if table.has("slice") && table.has("frequency") {
            let title = "`sharing.frequency` stands beside `slice`";
            let help = "drop one: a slice is 1 / frequency";
            table.report(Diagnostic::at(&table.spot_of("frequency"), title).help(help));
        }
        if let Some(value) = table.get("frequency") {
            table.stands_for("slice", &value);
        }
        self.slice = self.slice.or(frequency.map(registry::slice_of_frequency));
        let order = table.get("order").and_then(|value| value.choice("order of turns", &ORDERS));
        set(&mut self.order, order);
        let factor = table.get("averaging_factor");
        let factor = factor.and_then(|value| value.count(AVERAGING_FACTOR, ""));
        if let (TurnOrder::RoundRobin { averaging_factor }, Some(factor)) =
            (&mut self.order, factor)
        {
            *averaging_factor = factor;
        }
        policy.is_some()
    }

    /// Reads what no registry word says.
    fn read_turns(&mut self, table: &mut Reader<'_>) {
        let hardware =
            |span: &SimDuration| (SimDuration::from_micros(100)..=MS * 30).contains(span);
        self.hardware_slice = table
            .get("hardware_slice")
            .and_then(|value| value.bounded(hardware, "0.1 ms to 30 ms"));
        let turns = table.get("turns").and_then(|value| value.choice("owner of turns", &TURNS_OF));
        set(&mut self.turns, turns);
        if let Some(value) = table.get("idle") {
            set(&mut self.idle, value.choice("idle rule", &IDLE_RULES));
            self.idle_spot = Some(value.spot());
        }
        let range = |span: &SimDuration| (MS..=MS * 10_000).contains(span);
        let window = table.get("cap_window");
        let window = window.and_then(|value| value.bounded(range, "1 ms to 10 s"));
        if let (IdleRule::SkippedAndCapped { window: slot }, Some(_)) = (&mut self.idle, window) {
            *slot = window;
        }
        set(&mut self.overshoot, table.get("overshoot").and_then(|value| overshoot(&value)));
        if let Some(value) = table.get("switch_cost") {
            self.switch_cost = switch_times(&value);
            self.switch_spot = Some(value.spot());
            self.has_switch_parts = value.is_table();
        }
        let range = |share: &Share| *share > Share::NONE;
        let floor = table.get("slice_floor");
        set(
            &mut self.slice_floor,
            floor.and_then(|value| value.bounded(range, "above 0, at most 100 % of a slice")),
        );
    }

    /// Reads what only processes have.
    fn read_processes(&mut self, table: &mut Reader<'_>) {
        if let Some(value) = table.get("replicas") {
            self.replicas = Replicas::read(&value);
            self.process_spots.push(("replicas", value.spot()));
        }
        if let Some(value) = table.get("compute_timeslice") {
            let slice = value.choice("compute time slice", &COMPUTE_TIMESLICES);
            self.compute_timeslice = slice.flatten();
            self.process_spots.push(("compute_timeslice", value.spot()));
            if table.has("hardware_slice") {
                let diagnostic = value.wrong("stands beside `hardware_slice`");
                value.report(diagnostic.help("drop one: both are the length of a turn"));
            }
        }
        let of_vgpus = ["policy", "registry", "turns"].into_iter().filter(|key| table.has(key));
        self.vgpu_spots = of_vgpus.map(|key| (key, table.spot_of(key))).collect();
    }

    fn refuse_what_is_without_effect(&self, table: &Reader<'_>) {
        let refuse = |key: &str, why: &str, help: &str| {
            if table.has(key) {
                let title = format!("`sharing.{key}` has no meaning {why}");
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
        if let Some(spot) = self.switch_spot.as_ref().filter(|_| self.has_switch_parts) {
            let title = "the hypervisor's turns know one cost of a switch, not its parts";
            let help = "write switch_cost = \"0.2 ms\", or policy = \"best-effort\"";
            table.report(Diagnostic::at(spot, title).help(help));
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

/// `"0.2 ms"`, or `{ dry = "0.14 ms", save = "0.03 ms", restore = "0.03 ms" }`.
pub(crate) fn switch_times(value: &Value<'_>) -> Option<SwitchTimes> {
    let range = |span: &SimDuration| *span <= MS * 10;
    if !value.is_table() {
        return value.bounded(range, "0 to 10 ms").map(SwitchTimes::always);
    }
    let mut table = value.table()?;
    let mut time = |key: &str| {
        let help = "a switch is { dry = \"0.14 ms\", save = \"0.03 ms\", restore = \"0.03 ms\" }";
        table.need(key, help)?.bounded(range, "0 to 10 ms")
    };
    let (dry, save, restore) = (time("dry"), time("save"), time("restore"));
    table.finish();
    Some(SwitchTimes { dry: dry?, save: save?, restore: restore? })
}

/// `"none"`, `"batch"`, or a time.
fn overshoot(value: &Value<'_>) -> Option<Overshoot> {
    const ALLOWED: &str = "none, batch, or a time from 0 to 1 s";
    match value.is_text().then(|| value.text()).flatten() {
        Some("none") => Some(Overshoot::None),
        Some("batch") => Some(Overshoot::Batch),
        Some(text) if !text.starts_with(|first: char| first.is_ascii_digit()) => {
            value.report(value.wrong(format!("is {}", quoted(text))).allowed(ALLOWED));
            None
        }
        _ => {
            value.bounded(|span: &SimDuration| *span <= MS * 1000, ALLOWED).map(Overshoot::Constant)
        }
    }
}

/// A registry word, as text or as a number.
fn word_of(value: &Value<'_>) -> Option<RegistryWord> {
    let word = if value.is_text() {
        let text = value.text()?;
        match &registry::words(text)[..] {
            [word] => *word,
            [] => {
                let diagnostic =
                    value.wrong(format!("is {}, which is no word of 32 bits", quoted(text)));
                let allowed = "\"0x0\" to \"0xFFFFFFFF\", such as \"0x0103F001\"";
                value.report(diagnostic.allowed(allowed));
                return None;
            }
            several => {
                let words: Vec<String> =
                    several.iter().map(|one| format!("\"{one:#010X}\"")).collect();
                let diagnostic = value.wrong("names several registry words");
                value.report(diagnostic.allowed(format!("one of {}", words.join(", "))));
                return None;
            }
        }
    } else {
        value.count(0..=u32::MAX, "")?
    };
    let decoded = registry::decode(word);
    if decoded.is_none() {
        let title = format!("names policy {} in bits 7:4, which does not exist", (word >> 4) & 15);
        value.report(value.wrong(title).allowed("0 (equal share), 1 (fixed share)"));
    }
    decoded
}

fn refuse_beside_registry(table: &mut Reader<'_>) {
    for key in WORDED {
        if let Some(value) = table.get(key) {
            let diagnostic = value.wrong("stands beside `registry`, which says it already");
            value.report(diagnostic.help("drop one of them"));
        }
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}
