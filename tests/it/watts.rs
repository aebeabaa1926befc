//! Watts and energy: arithmetic of cards, hosts and standby, and what was published.

use crate::cli::check;
use crate::documents::hold_picture;
use slicewise::config::{Catalogue, LoadOptions, load, validation};
use slicewise::spec::{MeasuredRow, TestScenario};
use slicewise::study::{PowerResult, Validation, run, server_busy};

/// A row of MLPerf Power.
struct Measured {
    round: String,
    submitter: String,
    system: String,
    benchmark: String,
    is_server: bool,
    near_idle_w: f64,
    active_w: f64,
    qps: f64,
}

fn measured() -> Vec<Measured> {
    let mut reader = csv::Reader::from_path("tests/measured/mlperf_power.csv").unwrap();
    let rows = reader.records().map(Result::unwrap).filter(|row| !row[9].is_empty());
    let number = |text: &str| text.parse().unwrap_or(f64::NAN);
    let row = |row: csv::StringRecord| Measured {
        round: row[0].to_string(),
        submitter: row[1].to_string(),
        system: row[2].to_string(),
        benchmark: row[3].to_string(),
        is_server: &row[4] == "server",
        near_idle_w: number(&row[5]),
        active_w: number(&row[6]),
        qps: number(&row[9]),
    };
    rows.map(row).collect()
}

/// Of a predictor, in percent without sign: median, 90th percentile (nearest from above), worst.
fn summary(mut errors: Vec<f64>) -> [f64; 3] {
    errors.iter_mut().for_each(|error| *error = error.abs());
    errors.sort_by(f64::total_cmp);
    let all = errors.len();
    let median = f64::midpoint(errors[(all - 1) / 2], errors[all / 2]);
    [median, errors[(all * 9).div_ceil(10) - 1], errors[all - 1]]
        .map(|error| (error * 10.0).round() / 10.0)
}

/// Whether a log is as the others of its system in its round: no sample below zero, and near idle within a
/// quarter of the least of them. Where clocks are held high the idle watts double (Dell XE8545, 638 and 1219 W).
fn is_usual(rows: &[Measured], row: &Measured) -> bool {
    let siblings = rows.iter().filter(|one| (&one.round, &one.system) == (&row.round, &row.system));
    let least = siblings.map(|one| one.near_idle_w).fold(f64::INFINITY, f64::min);
    row.near_idle_w <= 1.25 * least
}

/// Watts under Server load, told from the same system's Offline run (its watts, near idle watts and rate) and
/// the busy part of the GPUs that the model has under the Server run's settings and rate.
///
/// The figures are those of docs/explanation/power.md. Of the 62 pairs of Server and Offline rows 25 are left out:
/// 20 of rnnt and dlrm, whose harness in the Server scenario is not known here, and 5 of T4 cards, which
/// have no service times of their own. 4 of the other 37 have an unusual log. What the busy time could
/// show is little: the model has the GPUs busy for 88 to 100 % of the time in all of them.
#[test]
fn server_watts_are_told_from_offline_watts() {
    let catalogue = Catalogue::load(None).unwrap();
    let mut input = validation(None, &catalogue, 60_000, 1000).unwrap();
    let rows = measured();
    let alike = |one: &Measured, other: &Measured| {
        (&one.round, &one.system, &one.benchmark) == (&other.round, &other.system, &other.benchmark)
    };
    let (mut pairs, mut left_out, mut unusual) = (0, 0, 0);
    let mut errors = [const { Vec::new() }; 3];
    let mut least_busy = 1.0_f64;
    for server in rows.iter().filter(|row| row.is_server) {
        let offline = rows.iter().find(|row| !row.is_server && alike(row, server)).unwrap();
        pairs += 1;
        let Some(busy) = busy(&mut input, server, offline) else {
            left_out += 1;
            continue;
        };
        if [server, offline].iter().any(|row| !is_usual(&rows, row)) {
            unusual += 1;
            continue;
        }
        least_busy = least_busy.min(busy);
        let idle = offline.near_idle_w;
        let told = [busy, 1.0, server.qps / offline.qps];
        for (part, errors) in told.into_iter().zip(&mut errors) {
            let watts = idle + (offline.active_w - idle) * part;
            errors.push(100.0 * (watts / server.active_w - 1.0));
        }
    }
    assert_eq!((pairs, left_out, unusual), (62, 25, 4));
    assert!(least_busy > 0.87, "{least_busy}");
    let [by_busy, flat, linear] = errors.map(summary);
    assert_eq!(by_busy, [2.0, 11.2, 15.9], "by busy time");
    assert_eq!(flat, [1.1, 10.5, 16.0], "as under Offline");
    assert_eq!(linear, [4.8, 11.8, 18.2], "by rate");
}

