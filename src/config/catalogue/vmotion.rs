//! vMotion by version: `configs/vmotion/*.toml`, embedded, and the published stun times beside them.
//!
//! Which one holds is said by a scenario, or follows from its hypervisor.

use super::EMBEDDED;
use super::facts::{fact, name, sources, spread_fact};
use crate::config::text::{LoadError, Problems, Reader, SourceFile, Value, source};
use crate::spec::{Vmotion, WorstStun};
use crate::units::Share;
use std::sync::{Arc, LazyLock};

/// Every version, the oldest first.
pub(crate) const VERSIONS: [&str; 5] = ["6.7u1", "6.7u3", "7.0", "8.0u1", "9.0"];

/// A version, and the hypervisors of the catalogue that have it.
pub(crate) struct VmotionFile {
    pub(crate) hypervisors: Vec<String>,
    pub(crate) spec: Vmotion,
}

static FILES: LazyLock<Vec<VmotionFile>> = LazyLock::new(|| {
    let read = |version: &str| {
        let path = format!("vmotion/{version}.toml");
        let text = EMBEDDED.get_file(&path).and_then(|file| file.contents_utf8());
        let text = text.unwrap_or_else(|| panic!("{path} comes with the program"));
        let file = Arc::new(SourceFile::new(format!("configs/{path}"), text));
        let problems = Problems::default();
        let tree = source::parse(&file, &problems);
        let found = tree.and_then(|tree| of(version, Reader::new(&file, &tree, &problems)));
        match problems.into_error() {
            None => found.expect("a file without mistakes"),
            Some(all) => panic!("a file of ours has mistakes: {}", LoadError::Invalid(all)),
        }
    };
    VERSIONS.into_iter().map(read).collect()
});

/// The file of a version.
pub(crate) fn version(name: &str) -> Option<&'static Vmotion> {
    FILES.iter().map(|file| &file.spec).find(|spec| spec.version == name)
}

/// The version that a hypervisor of the catalogue has; nothing where it moves no VMs with vGPUs.
pub(crate) fn of_hypervisor(id: &str) -> Option<&'static Vmotion> {
    let file = FILES.iter().find(|file| file.hypervisors.iter().any(|own| own == id));
    file.map(|file| &file.spec)
}

