//! The keys of `[sharing]`: what each is. Rules between them are in `sharing`.

use crate::config::keys::forms::{Form, choice, count, own, within, word_or};
use crate::config::keys::keys;
use crate::config::keys::shape::{Shape, either, quantity, table_of, text, whole};
use crate::config::text::{Diagnostic, Problems, Spot, Value};
use crate::gpu::policies;
use crate::layout::fit::SizeMode;
use crate::layout::placement::Assignment;
use crate::layout::registry::{
    self, AVERAGING_FACTOR, AVERAGING_FACTOR_DEFAULT, FREQUENCY_HZ, RegistryWord,
};
use crate::spec::{GpuSpec, IdleRule, Overshoot, SlicePolicy, SwitchTimes, TurnOrder, TurnsOf};
use crate::suggest::quoted;
use crate::units::{Share, SimDuration};

keys! {
    /// How the vGPUs or processes of one card take turns, as far as the file says it.
    pub(crate) struct Sharing {
        /// Which card a vGPU goes to: `consolidate` fills card after card, `spread` takes the
        /// emptiest first.
        assignment: Assignment = choice("assignment", ASSIGNMENTS), default Assignment::Consolidate;
        /// vGPUs of one size on a card, or of several.
        vgpu_mode: SizeMode = choice("vGPU mode", VGPU_MODES), default SizeMode::Equal;
        /// The host's registry word RmPVMRL, such as `"0x0103F001"`, instead of the keys it sets.
        registry: RegistryWord = own(word_of, word_shape);
        /// Which vGPUs are offered a turn.
        policy: SlicePolicy = choice("time-slice policy", known_policies()), default SlicePolicy::BestEffort;
        /// Length of a turn.
        slice: SimDuration = within("1 ms to 30 ms"), or "by the vGPU type's maximum per card";
        /// Turns per second, instead of `slice`.
        frequency: u32 = count(FREQUENCY_HZ, " Hz");
        /// Order of turns; `least-run-time` is the non-strict order, without repayment.
        order: TurnOrder = choice("order of turns", ORDERS), default ROUND_ROBIN;
        /// Number of slices over which overshoot is repaid.
        averaging_factor: u32 = count(AVERAGING_FACTOR, ""), default AVERAGING_FACTOR_DEFAULT;
        /// Length of a turn under best effort.
        hardware_slice: SimDuration = within("0.1 ms to 30 ms"), or "the GPU's";
        /// Who has turns of its own under best effort, where a VM's server is several processes.
        turns: TurnsOf = choice("owner of turns", TURNS_OF), default TurnsOf::Vm;
        /// What happens to the turn of an idle VM.
        idle: IdleRule = choice("idle rule", IDLE_RULES), default IdleRule::Burned;
        /// Window of the cap of `skipped-and-capped`.
        cap_window: SimDuration = within("1 ms to 10 s"), or "one round";
        /// Time that a turn may run past its end; `batch`: until the running batch ends.
        overshoot: Overshoot = overshoot(), default Overshoot::None;
        /// Time to switch the GPU to another VM; for the hardware's turns also a table of its parts.
        switch_cost: SwitchTimes = own(switch_times, switch_shape), or "the GPU's";
        /// Least part of a slice that repayment leaves.
        slice_floor: Share = within("above 0, at most 100 % of a slice"), default a_tenth();
        /// Replicas per card for processes; as a table: of whole cards (`gpu`) and of GPU instances
        /// by profile.
        replicas: Replicas = own(Replicas::read, replicas_shape), or "as many as there are processes";
        /// Length of a process's turn, as set by `nvidia-smi compute-policy`.
        compute_timeslice: Option<SimDuration> =
            choice("compute time slice", COMPUTE_TIMESLICES), default None;
    }
}

keys! {
    /// The parts of `switch_cost`.
    struct SwitchParts {
        /// What every switch takes.
        dry: SimDuration = within(SWITCH), needed A_SWITCH;
        /// What is added where the old holder is stopped within a launch.
        save: SimDuration = within(SWITCH), needed A_SWITCH;
        /// What the new holder's slice loses where its stopped launch goes on.
        restore: SimDuration = within(SWITCH), needed A_SWITCH;
    }
}

pub(crate) const ORDERS: [(&str, TurnOrder); 2] =
    [("round-robin", ROUND_ROBIN), ("least-run-time", TurnOrder::LeastRunTime)];
pub(crate) const ROUND_ROBIN: TurnOrder =
    TurnOrder::RoundRobin { averaging_factor: registry::AVERAGING_FACTOR_DEFAULT };

const TURNS_OF: [(&str, TurnsOf); 2] =
    [(TurnsOf::Vm.word(), TurnsOf::Vm), (TurnsOf::Process.word(), TurnsOf::Process)];

pub(crate) const IDLE_RULES: [(&str, IdleRule); 4] = [
    ("burned", IdleRule::Burned),
    ("rest-burned", IdleRule::RestBurned),
    ("skipped-and-capped", IdleRule::SkippedAndCapped { window: None }),
    ("polled", IdleRule::Polled),
];

