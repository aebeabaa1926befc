//! `RmPVMRL`: the registry word that sets a host's time-slice policy, by the driver's bits.
//!
//! ```text
//!  bit 0       1: software run lists on; 0: best effort
//!  bit 1       0: strict round robin, adaptive (ARR); 1: the older, non-strict form
//!  bit 3       0: weighted; 1: plain slices (no difference while all weights are alike)
//!  bits 7:4    0: equal share, 1: fixed share
//!  bits 21:12  FFF, frequency in Hz, with ARR only
//!  bits 23:16  TT, slice in ms, without ARR only; overlaps FFF
//!  bits 31:24  AA, averaging factor, with ARR only
//! ```
//! Sources: NVIDIA/open-gpu-kernel-modules 595.45.04, `nvrm_registry.h`; NVIDIA AI Enterprise User
//! Guide v5.0, chapter 7 (ranges, defaults, clamping). It does not know the card: defaults depend
//! on the vGPU type and are resolved by [`default_slice`].

use crate::spec::{SlicePolicy, TurnOrder};
use crate::units::SimDuration;
use std::ops::RangeInclusive;

/// Slices that can be set, in ms.
pub const SLICE_MS: RangeInclusive<u32> = 1..=30;
/// Frequencies that can be set, in Hz.
pub const FREQUENCY_HZ: RangeInclusive<u32> = 63..=960;
/// Averaging factors that can be set.
pub const AVERAGING_FACTOR: RangeInclusive<u32> = 1..=60;
/// The averaging factor when none is set.
pub const AVERAGING_FACTOR_DEFAULT: u32 = 33;

/// The bit of plain slices: without it turns go by weight.
pub const PLAIN_SLICES: u32 = 1 << 3;

/// A decoded word.
#[derive(Clone, PartialEq, Debug)]
pub struct RegistryWord {
    /// The word itself.
    pub word: u32,
    /// The policy.
    pub policy: SlicePolicy,
    /// The order of turns; nothing under best effort, where the hardware decides.
    pub order: Option<TurnOrder>,
    /// The length of a turn.
    pub slice: WordSlice,
    /// Whether turns are weighted (bit 3 clear) or plain slices; there is no difference while all
    /// weights are equal.
    pub is_weighted: bool,
    /// Fields that were out of range.
    pub clamped: Vec<Clamped>,
    /// Points that are easily misread: one sentence each.
    pub notes: Vec<String>,
}

/// The length of a turn as a word states it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WordSlice {
    /// The hardware's own: best effort.
    Hardware,
    /// By the type's maximum: [`default_slice`].
    Default,
    /// This many ms.
    Millis(u32),
    /// 1 over this many Hz.
    Hertz(u32),
}

/// A field that was out of range, and the value that the driver uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clamped {
    /// The field's name.
    pub field: &'static str,
    /// The value in the word.
    pub written: u32,
    /// The value that is used.
    pub used: u32,
    /// The unit, with a space before it, if it has one.
    pub unit: &'static str,
}

impl WordSlice {
    /// The length, unless it is the hardware's or the type's.
    pub fn length(self) -> Option<SimDuration> {
        match self {
            WordSlice::Hardware | WordSlice::Default => None,
            WordSlice::Millis(millis) => Some(SimDuration::from_millis(u64::from(millis))),
            WordSlice::Hertz(hertz) => Some(slice_of_frequency(hertz)),
        }
    }
}

/// The slice for a frequency: 1 over it, whatever the number of vGPUs.
pub fn slice_of_frequency(hertz: u32) -> SimDuration {
    SimDuration::from_secs_f64(1.0 / f64::from(hertz))
}

/// The slice when none is set, of a vGPU type of which a card takes `max_per_gpu`: by frequency,
/// 480 or 960 Hz, in strict round robin, else 2 or 1 ms. The guide contradicts itself for exactly
/// 8; its table is used.
pub fn default_slice(order: TurnOrder, max_per_gpu: u32) -> SimDuration {
    match (order, max_per_gpu <= 8) {
        (TurnOrder::RoundRobin { .. }, true) => slice_of_frequency(480),
        (TurnOrder::RoundRobin { .. }, false) => slice_of_frequency(960),
        (TurnOrder::LeastRunTime, true) => SimDuration::from_millis(2),
        (TurnOrder::LeastRunTime, false) => SimDuration::from_millis(1),
    }
}

