//! From one scenario file to its pairs: the run, its baseline, what was published, or a series.
//!
//! Seeds and the order of files are the business of `config::load`.

use super::Diagnostic;
use super::catalogue::Catalogue;
use super::diagnostic::{Problems, SourceFile, Spot};
use super::guest::{self, Guest, Surroundings, VCPUS_MAX};
use super::machine::Machine;
use super::reader::{Reader, Value};
use super::settings::{differences, read_load, read_server};
use super::{rules, source};
use crate::spec::{
    Axis, Baseline, BaselineKind, Experiment, GpuId, GpuShare, Pair, PlannedRun, Published,
    TestScenario,
};
use crate::units::{Share, SimDuration};
use std::sync::Arc;

/// Most VMs in a file.
const VMS_MAX: usize = 64;
/// Most points of a series.
const POINTS_MAX: usize = 64;
/// The latencies of a published run, by the names of the result document.
const LATENCIES: [&str; 9] = ["min", "mean", "p50", "p90", "p95", "p97", "p99", "p999", "max"];

/// What one file asks for.
pub(super) struct Plan {
    pub(super) title: Option<String>,
    /// The seed it states, and where.
    pub(super) seed: Option<(u64, Spot)>,
    pub(super) pairs: Vec<Pair>,
    pub(super) axis: Option<(Axis, Spot)>,
}

/// Reads a scenario file; `stem` is its name without `.toml`.
pub(super) fn read(
    file: &Arc<SourceFile>,
    stem: &str,
    catalogue: &Catalogue,
    problems: &Problems,
) -> Option<Plan> {
    let tree = source::parse(file, problems)?;
    if tree.is_empty() {
        let spot = Spot { file: file.clone(), span: 0..0 };
        let help = "a scenario needs at least `host` and one [[vm]] with `workload` and [vm.load]";
        problems.push(Diagnostic::at(&spot, "the file is empty").help(help));
        return None;
    }
    let mut top = Reader::new(file, &tree, problems);
    let title = top.get("title").and_then(|value| value.text().map(str::to_string));
    let seed =
        top.get("seed").and_then(|value| Some((value.whole(0..=u64::MAX, "")?, value.spot())));
    let machine = Machine::read(&mut top, catalogue);
    let sweep = top.table("sweep").and_then(Sweep::read);
    let swept = sweep.as_ref().map(|sweep| sweep.key.to_string());
    let around = Surroundings { catalogue, machine: machine.as_ref(), swept };
    let guests = read_guests(&mut top, &around);
    let capacity = read_capacity(&mut top);
    let mut published = Sides::read(&mut top);
    let baseline = top.get("baseline");
    one_vm_only(&top, guests.as_deref());
    if sweep.is_some() {
        refuse_beside_sweep(&top);
    }
    let pairs = match (machine, guests) {
        (Some(machine), Some(guests)) => {
            let context = Context { machine: &machine, catalogue, problems };
            match &sweep {
                Some(sweep) => context.series(stem, &guests, sweep),
                None => context.pair(stem, guests, baseline, &mut published, capacity),
            }
        }
        (_, _) => Vec::new(),
    };
    top.finish();
    let axis = sweep.map(|sweep| {
        let values = sweep.points.iter().map(|(value, _)| *value).collect();
        (Axis { name: sweep.key.to_string(), values }, sweep.spot)
    });
    Some(Plan { title, seed, pairs, axis })
}

fn read_guests(top: &mut Reader<'_>, around: &Surroundings<'_>) -> Option<Vec<Guest>> {
    let value = top.need("vm", "write [[vm]] with a workload and [vm.load]")?;
    if value.is_table() {
        value.report(value.wrong("is a single table").help("write [[vm]] with two brackets"));
        return None;
    }
    let items = value.items(VMS_MAX)?;
    let count = items.len();
    let guests = items.into_iter().enumerate();
    let guests = guests.filter_map(|(index, item)| guest::read(item.table()?, index + 1, around));
    let guests: Vec<_> = guests.collect();
    (guests.len() == count).then_some(guests)
}

/// `[capacity]`, `precision = "1 %"`.
fn read_capacity(top: &mut Reader<'_>) -> Option<f64> {
    let mut table = top.table("capacity")?;
    let inside = |share: &Share| (0.0001..=0.5).contains(&share.get());
    let precision = match table.get("precision") {
        Some(value) => value.bounded(inside, "0.01 % to 50 %").map(Share::get),
        None => Some(0.01),
    };
    table.finish();
    precision
}

/// A series, a twin and published figures speak of one VM.
fn one_vm_only(top: &Reader<'_>, guests: Option<&[Guest]>) {
    let several = guests.is_some_and(|guests| guests.len() > 1);
    for key in ["sweep", "published"].iter().filter(|key| several && top.has(key)) {
        let title = format!("`{key}` needs a scenario with one [[vm]]");
        top.report(
            Diagnostic::at(&top.spot_of(key), title)
                .help(format!("drop [{key}], or the other VMs")),
        );
    }
}