pub(super) const ASSIGNMENTS: [(&str, Assignment); 2] =
    [("consolidate", Assignment::Consolidate), ("spread", Assignment::Spread)];

const VGPU_MODES: [(&str, SizeMode); 2] =
    [("equal-size", SizeMode::Equal), ("mixed-size", SizeMode::Mixed)];

/// The slices of `nvidia-smi compute-policy --set-timeslice`, nothing for the GPU's own. NVIDIA
/// publishes no times: 2, 10 and 30 ms are assumed, after a course of Red Hat's that names them.
const COMPUTE_TIMESLICES: [(&str, Option<SimDuration>); 4] = [
    ("default", None),
    ("short", Some(SimDuration::from_millis(2))),
    ("medium", Some(SimDuration::from_millis(10))),
    ("long", Some(SimDuration::from_millis(30))),
];

/// The most replicas per card.
const REPLICAS_MAX: u32 = 1024;

/// The form of `overshoot`.
pub(crate) fn overshoot() -> Form<Overshoot> {
    let words = &[("none", Overshoot::None), ("batch", Overshoot::Batch)];
    word_or(words, "none, batch, or a time from 0 to 1 s", Overshoot::Constant, |one| match one {
        Overshoot::Constant(span) => Some(*span),
        Overshoot::None | Overshoot::Batch => None,
    })
}

const SWITCH: &str = "0 to 10 ms";

const A_SWITCH: &str =
    "a switch is { dry = \"0.14 ms\", save = \"0.03 ms\", restore = \"0.03 ms\" }";

/// The time-slice policies by name.
pub(crate) fn known_policies() -> impl Iterator<Item = (&'static str, SlicePolicy)> {
    policies().into_iter().map(|entry| (entry.name, entry.policy))
}

fn a_tenth() -> Share {
    Share::new(0.1).expect("a share")
}

/// `"0.2 ms"`, or `{ dry = "0.14 ms", save = "0.03 ms", restore = "0.03 ms" }`.
pub(super) fn switch_times(value: &Value<'_>) -> Option<SwitchTimes> {
    if !value.is_table() {
        return (within(SWITCH).read)(value).map(SwitchTimes::always);
    }
    let mut table = value.table()?;
    let SwitchParts { dry, save, restore, .. } = SwitchParts::given(&mut table);
    table.finish();
    Some(SwitchTimes { dry: dry?, save: save?, restore: restore? })
}

pub(super) fn switch_shape() -> Shape {
    either([quantity::<SimDuration>(), SwitchParts::shape()])
}

/// A number for all, or one for whole cards (`gpu`) and for GPU instances of each profile.
fn replicas_shape() -> Shape {
    either([whole(1..=REPLICAS_MAX), table_of(whole(1..=REPLICAS_MAX))])
}

fn word_shape() -> Shape {
    either([text().such_as(["0x0103F001"]), whole(0..=u32::MAX)])
}

/// Replicas of what processes share; nothing for as many as there are processes.
#[derive(Clone, Debug)]
pub(crate) struct Replicas {
    /// Of everything.
    all: Option<u32>,
    /// Of whole cards (`gpu`) and of GPU instances by profile, each with its place in the file.
    each: Vec<(String, u32, Spot)>,
}

impl Replicas {
    /// `10`, or `{ gpu = 8, "1g.5gb" = 2 }`.
    fn read(value: &Value<'_>) -> Option<Replicas> {
        let count = |value: &Value<'_>| value.count(1..=REPLICAS_MAX, SIMULATED);
        if !value.is_table() {
            return Some(Replicas { all: Some(count(value)?), each: Vec::new() });
        }
        let mut table = value.table()?;
        let entries = table.entries().into_iter();
        let each = entries.filter_map(|(name, value)| Some((name, count(&value)?, value.spot())));
        let each = each.collect();
        table.finish();
        Some(Replicas { all: None, each })
    }

    /// Those of a GPU instance profile, or of whole cards.
    pub(crate) fn of(&self, profile: Option<&str>) -> Option<u32> {
        let name = profile.unwrap_or(WHOLE);
        let own = self.each.iter().find(|(known, _, _)| known == name);
        own.map(|(_, count, _)| *count).or(self.all)
    }

    /// Reports names of what no GPU has.
    pub(crate) fn check(&self, gpus: &[&GpuSpec], problems: &Problems) {
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

/// The ids of GPUs, in one line.
pub(crate) fn ids(gpus: &[&GpuSpec]) -> String {
    gpus.iter().map(|gpu| gpu.id.as_str()).collect::<Vec<_>>().join(", ")
}

/// What whole cards are called among the replicas.
const WHOLE: &str = "gpu";

/// The unit of replicas, with whose limit it is.
const SIMULATED: &str = " replicas, the most that slicewise simulates";

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