/// How busy the model has the GPUs of a Server row: under the settings of the same system in round v1.1.
fn busy(input: &mut Validation, server: &Measured, offline: &Measured) -> Option<f64> {
    let like = |row: &MeasuredRow, scenario: TestScenario| {
        let system = server.system.replace("R7525_A100_PCIe", "R7525_A100-PCIE");
        row.system == system && row.benchmark == server.benchmark && row.scenario == scenario
    };
    let own = |scenario, qps: f64| -> Option<MeasuredRow> {
        let row = input.rows.iter().find(|row| like(row, scenario))?.clone();
        let is_server = scenario == TestScenario::Server;
        Some(MeasuredRow {
            round: server.round.clone(),
            submitter: format!("power {}", server.submitter),
            samples_per_s: Some(qps).filter(|_| !is_server),
            target_qps: Some(qps).filter(|_| is_server),
            ..row
        })
    };
    let pair = [own(TestScenario::Offline, offline.qps)?, own(TestScenario::Server, server.qps)?];
    let index = input.rows.len() + 1;
    input.rows.extend(pair);
    server_busy(input, index)
}

/// The watts of the virtual run of a scenario.
fn watts_of(text: &str) -> PowerResult {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("power.toml");
    std::fs::write(&file, text).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    let scenario = load(&file, &options).unwrap_or_else(|error| panic!("{error}\n{text}"));
    run(&scenario, &|_, _, _| {}).runs.swap_remove(0).power.expect("the file has [power]")
}

/// Dell R7525 with three A100 PCIe under ResNet-50 Offline: the analyser's mean was 1101.3 W (MLPerf Inference
/// v1.0, DellEMC, R7525_A100_PCIe-40GBx3_TRT). The host's idle watts are from the same log, the cards' from
/// captures, their busy watts from rates at power limits: 380 + 3 x 250 and some for the processors.
#[test]
fn a_published_server_has_the_watts_that_the_catalogue_says() {
    let power = watts_of(
        "host = \"dell-r7525\"\n[power]\n[[vm]]\nworkload = \"resnet50\"\n\
         load = { scenario = \"offline\", target_qps = 30000, min_duration = \"2 s\", rules = \"none\" }\n",
    );
    let (mean, [low, high]) = (power.mean_w.unwrap(), power.mean_w_range.unwrap());
    assert!((1130.0..1140.0).contains(&mean), "{mean} W: 380 + 750 + 1 % of 300");
    assert!(low < 1101.3 && 1101.3 < high, "{low} to {high} W");
}

/// Two hosts of 100 W with one card each of 34 W idle and 72 W with a context; one VM that asks nothing much. The
/// host without a VM stays on, or is on standby all the time for 12 W.
#[test]
fn an_empty_host_stays_on_or_is_on_standby() {
    let of = |empty: &str| {
        watts_of(&format!(
            "hypervisor = \"vsphere-7.0u2\"\n\
             [[host]]\nname = \"host\"\ncount = 2\ngpus = {{ model = \"a100-pcie-40gb\", count = 1 }}\n\
             model = {{ logical_processors = 64, memory = \"1 TB\", power_idle_w = 100, power_cpu_w = 0 }}\n\
             [power]\nempty_hosts = \"{empty}\"\nstandby_w = 12\n\
             [[vm]]\nvcpus = 8\nmemory = \"32 GB\"\nvgpu = {{ type = \"A100-10C\" }}\nworkload = \"bert-99\"\n\
             load = {{ scenario = \"server\", target_qps = 1, min_duration = \"20 s\", rules = \"none\" }}\n"
        ))
    };
    let [on, standby] = ["on", "standby"].map(of);
    let cards =
        |power: &PowerResult| power.cards.iter().map(|card| card.mean_w).sum::<Option<f64>>();
    // A query a second keeps a card busy for some 2 ms of it, 178 W above its 72.
    let busy = on.cards[0].mean_w.unwrap() - 72.0;
    assert!((0.1..1.5).contains(&busy), "{busy} W");
    assert!((on.cards[1].mean_w.unwrap() - 34.0).abs() < 1e-9, "no context");
    assert!((on.mean_w.unwrap() - (200.0 + 72.0 + 34.0 + busy)).abs() < 1e-9);
    assert!((standby.mean_w.unwrap() - (100.0 + 12.0 + 72.0 + busy)).abs() < 1e-9);
    assert!((cards(&standby).unwrap() - (72.0 + busy)).abs() < 1e-9);
    assert_eq!(standby.hosts.iter().map(|host| host.standby_share).sum::<f64>(), 1.0);
}