/// The words in a text, each once: a bare word, `0x0103F001` or decimal, or those that follow
/// `RmPVMRL=`, as in `NVreg_RegistryDwords="RmPVMRL=0x01"` and in whole lines of `esxcli` or of a
/// file of `modprobe.d`. None where nothing is a word of 32 bits.
pub fn words(text: &str) -> Vec<u32> {
    const KEY: &str = "rmpvmrl";
    let lower = text.to_ascii_lowercase();
    let mut parts = lower.split(KEY);
    let before = parts.next().unwrap_or_default();
    let mut words: Vec<u32> = Vec::new();
    let mut add = |word: Option<u32>| match word {
        Some(word) if !words.contains(&word) => words.push(word),
        _ => {}
    };
    if before.len() == lower.len() {
        add(number(before.trim()));
    }
    for part in parts {
        let value = part.trim_start().strip_prefix(['=', ':']).unwrap_or_default().trim_start();
        let end = value.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        add(number(&value[..end.unwrap_or(value.len())]));
    }
    words
}

/// `0x0103F001` or decimal.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    let plain = digits.chars().all(|digit| digit.is_digit(radix));
    plain.then(|| u32::from_str_radix(digits, radix).ok()).flatten()
}

/// Decodes `word`; nothing when it names a policy that does not exist (bits 7:4 above 1).
pub fn decode(word: u32) -> Option<RegistryWord> {
    let bits = |high: u32, low: u32| (word >> low) & ((1 << (high - low + 1)) - 1);
    let mut found = RegistryWord {
        word,
        policy: SlicePolicy::BestEffort,
        order: None,
        slice: WordSlice::Hardware,
        is_weighted: false,
        clamped: Vec::new(),
        notes: Vec::new(),
    };
    if bits(0, 0) == 0 {
        if word != 0 {
            found
                .notes
                .push("bit 0 is clear: best effort, and all other bits are ignored".to_string());
        }
        return Some(found);
    }
    found.is_weighted = word & PLAIN_SLICES == 0;
    found.policy = match bits(7, 4) {
        0 => SlicePolicy::EqualShare,
        1 => SlicePolicy::FixedShare,
        _ => return None,
    };
    if bits(1, 1) == 1 {
        found.order = Some(TurnOrder::LeastRunTime);
        found.slice = match found.field("slice", bits(23, 16), SLICE_MS, " ms") {
            None => WordSlice::Default,
            Some(millis) => WordSlice::Millis(millis),
        };
        return Some(found);
    }
    let factor = found.field("averaging factor", bits(31, 24), AVERAGING_FACTOR, "");
    let averaging_factor = factor.unwrap_or(AVERAGING_FACTOR_DEFAULT);
    found.order = Some(TurnOrder::RoundRobin { averaging_factor });
    found.slice = match found.field("frequency", bits(21, 12), FREQUENCY_HZ, " Hz") {
        None => WordSlice::Default,
        Some(hertz) => WordSlice::Hertz(hertz),
    };
    let older_slice = bits(23, 16);
    if bits(31, 24) == 0 && bits(15, 12) == 0 && SLICE_MS.contains(&older_slice) {
        found.notes.push(older_reading(word, older_slice, found.slice));
    }
    Some(found)
}

