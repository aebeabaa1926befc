//! `[sweep]`: one key that varies over a series of runs.
//!
//! What a value does to the run is checked where all runs are: in `rules`.

use super::diagnostic::{Diagnostic, Spot};
use super::guest::{Guest, VCPUS_MAX};
use super::reader::Reader;
use super::value::Value;

/// Most points of a series.
const POINTS_MAX: usize = 64;

/// `[sweep]`: one key and its values.
pub(super) struct Sweep {
    pub(super) key: &'static str,
    pub(super) points: Vec<(f64, Spot)>,
    pub(super) spot: Spot,
}

impl Sweep {
    /// What can be varied, and the range of its values.
    const KEYS: [(&'static str, u32); 4] = [
        ("vcpus", VCPUS_MAX),
        ("target_qps", 1_000_000_000),
        ("batch_max", 1_000_000),
        ("streams", 1024),
    ];

    /// Reads the table.
    pub(super) fn read(mut table: Reader<'_>) -> Option<Sweep> {
        let spot = table.spot();
        let given = Self::KEYS.map(|(key, most)| (key, most, table.get(key)));
        let mut given =
            given.into_iter().filter_map(|(key, most, value)| Some((key, most, value?)));
        let (first, second) = (given.next(), given.next());
        let sweep = match (first, second) {
            (Some((key, most, value)), None) => {
                Self::points(key, most, &value).map(|points| Sweep { key, points, spot })
            }
            (Some(_), Some((key, _, value))) => {
                value.report(
                    value
                        .wrong(format!("is a second axis: `{key}`"))
                        .help("vary one key in a file"),
                );
                None
            }
            (None, _) => {
                let allowed = Self::KEYS.map(|(key, _)| key).join(", ");
                let title = "`sweep` names nothing that varies";
                table.report(
                    Diagnostic::at(&spot, title)
                        .allowed(allowed)
                        .help("write for example vcpus = [1, 2, 4, 8]"),
                );
                None
            }
        };
        table.finish();
        sweep
    }

    fn points(key: &str, most: u32, value: &Value<'_>) -> Option<Vec<(f64, Spot)>> {
        let items = value.items(POINTS_MAX)?;
        let count = items.len();
        let mut points: Vec<(f64, Spot)> = Vec::new();
        for item in items {
            let number = match key {
                "target_qps" => item.number(
                    |rate| rate > 0.0 && rate <= f64::from(most),
                    "above 0, at most 1000000000 queries per second",
                ),
                _ => item.count(1..=most, "").map(f64::from),
            };
            let Some(number) = number else { continue };
            if points.iter().any(|(other, _)| *other == number) {
                item.report(
                    item.wrong(format!("has {number} twice")).help("each value makes one run"),
                );
                continue;
            }
            points.push((number, item.spot()));
        }
        (points.len() == count).then_some(points)
    }

    /// The guest with the swept key set to one of its values.
    pub(super) fn apply(&self, guest: &Guest, value: f64, spot: &Spot) -> Guest {
        let mut guest = guest.clone();
        match self.key {
            "vcpus" => (guest.vm.vcpus, guest.spots.vcpus) = (value as u32, spot.clone()),
            "target_qps" => {
                (guest.vm.load.settings.target_qps, guest.spots.rate) = (value, spot.clone())
            }
            "batch_max" => {
                (guest.vm.server.batch_max, guest.spots.batch_max) = (value as u32, spot.clone())
            }
            _ => {
                let server = &mut guest.vm.server;
                if server.slots == server.streams {
                    server.slots = value as u32;
                }
                server.streams = value as u32;
                (guest.spots.batch_max, guest.spots.streams) = (spot.clone(), spot.clone());
            }
        }
        guest
    }
}