/// Two hosts of 100 W with one card each, 34 W idle and 72 W with a context; standby draws nothing and takes no
/// time. A VM on the first asks 10 queries a second for 40 s; it starts in 3 s and loads in 2, its memory of
/// 30 GB goes over a network of 10 GB/s in 3.0003 s (1 MB/s changes), and its storage takes 10 GB/s.
fn two_hosts(empty: &str, vm: &str, operations: &[&str]) -> (PowerResult, f64) {
    let operations: Vec<String> =
        operations.iter().map(|one| format!("[[operation]]\n{one}\n")).collect();
    let text = format!(
        "hypervisor = \"vsphere-7.0u2\"\nbaseline = \"none\"\n\
         [[host]]\nname = \"host\"\ncount = 2\ngpus = {{ model = \"a100-pcie-40gb\", count = 1 }}\n\
         model = {{ logical_processors = 64, memory = \"1 TB\", power_idle_w = 100, power_cpu_w = 0 }}\n\
         [power]\nempty_hosts = \"{empty}\"\nstandby_w = 0\nshutdown = \"0 s\"\nboot = \"0 s\"\n\
         [[vm]]\nname = \"a\"\nvcpus = 8\nmemory = \"30 GB\"\nworkload = \"bert-99\"\n{vm}\n\
         [vm.load]\nscenario = \"server\"\ntarget_qps = 10\nmin_duration = \"40 s\"\n\
         min_query_count = 1\nrules = \"none\"\n{}{}",
        match operations.is_empty() {
            true => "",
            false =>
                "[operations]\nboot = \"3 s\"\nmodel_load = \"2 s\"\nplacement = \"1 s\"\n\
                 clone_time = \"10 s\"\nnetwork_gbps = 80\ndirty_rate = \"0.001 GB/s\"\n\
                 storage_bandwidth = \"10 GB/s\"\n",
        },
        operations.concat(),
    );
    let power = watts_of(&text);
    let seconds = power.kwh.unwrap() * 3.6e6 / power.mean_w.unwrap();
    (power, seconds)
}

const SLICED: &str = "vgpu = { type = \"A100-10C\" }";

/// A host is on from when a VM starts there or is copied there: from 10 s on where the move begins then, though
/// the VM goes on there 3 s later at the earliest; from the power-on, and not only when the model is loaded,
/// 5 s later; for a clone, whose disk is copied to storage, from 10 s on.
#[test]
fn a_host_is_awake_from_when_a_vm_starts_or_is_copied_there() {
    let standby = |host: usize, operations: &[&str]| {
        let (power, seconds) = two_hosts("standby", SLICED, operations);
        power.hosts[host].standby_share * seconds
    };
    let near = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 1e-6, "{found} s, not {expected}");
    };
    let to = "at = \"10 s\"\nkind = \"vmotion\"\nvm = \"a\"\nto = \"host-2\"";
    near(standby(1, &[to]), 10.0);
    let off = "at = \"5 s\"\nkind = \"power-off\"\nvm = \"a\"";
    let on = "at = \"12 s\"\nkind = \"power-on\"\nvm = \"a\"";
    near(standby(0, &[off, on]), 7.0);
    let clone = "at = \"0 s\"\nkind = \"clone\"\nvm = \"a\"\nto = \"host-2\"";
    near(standby(1, &[clone]), 10.0);
}