/// The word that sets `policy` with turns in `order`, each of `slice`; [`decode`] reads it back.
///
/// The averaging factor is written wherever a frequency is, so that no release can misread the word
/// as one of the older form. Panics on what no word can state: a policy that is not NVIDIA's, an
/// order under best effort, none under the others, a slice in ms in strict round robin, a frequency
/// in the other order, values out of range.
pub fn encode(policy: SlicePolicy, order: Option<TurnOrder>, slice: WordSlice) -> u32 {
    let policy_bits = match policy {
        SlicePolicy::BestEffort => {
            assert!(order.is_none() && slice == WordSlice::Hardware, "{order:?}, {slice:?}");
            return 0;
        }
        SlicePolicy::EqualShare => 0x01,
        SlicePolicy::FixedShare => 0x11,
        other => panic!("{other:?} is no policy of NVIDIA's driver: no word sets it"),
    };
    match (order, slice) {
        (Some(TurnOrder::LeastRunTime), WordSlice::Default) => policy_bits | 2,
        (Some(TurnOrder::LeastRunTime), WordSlice::Millis(millis)) => {
            assert!(SLICE_MS.contains(&millis), "{millis} ms");
            policy_bits | 2 | millis << 16
        }
        (Some(TurnOrder::RoundRobin { averaging_factor: factor }), slice) => {
            assert!(AVERAGING_FACTOR.contains(&factor), "averaging factor {factor}");
            match slice {
                WordSlice::Default if factor == AVERAGING_FACTOR_DEFAULT => policy_bits,
                WordSlice::Default => policy_bits | factor << 24,
                WordSlice::Hertz(hertz) => {
                    assert!(FREQUENCY_HZ.contains(&hertz), "{hertz} Hz");
                    policy_bits | hertz << 12 | factor << 24
                }
                other => panic!("{other:?} in strict round robin"),
            }
        }
        other => panic!("{other:?} in no word"),
    }
}

/// A word for releases before 15, when bit 1 did not exist and bits 23:16 were always a slice.
fn older_reading(word: u32, millis: u32, slice: WordSlice) -> String {
    let now = slice
        .length()
        .map_or("the default".to_string(), |slice| format!("{:.3} ms", slice.as_millis_f64()));
    format!(
        "before vGPU release 15, and still in the user guide's examples, this word meant a slice \
         of {millis} ms in the non-strict order; with the present bits it is a frequency, a slice \
         of {now}. For {millis} ms write {:#010X}",
        word | 2
    )
}

impl RegistryWord {
    /// A field's value within its range; nothing for 0, the default.
    fn field(
        &mut self,
        field: &'static str,
        written: u32,
        range: RangeInclusive<u32>,
        unit: &'static str,
    ) -> Option<u32> {
        let used = written.clamp(*range.start(), *range.end());
        if written == 0 {
            return None;
        }
        if used != written {
            self.clamped.push(Clamped { field, written, used, unit });
        }
        Some(used)
    }
}

#[cfg(test)]
mod tests {
    use super::SlicePolicy::{BestEffort, EqualShare, FixedShare};
    use super::TurnOrder::{LeastRunTime, RoundRobin};
    use super::WordSlice::{Default, Hardware, Hertz, Millis};
    use super::*;

    const fn strict(averaging_factor: u32) -> Option<TurnOrder> {
        Some(RoundRobin { averaging_factor })
    }

    #[test]
    fn words_of_the_guide_and_the_driver_mean_what_they_say() {
        let older = Some(LeastRunTime);
        for (word, policy, order, slice) in [
            (0x0000_0000, BestEffort, None, Hardware),
            (0x0000_0001, EqualShare, strict(33), Default),
            (0x0000_0011, FixedShare, strict(33), Default),
            (0x0000_0003, EqualShare, older, Default),
            (0x0000_0013, FixedShare, older, Default),
            (0x0003_0003, EqualShare, older, Millis(3)),
            (0x3C3C_0001, EqualShare, strict(60), Hertz(960)),
            (0x3C3C_0011, FixedShare, strict(60), Hertz(960)),
            (0x0103_F001, EqualShare, strict(1), Hertz(63)),
            (0x2110_0001, EqualShare, strict(33), Hertz(256)),
            (0x0A0C_8001, EqualShare, strict(10), Hertz(200)),
            (0x0020_0003, EqualShare, older, Millis(30)),
            (0x0018_0013, FixedShare, older, Millis(24)),
            (0x0018_0011, FixedShare, strict(33), Hertz(384)),
        ] {
            let found = decode(word).unwrap();
            assert_eq!(
                (found.policy, found.order, found.slice),
                (policy, order, slice),
                "{word:x}"
            );
        }
        let millis = |word| decode(word).unwrap().slice.length().unwrap().as_millis_f64();
        for (word, expected) in [
            (0x0103_F001, 15.873_016),
            (0x2110_0001, 3.906_25),
            (0x0A0C_8001, 5.0),
            (0x0018_0011, 2.604_167),
        ] {
            assert_eq!(millis(word), expected, "{word:x}");
        }
    }