fn refuse_beside_sweep(top: &Reader<'_>) {
    for key in ["baseline", "published", "capacity"].iter().filter(|key| top.has(key)) {
        let title = format!("`{key}` has no meaning in a series");
        let help = format!(
            "drop [{key}], or [sweep]: a series is one run for each value, compared with nothing"
        );
        top.report(Diagnostic::at(&top.spot_of(key), title).help(help));
    }
}

/// `[sweep]`: one key and its values.
struct Sweep {
    key: &'static str,
    points: Vec<(f64, Spot)>,
    spot: Spot,
}

impl Sweep {
    /// What can be varied, and the range of its values.
    const KEYS: [(&'static str, u32); 4] = [
        ("vcpus", VCPUS_MAX),
        ("target_qps", 1_000_000_000),
        ("batch_max", 1_000_000),
        ("streams", 1024),
    ];

    fn read(mut table: Reader<'_>) -> Option<Sweep> {
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
    fn apply(&self, guest: &Guest, value: f64, spot: &Spot) -> Guest {
        let mut guest = guest.clone();
        match self.key {
            "vcpus" => (guest.vm.vcpus, guest.spots.vcpus) = (value as u32, spot.clone()),
            "target_qps" => {
                (guest.vm.load.settings.target_qps, guest.spots.rate) = (value, spot.clone())
            }
            "batch_max" => {
                (guest.vm.server.batch_max, guest.spots.batch_max) = (value as u32, spot.clone())
            }
            _ => (guest.vm.server.streams, guest.spots.batch_max) = (value as u32, spot.clone()),
        }
        guest
    }
}

/// What making pairs needs.
struct Context<'c> {
    machine: &'c Machine,
    catalogue: &'c Catalogue,
    problems: &'c Problems,
}

impl Context<'_> {
    /// One run for each value of a sweep.
    fn series(&self, stem: &str, guests: &[Guest], sweep: &Sweep) -> Vec<Pair> {
        let Some(guest) = guests.first() else { return Vec::new() };
        let points = sweep.points.iter().map(|(value, spot)| {
            let guests = [sweep.apply(guest, *value, spot)];
            rules::check(self.machine, &guests, self.problems);
            let name = format!("{stem}-{}-{value}", sweep.key.replace('_', "-"));
            let virtual_run = PlannedRun {
                experiment: experiment(&name, self.machine, &guests),
                published: None,
            };
            Pair { name, virtual_run, baseline: None, capacity: None }
        });
        points.collect()
    }

    /// The one pair of a file without sweep.
    fn pair(
        &self,
        stem: &str,
        guests: Vec<Guest>,
        baseline: Option<Value<'_>>,
        published: &mut Sides,
        capacity: Option<f64>,
    ) -> Vec<Pair> {
        rules::check(self.machine, &guests, self.problems);
        let scenario = guests.first().map_or(TestScenario::Server, |guest| guest.vm.load.scenario);
        let virtual_run = PlannedRun {
            experiment: experiment(stem, self.machine, &guests),
            published: published
                .virtual_run
                .take()
                .map(|figures| Published { scenario, ..figures }),
        };
        let mut baseline = self.baseline(stem, &guests, baseline);
        if let Some((figures, spot)) = published.baseline.take() {
            match &mut baseline {
                Some(baseline) if baseline.kind != BaselineKind::Counterfactual => {
                    baseline.run.published = Some(Published { scenario, ..figures });
                }
                _ => {
                    let title = "`published.baseline` needs a twin";
                    let help = "write [baseline] with kind = \"twin\": a published run has settings of its own";
                    self.problems.push(Diagnostic::at(&spot, title).help(help));
                }
            }
        }
        vec![Pair { name: stem.to_string(), virtual_run, baseline, capacity }]
    }

    /// The other side: the counterfactual unless the file says otherwise; none for bare metal.
    fn baseline(&self, stem: &str, guests: &[Guest], value: Option<Value<'_>>) -> Option<Baseline> {
        const KINDS: [(&str, &str); 3] =
            [("none", "none"), ("counterfactual", "counterfactual"), ("twin", "twin")];
        let bare_already = self.machine.hypervisor.id == super::machine::BARE_METAL;
        let Some(value) = value else {
            return if bare_already { None } else { self.counterfactual(stem, guests) };
        };
        let table = if value.is_text() { None } else { Some(value.table()?) };
        let (kind, table) = match table {
            None => (value.choice("kind of baseline", &KINDS)?, None),
            Some(mut table) => {
                let kind =
                    table.need("kind", "name the kind of baseline: counterfactual, twin, none");
                let kind = kind.and_then(|value| value.choice("kind of baseline", &KINDS));
                let overrides = table.table("vm");
                if kind.is_some_and(|kind| kind != "twin") && overrides.is_some() {
                    let title = "only a twin has settings of its own";
                    table.report(
                        Diagnostic::at(&table.spot_of("vm"), title).help("write kind = \"twin\""),
                    );
                }
                table.finish();
                (kind?, overrides)
            }
        };
        match kind {
            "none" => None,
            "twin" => self.twin(stem, guests, &value, table),
            _ if bare_already => {
                let diagnostic = value.wrong("is the run itself: it is on bare metal already");
                value.report(diagnostic.allowed("none, twin"));
                None
            }
            _ => self.counterfactual(stem, guests),
        }
    }

