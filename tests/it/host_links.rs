//! Cards behind one PCIe switch share its link to the host.

use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::platform::simulate;
use slicewise::spec::{Experiment, Pair};
use slicewise::study::whole_cards;

fn pair(text: &str) -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.toml");
    std::fs::write(&path, text).unwrap();
    let catalogue = Catalogue::load(None).unwrap();
    let scenario = load(&path, &LoadOptions::new(catalogue));
    scenario.unwrap_or_else(|error| panic!("{text}\n{error}")).pairs.remove(0)
}

/// Samples per second of the first VM.
fn rate(experiment: &Experiment) -> f64 {
    let outcome = simulate(experiment);
    let recorder = &outcome.vms[0].recorder;
    recorder.answered() as f64 / recorder.last_completion().as_secs_f64()
}

/// ResNet-50 Offline on cards that are attached so.
fn offline(gpus: &str, seconds: u32) -> Experiment {
    let host = match gpus.is_empty() {
        true => "host = \"dell-dss8440\"".to_string(),
        false => {
            format!("host = {{ logical_processors = 96, memory = \"768 GB\" }}\ngpus = {gpus}")
        }
    };
    let text = format!(
        "{host}\n[[vm]]\nworkload = \"resnet50\"\nserver = {{ preset = \"mlperf-lwis\", batch_max = 2048, streams = 1, slots = 2 }}\nload = {{ scenario = \"offline\", target_qps = 330000, min_duration = \"{seconds} s\", rules = \"none\", min_query_count = 1 }}\n"
    );
    pair(&text).virtual_run.experiment
}

/// A sample is 150 528 bytes and a card does more than 30 000 of them a second, so that 1 GB/s is the
/// border: 6643 a second on a link, however many cards are behind it. The first batch of a card, 2048
/// samples, is copied before it is computed and the last computed after it: of ten seconds' work 1 %.
#[test]
fn cards_behind_one_switch_share_its_link() {
    let of_link = 1e9 / 150_528.0;
    let cards = |rest: &str| {
        format!("{{ model = \"a100-pcie-80gb\", count = 2, pcie_bandwidth = \"1 GB/s\"{rest} }}")
    };
    let one = rate(&offline(&cards(", pcie_switch = 0"), 1));
    assert!((0.99..=1.0).contains(&(one / of_link)), "{one} of {of_link}");
    let each = rate(&offline(&cards(""), 1));
    assert!((0.99..=1.0).contains(&(each / (2.0 * of_link))), "{each} of twice {of_link}");
    // Entries of a list meet at their switch, wherever they stand, and another switch is another link.
    let card = |switch: u32| {
        format!(
            "{{ model = \"a100-pcie-80gb\", count = 1, pcie_bandwidth = \"1 GB/s\", pcie_switch = {switch} }}"
        )
    };
    let three = format!("[{}, {}, {}]", card(3), card(1), card(3));
    let mixed = rate(&offline(&three, 1));
    let links = mixed / of_link;
    // A card without a free slot is passed over, so both links always have a batch to carry.
    assert!((1.97..=2.0).contains(&links), "{links} links");
}

/// MLPerf Inference v1.1, DSS8440_A100-PCIE-80GBx10_TRT: 310 855/s. The speed of the links is that of others
/// of their kind, the cards' own that of other machines. Of a run of 30 s the last two batches of a card,
/// 150 ms each on a link of three, are half a percent. Without the links ten cards do 368 000.
#[test]
fn ten_cards_behind_four_switches_are_as_fast_as_published() {
    let linked = rate(&offline("", 30));
    assert!((linked / 310_855.0 - 1.0).abs() < 0.01, "{linked}");
    let free = rate(&offline("{ model = \"a100-pcie-80gb\", count = 10 }", 10));
    assert!(free > 360_000.0, "{free}");
}

#[test]
fn a_whole_card_for_each_guest_has_a_link_of_its_own() {
    let vm = "[[vm]]\ncount = 2\nvcpus = 8\ngpus = 1\nworkload = \"resnet50\"\nserver.batch_max = 8\nload = { scenario = \"server\", target_qps = 300, rules = \"none\" }\n";
    let text = format!("host = \"dell-dss8440\"\nhypervisor = \"vsphere-8.0\"\n{vm}");
    let experiment = pair(&text).virtual_run.experiment;
    assert_eq!(experiment.cards[1].link.switch, Some(0));
    let alone = whole_cards(&experiment);
    assert!(alone.cards.iter().all(|card| card.link.switch.is_none()));
    assert!(alone.cards.iter().all(|card| card.link_bandwidth().value.get() == 12.4e9));
}