    #[test]
    fn words_are_found_where_hosts_keep_them() {
        for text in [
            "0x0103F001",
            "0X0103f001",
            "17035265",
            "RmPVMRL=0x0103F001",
            "rmpvmrl = 17035265",
            "NVreg_RegistryDwords=\"RmPVMRL=0x0103F001\"",
            "options nvidia NVreg_RegistryDwords=\"RMLogLevel=2;RmPVMRL=0x0103F001;\"",
            "NVreg_RegistryDwordsPerDevice=\"pci=0000:3b:00.0;RmPVMRL=0x0103F001\"",
            "esxcli system module parameters set -m nvidia -p \"NVreg_RegistryDwords=RmPVMRL=0x0103F001\"",
            "RegistryDwords: \"RmPVMRL=0x0103F001\"",
        ] {
            assert_eq!(words(text), [0x0103_F001], "{text}");
        }
        assert_eq!(words("RmPVMRL=0x01"), [1]);
        assert_eq!(words("pci=0000:3b:00.0;RmPVMRL=1;pci=0000:d8:00.0;RmPVMRL=0x11"), [1, 0x11]);
        for text in ["", "0x", "0x0103F00G", "0x10103F001", "RmPVMRL", "RmPVMRL=", "RmFoo=1", "-1"]
        {
            assert!(words(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn every_word_that_can_be_written_is_read_back() {
        assert_eq!(encode(BestEffort, None, Hardware), 0);
        let strict = AVERAGING_FACTOR.flat_map(|factor| {
            let slices = FREQUENCY_HZ.map(Hertz).chain([Default]);
            slices.map(move |slice| (RoundRobin { averaging_factor: factor }, slice))
        });
        let older = SLICE_MS.map(Millis).chain([Default]).map(|slice| (LeastRunTime, slice));
        for (order, slice) in strict.chain(older) {
            for policy in [EqualShare, FixedShare] {
                let found = decode(encode(policy, Some(order), slice)).unwrap();
                assert_eq!((found.policy, found.order, found.slice), (policy, Some(order), slice));
                assert!(found.clamped.is_empty() && found.notes.is_empty(), "{found:?}");
            }
        }
        // Examples of the guide: 960 Hz with 60, 63 Hz with 1, 3 ms in the older form.
        let strict = |factor, hertz| (Some(RoundRobin { averaging_factor: factor }), Hertz(hertz));
        for ((order, slice), word) in [
            (strict(60, 960), 0x3C3C_0001),
            (strict(1, 63), 0x0103_F001),
            ((Some(LeastRunTime), Millis(3)), 0x0003_0003),
        ] {
            assert_eq!(encode(EqualShare, order, slice), word);
        }
    }

    #[test]
    fn fields_out_of_range_are_clamped_and_said_to_be() {
        let clamped = |word| {
            let all = decode(word).unwrap().clamped;
            all.iter().map(|one| (one.field, one.written, one.used)).collect::<Vec<_>>()
        };
        assert_eq!(clamped(0x0020_0003), [("slice", 32, 30)]);
        assert_eq!(clamped(0x0000_1001), [("frequency", 1, 63)]);
        assert_eq!(clamped(0x003F_F001), [("frequency", 1023, 960)]);
        assert_eq!(clamped(0xFF00_0001), [("averaging factor", 255, 60)]);
        assert_eq!(clamped(0x0103_F001), []);
        assert_eq!(decode(0x21), None);
    }

    #[test]
    fn the_older_reading_of_a_word_is_explained() {
        let notes = |word| decode(word).unwrap().notes;
        let note = &notes(0x0018_0011)[0];
        assert!(note.contains("24 ms") && note.contains("2.604 ms"), "{note}");
        assert!(note.ends_with("0x00180013"), "{note}");
        assert!(notes(0x3C3C_0011).is_empty() && notes(0x0018_0013).is_empty());
        assert_eq!(notes(0x0018_0010).len(), 1, "best effort ignores the rest");
    }

    #[test]
    fn the_default_slice_follows_the_types_maximum() {
        let strict = RoundRobin { averaging_factor: 33 };
        let nanos = |order, most| default_slice(order, most).as_nanos();
        assert_eq!([nanos(strict, 8), nanos(strict, 10)], [2_083_333, 1_041_667]);
        assert_eq!([nanos(LeastRunTime, 8), nanos(LeastRunTime, 9)], [2_000_000, 1_000_000]);
    }
}