    /// The same guests, load and draws; cards owned whole; no hypervisor.
    fn counterfactual(&self, stem: &str, guests: &[Guest]) -> Option<Baseline> {
        let machine = self.machine.bare(self.catalogue)?;
        let guests: Vec<_> =
            guests.iter().map(|guest| Guest { vgpu: None, ..guest.clone() }).collect();
        let run = PlannedRun { experiment: experiment(stem, &machine, &guests), published: None };
        Some(Baseline { kind: BaselineKind::Counterfactual, run })
    }

    /// The one guest with settings of its own, on all of the bare machine's processors.
    fn twin(
        &self,
        stem: &str,
        guests: &[Guest],
        value: &Value<'_>,
        overrides: Option<Reader<'_>>,
    ) -> Option<Baseline> {
        let [guest] = guests else {
            value.report(
                value
                    .wrong("is a twin of several VMs")
                    .help("write one [[vm]], or kind = \"counterfactual\""),
            );
            return None;
        };
        let machine = self.machine.bare(self.catalogue)?;
        let mut twin = Guest { vgpu: None, memory: None, ..guest.clone() };
        twin.vm.vcpus = machine.host.logical_processors.value;
        if let Some(mut overrides) = overrides {
            override_settings(&mut overrides, &mut twin);
            overrides.finish();
        }
        rules::check(&machine, std::slice::from_ref(&twin), self.problems);
        let differs =
            differences((&twin.vm.server, &twin.vm.load), (&guest.vm.server, &guest.vm.load));
        let run = PlannedRun { experiment: experiment(stem, &machine, &[twin]), published: None };
        Some(Baseline { kind: BaselineKind::Twin { differs }, run })
    }
}

/// Reads `vm.server` and `vm.load` of a twin over the settings of the virtual run.
fn override_settings(table: &mut Reader<'_>, twin: &mut Guest) {
    if let Some(mut server) = table.table("server") {
        read_server(&mut server, &mut twin.vm.server);
        if server.has("batch_max") || server.has("streams") {
            twin.spots.batch_max =
                server.spot_of(if server.has("batch_max") { "batch_max" } else { "streams" });
        }
        server.finish();
    }
    if let Some(mut load) = table.table("load") {
        read_load(&mut load, &mut twin.vm.load);
        if load.has("target_qps") {
            twin.spots.rate = load.spot_of("target_qps");
        }
        load.finish();
    }
}

/// The run of these guests; they take the cards in their order.
fn experiment(name: &str, machine: &Machine, guests: &[Guest]) -> Experiment {
    let mut next = 0;
    let vms = guests.iter().map(|guest| {
        let mut vm = guest.vm.clone();
        let vgpu_type = guest.vgpu.as_ref().map(|vgpu| vgpu.name.clone());
        vm.gpus = (next..next + guest.cards)
            .map(|card| GpuShare { card: GpuId(card as u16), vgpu_type: vgpu_type.clone() })
            .collect();
        next += guest.cards;
        vm
    });
    Experiment {
        name: name.to_string(),
        seed: 0,
        replication: 0,
        hypervisor: machine.hypervisor.clone(),
        host: machine.host.clone(),
        vms: vms.collect(),
        cards: vec![machine.gpu.spec.clone(); machine.cards as usize],
    }
}

/// `[published]`: the figures of either side.
#[derive(Default)]
struct Sides {
    virtual_run: Option<Published>,
    baseline: Option<(Published, Spot)>,
}

impl Sides {
    fn read(top: &mut Reader<'_>) -> Sides {
        let Some(mut table) = top.table("published") else { return Sides::default() };
        let virtual_run = table.table("virtual").and_then(published);
        let spot = table.spot_of("baseline");
        let baseline = table.table("baseline").and_then(published).map(|figures| (figures, spot));
        table.finish();
        Sides { virtual_run, baseline }
    }
}

/// One published result; its scenario is set by the run it stands beside.
fn published(mut table: Reader<'_>) -> Option<Published> {
    let row = table.need("row", "name it: <system> <benchmark> <scenario>");
    let row = row.and_then(|value| value.text().map(str::to_string));
    let source = table.need("source", "say where it was published");
    let source = source.and_then(|value| value.text().map(str::to_string));
    let rate = table.get("completed_per_s");
    let rate = rate.map(|value| {
        value.number(|rate| rate > 0.0 && rate <= 1e9, "above 0, in samples per second")
    });
    let latency = table.table("latency").map(latencies);
    table.finish();
    Some(Published {
        row: row?,
        source: source?,
        scenario: TestScenario::Server,
        completed_per_s: rate.flatten(),
        latency: latency.unwrap_or_default(),
    })
}

fn latencies(mut table: Reader<'_>) -> Vec<(String, SimDuration)> {
    let given = LATENCIES.map(|name| (name, table.get(name)));
    table.finish();
    let given =
        given.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?.quantity()?)));
    given.collect()
}