/// The host fails at 5 s and is back at 9. Its VM is restarted there, 18 s after the failure: the context is
/// open until 5 s, and from 5 + 18 + 1 + 3 + 2 = 29 s on. Standing by, the host is so from 9 to 23 s.
#[test]
fn a_failed_host_draws_nothing_until_it_is_back() {
    let fails = "at = \"5 s\"\nkind = \"host-failure\"\nhost = \"host-1\"\nback_after = \"4 s\"";
    let (on, seconds) = two_hosts("on", SLICED, &[fails]);
    let idle = |host: usize| on.hosts[host].mean_w.unwrap() - on.hosts[host].cards_w.unwrap();
    assert!((on.hosts[0].failed_share * seconds - 4.0).abs() < 1e-6);
    assert!((idle(0) * seconds - 100.0 * (seconds - 4.0)).abs() < 1e-3, "{} W", idle(0));
    let joules = on.cards[0].mean_w.unwrap() * seconds;
    let without_work = 34.0 * (seconds - 4.0) + 38.0 * (5.0 + seconds - 29.0);
    // 10 queries a second, some 2 ms of 178 W above the context each, while the VM is up.
    let work = joules - without_work;
    assert!((0.03..0.06).contains(&(work / (10.0 * (5.0 + seconds - 29.0)) / 10.0)), "{work} J");
    let (standby, seconds) = two_hosts("standby", SLICED, &[fails]);
    assert!((standby.hosts[0].standby_share * seconds - 14.0).abs() < 1e-6);
}

/// No context is open on a card on which no VM runs: of a VM that is suspended, once it is written until it is
/// read back; of replicas that are off all the time, though their vGPU is kept.
#[test]
fn a_card_on_which_nobody_runs_has_no_context() {
    let suspend = "at = \"5 s\"\nkind = \"suspend\"\nvm = \"a\"";
    let resume = "at = \"20 s\"\nkind = \"resume\"\nvm = \"a\"";
    let (power, seconds) = two_hosts("on", SLICED, &[suspend, resume]);
    let joules = (power.cards[0].mean_w.unwrap() - 34.0) * seconds;
    // 38 W beside the idle watts until 5 s and the writing, and from 20 s and the reading on, which take as
    // long: all but 15 s. With the context of all 40 s it would be 1520 J and more.
    let open = 38.0 * (seconds - 15.0);
    assert!(joules > open && joules < open + 300.0, "{joules} J, {open} of the context");
    let replicas = "count = 2\nvgpu = { type = \"A100-40C\" }\nbalance = \"round-robin\"\n\
         replicas = { min = 1, outstanding = 100000 }";
    let (power, _) = two_hosts("standby", replicas, &[]);
    assert_eq!(power.cards[1].mean_w, Some(34.0), "its host is on for it, its card idle");
    assert!(power.cards[0].mean_w > Some(72.0));
    assert_eq!(power.hosts[1].processors_busy_share, 0.0);
}

#[test]
fn watts_that_nobody_stated_are_not_told() {
    let power = watts_of(
        "host = { logical_processors = 64, memory = \"512 GB\" }\ngpus = { model = \"h200-sxm-141gb\", count = 1 }\n\
         [power]\n[[vm]]\nworkload = \"bert-large-torch\"\n\
         load = { scenario = \"server\", target_qps = 10, min_duration = \"5 s\", rules = \"none\" }\n",
    );
    assert_eq!((power.mean_w, power.joule_per_sample), (None, None));
    let told = power.not_known.join("; ");
    for part in ["host own-host", "idle watts of h200-sxm-141gb", "bert-large-torch draws"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

/// The pictures and figures of the page are what the program gives; `UPDATE=1` takes new pictures.
#[test]
fn the_page_shows_what_a_day_of_load_gives() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let (printed, _) = check(&["run", "scenarios/day-of-load", "--out", out, "--quiet"], 0);
    for name in ["power", "percentiles"] {
        let drawn = folder.path().join(format!("{name}.svg"));
        hold_picture(&drawn, &format!("docs/explanation/power/day-of-load-{name}.svg"));
    }
    let page = std::fs::read_to_string("docs/explanation/power.md").unwrap();
    let told: Vec<&str> =
        page.lines().skip_while(|line| !line.starts_with("| eight BERT")).collect();
    let rows = printed.lines().skip_while(|line| !line.starts_with("power ")).skip(2).take(3);
    for (row, told) in rows.zip(&told[2..]) {
        // Watts, their range, joules and kWh are the last words of both.
        let words: Vec<&str> = row.split_whitespace().collect();
        let [watts, low, to, high, joules, kwh] = words[words.len() - 6..] else { unreachable!() };
        let cells = format!("| {watts} | {low} {to} {high} | {joules} | {kwh} |");
        assert!(told.contains(&cells), "{cells}\n{told}");
    }
}
