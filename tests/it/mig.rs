//! MIG: the positions of every board whose listing is public, the counts of layouts, and the
//! `slicewise mig` commands as an administrator types them.
//!
//! The rules behind them are tested where they stand, in `layout::geometry`, `creation` and `cutting`.

use serde_json::Value;
use slicewise::config::Catalogue;
use slicewise::layout::cutting::{Cut, Wish, cut};
use slicewise::layout::geometry::Geometry;
use slicewise::spec::GpuSpec;
use std::process::Command;

fn catalogue() -> Catalogue {
    Catalogue::load(None).unwrap_or_else(|error| panic!("{error}"))
}

/// Exit code, standard output, standard error.
fn mig(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slicewise"));
    command.env_remove("SLICEWISE_CONFIGS");
    let output = command.arg("mig").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn good(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = mig(arguments);
    assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}\n{stdout}");
    stdout
}

#[track_caller]
fn refused(arguments: &[&str], why: &str) {
    let (code, stdout, stderr) = mig(arguments);
    assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}\n{stderr}");
    assert!(stderr.contains(why), "{arguments:?}\n{stderr}");
}

/// A question that is answered no: on standard output, exit code 4.
#[track_caller]
fn no(arguments: &[&str], why: &str) {
    let (code, stdout, stderr) = mig(arguments);
    assert_eq!((code, stderr.as_str()), (4, ""), "{arguments:?}\n{stdout}");
    assert!(stdout.contains(why), "{arguments:?}\n{stdout}");
}

/// Name, id, most, positions, as `nvidia-smi mig -lgip` and `-lgipp` print them.
type Row = (&'static str, u32, u32, &'static str);

const EIGHTHS: [&str; 6] =
    ["{0}:8", "{0}:4", "{0,4}:4", "{0,2,4}:2", "{0,2,4,6}:2", "{0,1,2,3,4,5,6}:1"];