fn of(version: &str, mut file: Reader<'_>) -> Option<VmotionFile> {
    let sources = sources(&mut file);
    let _ = name(&mut file);
    let hypervisors = file.get("hypervisors").and_then(|value| {
        value.value.as_array().map(|items| {
            items.iter().filter_map(|item| Some(item.get_ref().as_str()?.to_string())).collect()
        })
    });
    let measured_on = file.need("measured_on", "say where its figures were measured");
    let checks = file.need("checks_estimate", "write true or false").and_then(|value| value.flag());
    let stun_base = fact(&mut file, &sources, "stun_base", |value| value.quantity());
    let rate = fact(&mut file, &sources, "frame_buffer_rate", |value| value.quantity());
    let share = fact(&mut file, &sources, "stunned_share", |value| value.quantity::<Share>());
    let none = |_: &Value<'_>| None;
    let worst = spread_fact(&mut file, &sources, "worst", none, |table| {
        let mut table = table.need("value", "write its terms")?.table()?;
        let mut term = |key: &str| {
            table.need(key, "a term, in seconds")?.number(|term| term >= 0.0, "0 or more")
        };
        let (base, per_profile_gb) = (term("base"), term("per_profile_gb"));
        let per_memory_gb = term("per_memory_gb");
        table.finish();
        Some(WorstStun {
            base: base?,
            per_profile_gb: per_profile_gb?,
            per_memory_gb: per_memory_gb?,
        })
    });
    let stun_limit = fact(&mut file, &sources, "stun_limit", |value| value.quantity());
    let measured_on = measured_on.and_then(|value| value.text().map(str::to_string));
    file.finish();
    Some(VmotionFile {
        hypervisors: hypervisors?,
        spec: Vmotion {
            version: version.to_string(),
            measured_on: measured_on?,
            stun_base: stun_base?,
            frame_buffer_rate: rate?,
            stunned_share: share?,
            worst: worst?,
            checks_estimate: checks?,
            stun_limit: stun_limit?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::vmotion::{Moved, PUBLISHED_NETWORK, over_the_limit, stun, worst_stun};
    use crate::units::{Bandwidth, Bytes};

    /// The largest error of a least-squares line through the cells of a table, in seconds, as worked out by
    /// hand from the cells alone, and half of their last digit: 0.1 s, 0.01 s, 1 s, and 1 s of the worst
    /// cases.
    const TOLERANCE: [(&str, &str, f64); 4] = [
        ("6.7u1", "expected", 0.035 + 0.05),
        ("6.7u3", "expected", 1.41 + 0.005),
        ("7.0", "expected", 1.29 + 0.5),
        ("7.0", "worst", 0.533 + 0.5),
    ];

    fn gibibytes(cell: &str) -> Bytes {
        Bytes::from_mib(cell.parse::<u64>().unwrap_or(0) * 1024)
    }

    #[test]
    fn every_published_stun_time_is_met_cell_by_cell() {
        let file = EMBEDDED.get_file("vmotion/stun-times.csv").unwrap();
        let lines = file.contents_utf8().unwrap().lines();
        let network = Bandwidth::new(PUBLISHED_NETWORK);
        let mut cells = 0;
        for line in lines.filter(|line| !line.starts_with('#')).skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let [of, _, kind, frame_buffer, memory, told] = fields[..] else { panic!("{line}") };
            let spec = version(of).unwrap();
            let moved = Moved {
                memory: gibibytes(memory),
                dirty_rate: Bandwidth::new(1.0),
                used: Bytes::new(frame_buffer.parse::<u64>().unwrap() * 1_000_000_000),
                profile: gibibytes(frame_buffer),
            };
            let found = match kind {
                "expected" => stun(spec, &moved, network),
                _ => worst_stun(spec, &moved, network),
            };
            cells += 1;
            let over = over_the_limit(spec, &moved, network);
            let Ok(told) = told.parse::<f64>() else {
                assert!(over.is_some(), "{line}: takes {found}, and does not fail");
                continue;
            };
            let (.., tolerance) =
                TOLERANCE.iter().find(|one| (one.0, one.1) == (of, kind)).unwrap();
            let error = (found.as_secs_f64() - told).abs();
            assert!(error <= *tolerance, "{line}: {found}");
            assert!(kind == "worst" || over.is_none(), "{line}: {over:?}");
        }
        assert_eq!(cells, 44, "20 expected, 24 worst");
    }

    /// The examples of the facts: 16 GB and 32 GB of memory 54 s; 40 GB at 10 GbE over the limit, at 25 GbE
    /// not; a copy of 24 GB at 80 Gb/s takes 2.6 s.
    #[test]
    fn large_profiles_are_refused_at_10_gigabits_from_8_0_on() {
        let at = |gbps: f64| Bandwidth::new(gbps * 1e9 / 8.0);
        let moved = |profile: u64| Moved {
            memory: Bytes::from_mib(32 << 10),
            dirty_rate: Bandwidth::new(1.0),
            used: Bytes::new(profile * 1_000_000_000),
            profile: Bytes::from_mib(profile << 10),
        };
        let (old, new) = (version("7.0").unwrap(), version("8.0u1").unwrap());
        let worst = |profile| worst_stun(old, &moved(profile), at(10.0)).as_secs_f64();
        for (profile, told) in [(16, 54.0), (24, 77.0), (40, 121.0), (48, 144.0), (80, 233.0)] {
            assert!((worst(profile) - told).abs() <= 1.0, "{profile} GB: {}", worst(profile));
        }
        assert!(over_the_limit(new, &moved(40), at(10.0)).is_some());
        assert!(over_the_limit(new, &moved(40), at(25.0)).is_none());
        let copy = |profile| {
            let base = new.stun_base.value.as_secs_f64();
            stun(new, &moved(profile), at(100.0)).as_secs_f64() - base
        };
        // The facts tell profiles in GiB: 24 GiB are 25.8 GB, at 10 GB/s 2.6 s.
        for (profile, told) in [(24, 2.6), (40, 4.3), (48, 5.2), (80, 8.6)] {
            let gib = copy(profile) * 1.073_741_824;
            assert!((gib - told).abs() <= 0.05, "{profile} GB: {gib}");
        }
    }

    /// The table of the page, row by row; what is over the limit fails.
    #[test]
    fn the_page_shows_these_stuns() {
        const PAGE: &str = include_str!("../../../docs/explanation/vmotion-under-load.md");
        let rows = [
            ("6.7u1", "6.7 U1", 10.0),
            ("6.7u3", "6.7 U3", 10.0),
            ("7.0", "7.0", 10.0),
            ("8.0u1", "8.0 U1", 10.0),
            ("8.0u1", "8.0 U1", 100.0),
            ("9.0", "9.0", 10.0),
            ("9.0", "9.0", 100.0),
        ];
        for (name, told, gbps) in rows {
            let spec = version(name).unwrap();
            let cells = [1, 8, 16, 32, 40, 48, 80].map(|used: u64| {
                let moved = Moved {
                    memory: Bytes::from_mib(32 << 10),
                    dirty_rate: Bandwidth::new(1.0),
                    used: Bytes::new(used * 1_000_000_000),
                    profile: Bytes::ZERO,
                };
                let stun = stun(spec, &moved, Bandwidth::new(gbps * 1e9 / 8.0));
                match stun > spec.stun_limit.value {
                    true => "fails".to_string(),
                    false => format!("{:.1}", stun.as_secs_f64()),
                }
            });
            let row = format!("| {told}, {gbps} Gb/s | {} |", cells.join(" | "));
            assert!(PAGE.replace('*', "").contains(&row), "{row}");
        }
    }

    #[test]
    fn every_file_of_the_folder_is_a_version() {
        let files = EMBEDDED.get_dir("vmotion").unwrap().files();
        let toml = files.filter(|file| file.path().extension().is_some_and(|kind| kind == "toml"));
        assert_eq!(toml.count(), VERSIONS.len());
        assert_eq!(of_hypervisor("vsphere-7.0u2").unwrap().version, "7.0");
        assert!(of_hypervisor("kvm").is_none());
    }
}