/// Ids and maxima of A100 and H100 are alike; only the names tell their memory.
fn of_eighths(names: [&'static str; 7]) -> Vec<Row> {
    let [whole, four, three, two, doubled, one, media] = names;
    vec![
        (whole, 0, 1, EIGHTHS[0]),
        (four, 5, 1, EIGHTHS[1]),
        (three, 9, 2, EIGHTHS[2]),
        (two, 14, 3, EIGHTHS[3]),
        (doubled, 15, 4, EIGHTHS[4]),
        (one, 19, 7, EIGHTHS[5]),
        (media, 20, 1, EIGHTHS[5]),
    ]
}

/// Public listings: A100 40 GB and 80 GB and H100 80 GB (NVIDIA MIG User Guide and users' pages),
/// H100 NVL (Colfax Research, Sharing NVIDIA GPUs at the system level), A30 (users' pages), RTX PRO
/// 6000 Blackwell (users' pages; twelve units, three to a slice).
fn printed() -> Vec<(&'static str, Vec<Row>)> {
    let a100_40 =
        of_eighths(["7g.40gb", "4g.20gb", "3g.20gb", "2g.10gb", "1g.10gb", "1g.5gb", "1g.5gb+me"]);
    let of_80 = of_eighths([
        "7g.80gb",
        "4g.40gb",
        "3g.40gb",
        "2g.20gb",
        "1g.20gb",
        "1g.10gb",
        "1g.10gb+me",
    ]);
    let of_94 = of_eighths([
        "7g.94gb",
        "4g.47gb",
        "3g.47gb",
        "2g.24gb",
        "1g.24gb",
        "1g.12gb",
        "1g.12gb+me",
    ]);
    let a30 = vec![
        ("4g.24gb", 0, 1, "{0}:4"),
        ("2g.12gb", 5, 2, "{0,2}:2"),
        ("2g.12gb+me", 6, 1, "{0,2}:2"),
        ("1g.6gb", 14, 4, "{0,1,2,3}:1"),
        ("1g.6gb+me", 21, 1, "{0,1,2,3}:1"),
    ];
    let rtx = vec![
        ("4g.96gb", 0, 1, "{0}:12"),
        ("4g.96gb+gfx", 32, 1, "{0}:12"),
        ("2g.48gb", 5, 2, "{0,6}:6"),
        ("2g.48gb+gfx", 35, 2, "{0,6}:6"),
        ("2g.48gb+me.all", 64, 1, "{0,6}:6"),
        ("2g.48gb-me", 66, 2, "{0,6}:6"),
        ("1g.24gb", 14, 4, "{0,3,6,9}:3"),
        ("1g.24gb+me", 21, 1, "{0,3,6,9}:3"),
        ("1g.24gb+gfx", 47, 4, "{0,3,6,9}:3"),
        ("1g.24gb+me.all", 65, 1, "{0,3,6,9}:3"),
        ("1g.24gb-me", 67, 4, "{0,3,6,9}:3"),
    ];
    vec![
        ("a100-pcie-40gb", a100_40.clone()),
        ("a100-sxm-40gb", a100_40),
        ("a100-pcie-80gb", of_80.clone()),
        ("a100-sxm-80gb", of_80.clone()),
        ("h100-sxm-80gb", of_80),
        ("h100-nvl-94gb", of_94),
        ("a30", a30),
        ("rtx-pro-6000-blackwell", rtx),
    ]
}

#[test]
fn every_printed_position_is_in_the_catalogue() {
    let catalogue = catalogue();
    let mut boards = Vec::new();
    for (id, mut rows) in printed() {
        let gpu = catalogue.gpu(id).unwrap();
        let mut known: Vec<_> = gpu
            .mig_profiles
            .iter()
            .map(|one| (one.name.as_str(), one.id, one.max_per_gpu, one.positions()))
            .collect();
        known.sort();
        rows.sort();
        let rows: Vec<_> =
            rows.into_iter().map(|(name, id, most, at)| (name, id, most, at.to_string())).collect();
        assert_eq!(known, rows, "{id}");
        assert!(gpu.mig_profiles.iter().all(|one| one.is_printed), "{id}");
        boards.push(id);
    }
    // All others are inferred, and say so.
    let others = catalogue.gpus().filter(|gpu| !boards.contains(&gpu.id.as_str()));
    for gpu in others {
        assert!(gpu.mig_profiles.iter().all(|one| !one.is_printed), "{}", gpu.id);
        if !gpu.mig_profiles.is_empty() {
            let text = good(&["list", &gpu.id]);
            let marked = text.lines().filter(|line| line.ends_with("(inferred)")).count();
            assert_eq!(marked, gpu.mig_profiles.len(), "{text}");
        }
    }
}

/// SMs of 1g, doubled 1g, 2g, 3g, 4g, 7g (public listings of each board).
#[test]
fn sms_are_those_of_the_listings() {
    let catalogue = catalogue();
    for (id, expected) in [
        ("a100-pcie-40gb", [14, 14, 28, 42, 56, 98]),
        ("h100-sxm-80gb", [16, 26, 32, 60, 64, 132]),
        ("h100-nvl-94gb", [16, 26, 32, 60, 64, 132]),
        ("gh200-96gb", [16, 26, 32, 60, 64, 132]),
        ("h200-sxm-141gb", [16, 26, 32, 60, 64, 132]),
        ("h100-pcie-80gb", [14, 14, 30, 46, 62, 114]),
    ] {
        let gpu = catalogue.gpu(id).unwrap();
        let plain = gpu.mig_profiles.iter().filter(|one| !one.is_variant());
        let mut sizes: Vec<_> =
            plain.map(|one| (one.compute_slices, one.memory_slices, one.sms)).collect();
        sizes.sort();
        let sms: Vec<_> = sizes.into_iter().map(|(_, _, sms)| sms).collect();
        assert_eq!(sms, expected.map(Some), "{id}");
    }
}

#[test]
fn tables_of_all_boards_hang_together() {
    for gpu in catalogue().gpus() {
        for one in &gpu.mig_profiles {
            let at = format!("{} {}", gpu.id, one.name);
            assert!(one.max_per_gpu as usize <= one.starts.len(), "{at}");
            assert!(one.frame_buffer.is_none_or(|own| own <= gpu.memory.value), "{at}");
            let plain = gpu.mig_profiles.iter().find(|plain| plain.name == one.plain_name());
            let plain = plain.unwrap_or_else(|| panic!("{at} has no plain namesake"));
            assert_eq!((plain.sms, &plain.starts), (one.sms, &one.starts), "{at}");
            let ids = gpu.mig_profiles.iter().filter(|other| other.id == one.id);
            assert_eq!(ids.count(), 1, "{at}: id {} twice", one.id);
        }
    }
}

/// A layout that was enumerated can be cut, on every board, variants included where few.
#[test]
fn every_set_of_every_board_can_be_cut() {
    let check = |gpu: &GpuSpec, with_variants: bool| {
        let geometry = Geometry::new(&gpu.mig_profiles);
        let among = |profile: usize| with_variants || !gpu.mig_profiles[profile].is_variant();
        let mut sets: Vec<_> =
            geometry.layouts(&among).iter().map(|layout| geometry.counts(layout)).collect();
        sets.sort();
        sets.dedup();
        for wanted in sets {
            let all = wanted.iter().enumerate().flat_map(|(profile, count)| {
                (0..*count).map(move |_| Wish { profile, start: None })
            });
            let all: Vec<Wish> = all.collect();
            let found = cut(&geometry, &all, 1);
            assert!(matches!(found, Cut::Made { .. }), "{}: {wanted:?}", gpu.id);
        }
    };
    for gpu in catalogue().gpus() {
        check(gpu, gpu.mig_profiles.len() < 7);
    }
}

#[test]
fn an_a100_has_723_layouts_of_which_78_are_maximal() {
    let counts = |arguments: &[&str]| {
        let arguments = [&["layouts", "a100-pcie-40gb", "--json"], arguments].concat();
        let document: Value = serde_json::from_str(&good(&arguments)).unwrap();
        let number = |key: &str| document[key].as_u64().unwrap();
        let rows = document["rows"].as_array().unwrap().len() as u64;
        (number("layouts_total"), number("maximal_total"), number("maximal_sets_total"), rows)
    };
    assert_eq!(counts(&[]), (723, 78, 38, 723));
    assert_eq!(counts(&["--maximal"]), (723, 78, 38, 78));
    assert_eq!(counts(&["--maximal", "--sets"]), (723, 78, 38, 38));
    let (_, maximal, sets, rows) = counts(&["--maximal", "--without", "1g.10gb"]);
    assert_eq!((maximal, sets, rows), (19, 14, 19));
    let text = good(&["layouts", "a100-pcie-40gb", "--maximal", "--sets"]);
    assert!(text.contains("    7/7     7/8   98  7 x 1g.5gb\n"), "{text}");
    // One media extension: each layout with n of the 1g has n further ones.
    let (all, ..) = counts(&["--variants"]);
    assert!(all > 723, "{all}");
}

#[test]
fn profiles_are_listed_as_nvidia_smi_prints_them() {
    let text = good(&["list", "h100-sxm-80gb"]);
    for line in [
        "| GPU   Name               ID    Instances   Memory     P2P    SM    DEC   ENC  |",
        "|   0  MIG 1g.10gb         19     7/7        9.75       No     16     1     0   |",
        "|                                                               1     1     0   |",
        "|   0  MIG 2g.20gb         14     3/3        19.62      No     32     2     0   |",
        "|   0  MIG 3g.40gb          9     2/2        39.50      No     60     3     0   |",
        "|   0  MIG 7g.80gb          0     1/1        79.25      No     132    7     0   |",
        "|                                                               8     7     1   |",
        "GPU  0 Profile ID 19 Placements: {0,1,2,3,4,5,6}:1",
        "GPU  0 Profile ID  0 Placement : {0}:8",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    // Unpublished figures are a dash, not a guess.
    let text = good(&["list", "b200-180gb"]);
    let line = "|   0  MIG 3g.90gb          9     2/2        -          No     -      -     0   |";
    assert!(text.lines().any(|found| found == line), "{text}");
    // NVIDIA MIG User Guide, Compute Instances.
    let text = good(&["list", "a100-pcie-40gb", "--gi", "3g.20gb"]);
    let line =
        "|   0      -       MIG 3g.20gb          2*     1/1           42        2     0     0   |";
    assert!(text.lines().any(|found| found == line), "{text}");
    let document: Value = serde_json::from_str(&good(&["list", "a30", "--json"])).unwrap();
    assert_eq!(document["profiles"][0]["profile"], "1g.6gb");
    assert_eq!(document["profiles"][0]["positions"], "printed");
}

#[test]
fn what_is_free_beside_others_is_counted_as_listed() {
    let free = |arguments: &[&str]| -> Vec<String> {
        let text = good(&[&["list"], arguments].concat());
        let rows = text.lines().filter(|line| line.contains("  MIG "));
        rows.map(|row| row.split_whitespace().nth(5).unwrap().to_string()).collect()
    };
    // Public listing of an A100 40 GB after `-cgi 4g.20gb`: 1g, 1g+me, doubled 1g, 2g, 3g, 4g, 7g.
    let beside = free(&["a100-pcie-40gb", "--beside", "4g.20gb"]);
    assert_eq!(beside, ["3/7", "1/1", "2/4", "1/3", "1/2", "0/1", "0/1"]);
    // A 3g at 4:4 leaves 4/7 and 2/3 (users' listing of an A100 80 GB); the one at 0:4 of the
    // NVIDIA MIG User Guide leaves 3/7.
    let beside = free(&["a100-pcie-80gb", "--beside", "3g.40gb"]);
    assert_eq!([&beside[0], &beside[3], &beside[4]], ["4/7", "2/3", "1/2"]);
    let beside = free(&["a100-pcie-40gb", "--beside", "3g.20gb@0"]);
    assert_eq!(beside[0], "3/7");
    no(&["list", "a30", "--beside", "5x1g.6gb"], "no layout of a30 holds");
    no(&["list", "a30", "--beside", "5x1g.6gb"], "`slicewise mig place a30 5x1g.6gb` shows why");
    no(&["list", "a30", "--beside", "5x1g.6gb", "--json"], "\"fits\": false");
    refused(&["list", "a30", "--beside", "1g.5gb"], "is not a GPU instance profile of a30");
}

#[test]
fn a_layout_is_drawn_with_the_commands_that_make_it() {
    let text = good(&["place", "a100-pcie-40gb", "3g.20gb", "2g.10gb", "1g.5gb"]);
    assert!(
        text.contains("│    2g.10gb    │1g.5gb │       │            3g.20gb            │"),
        "{text}"
    );
    assert!(
        text.contains(
            "in use    6 of 7 compute slices, 7 of 8 memory slices, 84 of 98 SMs (the card has 108)"
        ),
        "{text}"
    );
    assert!(text.contains("room for  1 x 1g.5gb\n"), "{text}");
    assert!(text.contains("\n  nvidia-smi mig -i 0 -cgi 9,14,19 -C\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where they do not show");
    let text = good(&["place", "a100-pcie-40gb", "7x1g.5gb"]);
    assert!(text.contains("98 of 98 SMs"), "{text}");
    assert!(text.contains("stranded  memory slice 7: 1/8 of memory and bandwidth"), "{text}");
    let text = good(&["place", "a100-pcie-40gb", "3g.20gb:2"]);
    assert!(text.contains("stranded  1 of 7 compute slices"), "{text}");
    let text = good(&["place", "h100-sxm-80gb", "7x1g.10gb"]);
    assert!(text.contains("112 of 132 SMs"), "{text}");
    let text = good(&["place", "a100-pcie-40gb", "3x1c.3g.20gb", "4g.20gb"]);
    assert!(text.contains("-gi <ID of 3g.20gb at 4> -cci 0,0,0\n"), "{text}");
    assert!(text.contains("-gi <ID of 4g.20gb at 0> -cci\n"), "{text}");
}

/// Memory slices above compute slices, compute instances inside; free slices blank, stranded ones grey.
#[test]
fn a_card_is_drawn_slice_by_slice() {
    let drawn = |gpu: &str, profiles: &[&str]| good(&[&["place", gpu], profiles].concat());
    let halves = drawn("a100-pcie-40gb", &["3g.20gb", "3g.20gb"]);
    let picture = "
slice        0       1       2       3       4       5       6       7
         ┌───────────────────────────────┬───────────────────────────────┐
memory   │            3g.20gb            │            3g.20gb            │
         ├───────────────────────┬───────┼───────────────────────┬───────┘
compute  │        42 SMs         │░░░░░░░│        42 SMs         │
         └───────────────────────┴───────┴───────────────────────┘
";
    assert!(halves.contains(picture), "{halves}");
    let divided =
        drawn("a100-pcie-40gb", &["2c.3g.20gb", "1c.3g.20gb", "1g.10gb@0", "1g.5gb+me@2"]);
    let picture = "
slice        0       1       2       3       4       5       6       7
         ┌───────────────┬───────┬───────┬───────────────────────────────┐
memory   │    1g.10gb    │ 1g+me │       │            3g.20gb            │
         ├───────┬───────┼───────┼───────┼───────────────────────┬───────┘
compute  │14 SMs │░░░░░░░│14 SMs │       │        42 SMs         │
         └───────┴───────┴───────┴───────┼───────────────┬───────┤
CIs                                      │      2c       │  1c   │
                                         └───────────────┴───────┘
";
    assert!(divided.contains(picture), "{divided}");
    // Twelve memory slices stay within 80 columns.
    let twelve = drawn("rtx-pro-6000-blackwell", &["2g.48gb-me", "1g.24gb+me.all", "1g.24gb-me"]);
    let (picture, _) = twelve.split_once("  in use").unwrap();
    assert!(picture.lines().all(|line| line.chars().count() <= 80), "{picture}");
    assert!(picture.contains("│1g.24gb+me.all│"), "{picture}");
}

#[test]
fn an_order_that_gets_stuck_is_told_with_one_that_does_not() {
    // NVIDIA MIG User Guide, Instance Geometry: `-cgi 19,19,14,9` ends with Insufficient Resources.
    let text = good(&["place", "a100-pcie-40gb", "19,19,14,9"]);
    assert!(text.contains("-cgi 9,14,19,19 -C"), "{text}");
    let note = "the driver places 1g.5gb at 6, 1g.5gb at 4, 2g.10gb at 0, and has no room for number 4, 3g.20gb";
    assert!(text.contains(note), "{text}");
    let text = good(&["place", "a100-pcie-40gb", "3g.20gb", "4g.20gb"]);
    assert!(text.contains("-cgi 9,5 -C") && text.contains("need driver R510"), "{text}");
    let text = good(&["place", "a100-pcie-40gb", "9,19,14,19"]);
    assert!(text.contains("-cgi 9,19,14,19 -C") && !text.contains("has no room"), "{text}");
    let text = good(&["place", "a100-pcie-40gb", "4g.20gb", "1g.10gb", "2x1g.5gb"]);
    assert!(text.contains("-cgi 5:0,19:4,19:5,15:6 -C") || text.contains(":6"), "{text}");
    assert!(text.contains("no order reaches this layout: name the starts"), "{text}");
    let document = good(&["place", "a100-pcie-40gb", "3g.20gb", "4g.20gb", "--json"]);
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!((&document["fits"], &document["order"]), (&true.into(), &"as-asked".into()));
    assert_eq!(document["gpus"][0]["instances"][1]["start"], 0);
}

#[test]
fn what_has_no_layout_is_answered_with_reason_and_nearest() {
    let users = ["place", "a100-pcie-40gb", "4x1g.10gb", "3x1g.5gb"];
    no(
        &users,
        "they take 7 compute slices but 11 memory slices, and the card has 7 and 8: 4 x 2 (1g.10gb), 3 x 1 (1g.5gb)",
    );
    no(&users, "nearest: 3 x 1g.10gb, 2 x 1g.5gb");
    no(&users, "2 GPUs hold all of it: --gpus 2");
    good(&[&users[..], &["--gpus", "2"]].concat());
    no(&["place", "a100-pcie-40gb", "8x1g.5gb"], "8 x 1g.5gb are too many: a card can have 7");
    no(&["place", "a100-pcie-40gb", "3g.20gb@0", "2g.10gb@2"], "overlap");
    no(&["place", "a100-pcie-40gb", "3g.20gb@2"], "its positions are {0,4}:4");
    no(&["place", "a100-pcie-40gb", "2x1g.5gb+me"], "too many: a card can have 1");
    no(&["place", "a30", "1g.6gb+me", "2g.12gb+me"], "media engines");
    no(&["place", "rtx-pro-6000-blackwell", "1g.24gb+me.all", "1g.24gb"], "media engines");
    good(&["place", "rtx-pro-6000-blackwell", "1g.24gb+me.all", "3x1g.24gb-me"]);
    let (code, stdout, _) = mig(&[&users[..], &["--json"]].concat());
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &document["fits"]), (4, &false.into()));
    assert_eq!(document["gpus_enough"], 2);
}

/// Case t48 (kubernetes-sigs/dra-driver-nvidia-gpu issue 933).
#[test]
fn what_must_move_or_go_is_said() {
    let answer = |arguments: &[&str]| mig(&[&["place"], arguments].concat());
    assert_eq!(
        answer(&["h100-sxm-80gb", "3g.40gb", "--beside", "1g.10gb@0,1g.10gb@1,1g.10gb@5"]),
        (
            4,
            "no layout of h100-sxm-80gb holds 3g.40gb beside 1g.10gb at 0, 1g.10gb at 1, 1g.10gb at 5\n\nbecause: they have a layout together, but not with the existing instances at their present places\nnearest: delete 1g.10gb at 5 and create it again at 2 or 3; then 3g.40gb goes to 4\n".to_string(),
            String::new()
        )
    );
    assert_eq!(
        answer(&["h100-sxm-80gb", "1g.10gb@0", "1g.10gb@1", "1g.10gb@5", "3g.40gb"]),
        (
            4,
            "no layout of h100-sxm-80gb holds 3 x 1g.10gb, 3g.40gb\n\nbecause: they have a layout, but not with the named starts\nnearest: 1g.10gb at 2 or 3 instead of 5; then 3g.40gb goes to 4\nhelp: 2 GPUs hold all of it: --gpus 2\n".to_string(),
            String::new()
        )
    );
    no(&["place", "a100-pcie-40gb", "3g.20gb@2"], "nearest: 3g.20gb at 0 or 4 instead of 2\n");
    no(
        &["place", "a100-pcie-40gb", "3g.20gb@0", "2g.10gb@2"],
        "nearest: 2g.10gb at 4 instead of 2\n",
    );
    let whole = ["place", "a100-pcie-40gb", "7g.40gb", "--beside", "1g.5gb@3", "--beside", "15:0"];
    no(&whole, "nearest: delete 1g.5gb at 3, delete 1g.10gb at 0; then 7g.40gb goes to 0\n");
    // Beside what is there only the new ones are made, and MIG is on already.
    let text =
        good(&["place", "a100-pcie-40gb", "3g.20gb", "--beside", "1g.5gb@0", "--beside", "19:1"]);
    assert!(text.contains("GPU 0: 3g.20gb beside 1g.5gb at 0, 1g.5gb at 1\n"), "{text}");
    assert!(text.contains("commands\n  nvidia-smi mig -i 0 -cgi 9 -C\n"), "{text}");
    no(&["place", "a30", "1g.6gb", "--beside", "5x1g.6gb"], "holds the instances of --beside");
    refused(&["place", "a30", "1g.6gb", "--beside", "1g.6gb", "--gpus", "2"], "--gpus");
    let document = answer(&["a100-pcie-40gb", "2x3g.20gb", "--beside", "4g.20gb", "--json"]).1;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["change"]["deleted"][0]["profile"], "4g.20gb");
    assert_eq!(document["change"]["placed"][1]["start"], 4);
}

#[test]
fn bad_questions_are_refused_at_once() {
    let many = vec!["100x1g.5gb"; 3000];
    refused(&[&["place", "a100-pcie-40gb"], &many[..]].concat(), "128 memory slices in all");
    let distinct: Vec<String> = (0..3000).map(|number| format!("{number}g.5gb")).collect();
    let distinct: Vec<&str> = distinct.iter().map(String::as_str).collect();
    refused(&[&["place", "a100-pcie-40gb"], &distinct[..]].concat(), "allowed: 7g.40gb (id 0)");
    refused(&["place", "a100-pcie-40gb"], "required");
    refused(&["place", "a100-pcie-40", "1g.5gb"], "did you mean \"a100-pcie-40gb\"?");
    refused(&["place", "a100-pcie-40gb", "1g.6gb"], "it is one of a30");
    refused(&["place", "a100-pcie-40gb", "0x1g.5gb"], "counts from 1 to 128");
    refused(&["place", "a100-pcie-40gb", "1g.5gb", "--gpus", "0"], "from 1 to 16");
    refused(&["place", "a100-pcie-40gb", "1g.5gb@0", "--gpus", "2"], "several GPUs");
    refused(&["list", "l40s"], "allowed: a100-pcie-40gb");
    refused(&["list", "a30", "--gi", "3g.20gb"], "is not a GPU instance profile of a30");
    refused(&["layouts", "a30", "--without", "1g.5gb"], "did you mean \"1g.6gb\"?");
    // The largest question that is searched, on the board with most profiles.
    let rtx: Vec<String> = [
        "4g.96gb",
        "2g.48gb",
        "2g.48gb+gfx",
        "2g.48gb+me.all",
        "2g.48gb-me",
        "1g.24gb",
        "1g.24gb+me",
        "1g.24gb+gfx",
        "1g.24gb+me.all",
        "1g.24gb-me",
    ]
    .iter()
    .map(|name| format!("5x{name}"))
    .collect();
    let rtx: Vec<&str> = rtx.iter().map(String::as_str).collect();
    let (code, ..) =
        mig(&[&["place", "rtx-pro-6000-blackwell", "--gpus", "16"], &rtx[..]].concat());
    assert!(code == 0 || code == 2 || code == 4);
}
