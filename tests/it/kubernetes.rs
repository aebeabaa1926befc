//! mig-parted and device-plugin files: read, written, read again; scenarios made of them, and made
//! into them.
//!
//! Files that are almost right are in `tests/bad/formats`.

use crate::support::cases;
use proptest::prelude::*;
use slicewise::config::{Catalogue, LoadOptions, load};
use slicewise::formats::device_plugin::{self, DevicePlugin, Method, Replicated, Replication};
use slicewise::formats::kubernetes::{Configuration, Entry, read, write_config_map};
use slicewise::formats::mig_parted::{self, Instances, MigConfig, MigConfigs, MigRule};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is in a file, without keys and places.
fn contents(text: &str) -> Vec<Configuration> {
    let entries = read(text).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
    entries.into_iter().map(|Entry { configuration, .. }| without_places(configuration)).collect()
}

fn without_places(mut configuration: Configuration) -> Configuration {
    match &mut configuration {
        Configuration::MigParted(file) => {
            for config in &mut file.configs {
                config.span = 0..0;
                config.rules.iter_mut().for_each(|rule| rule.span = 0..0);
                let instances = config.rules.iter_mut().flat_map(|rule| &mut rule.instances);
                instances.for_each(|one| one.span = 0..0);
            }
        }
        Configuration::VgpuManager(_) | Configuration::Requests(_) => {}
        Configuration::DevicePlugin(plugin) => {
            let resources = plugin.sharing.iter_mut().flat_map(|sharing| &mut sharing.resources);
            resources.for_each(|one| one.span = 0..0);
        }
    }
    configuration
}

fn written(configuration: &Configuration) -> String {
    match configuration {
        Configuration::MigParted(file) => mig_parted::write(file),
        Configuration::DevicePlugin(plugin) => device_plugin::write(plugin),
        Configuration::VgpuManager(_) | Configuration::Requests(_) => unreachable!("read only"),
    }
}

/// Written and read again, bare and inside a ConfigMap, it says the same.
fn check_round_trip(configuration: &Configuration) {
    let text = written(configuration);
    assert_eq!(contents(&text), std::slice::from_ref(configuration), "{text}");
    let wrapped = write_config_map("gpu: \"sharing\"", "any key", &text);
    let entries = read(&wrapped).unwrap_or_else(|faults| panic!("{faults:?}\n{wrapped}"));
    assert_eq!(entries[0].key.as_deref(), Some("any key"));
    assert_eq!(contents(&wrapped), std::slice::from_ref(configuration), "{wrapped}");
}

#[test]
fn every_sample_says_the_same_after_a_round_trip() {
    let mut read = 0;
    for folder in ["mig-parted", "device-plugin"] {
        for file in fs::read_dir(format!("tests/formats/{folder}")).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            for configuration in contents(&text) {
                check_round_trip(&configuration);
                read += 1;
            }
        }
    }
    // Eight files: five of mig-parted, five configurations of the plugin in three.
    assert_eq!(read, 10);
}

#[test]
fn a_file_says_what_is_written_in_it() {
    let text = fs::read_to_string("tests/formats/mig-parted/a100.yaml").unwrap();
    let [Configuration::MigParted(file)] = &contents(&text)[..] else { panic!("one file") };
    let names: Vec<&str> = file.configs.iter().map(|config| config.name.as_str()).collect();
    let expected =
        ["all-disabled", "all-enabled", "all-1g.5gb", "media", "all-balanced", "custom-config"];
    assert_eq!(names, expected);
    let custom = &file.configs[5].rules;
    assert_eq!(custom[0].devices, Some(vec![0, 1]));
    assert!(!custom[1].mig_enabled && custom[2].instances.len() == 1);
    assert_eq!(file.configs[4].rules[1].device_filter, ["0x20B210DE"]);

    let text = fs::read_to_string("tests/formats/device-plugin/config-map.yaml").unwrap();
    let entries = read(&text).unwrap();
    let keys: Vec<_> = entries.iter().filter_map(|entry| entry.key.as_deref()).collect();
    assert_eq!(keys, ["whole", "a100-40gb", "json"]);
    let Configuration::DevicePlugin(plugin) = &entries[1].configuration else { panic!("a plugin") };
    let warnings = &entries[1].warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].title.contains("[1].rename` is ignored"), "{warnings:?}");
    assert_eq!(&text[warnings[0].span.clone()], "nvidia.com/mig-tiny");
    assert_eq!(plugin.sharing.as_ref().unwrap().resources[1].profile(), Some("1g.5gb"));
}

/// Standard output of the program, which must succeed.
fn slicewise(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_slicewise")).args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The scenario on standard output of an import, which must be one.
fn imported(folder: &Path, arguments: &[&str]) -> std::path::PathBuf {
    let path = folder.join("imported.toml");
    fs::write(&path, slicewise(arguments)).unwrap();
    let options = LoadOptions::new(Catalogue::load(None).unwrap());
    load(&path, &options).unwrap_or_else(|error| panic!("{error}"));
    path
}

#[test]
fn a_layout_becomes_a_scenario_and_a_layout_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = "tests/formats/mig-parted/a100.yaml";
    let gpu = ["--gpu", "a100-pcie-40gb"];
    let list = slicewise(&["import", file, gpu[0], gpu[1]]);
    assert!(list.contains("all-balanced   all GPUs: "), "{list}");
    assert!(list.lines().count() >= 8 && list.contains("MIG off"), "{list}");
    let import = ["import", file, gpu[0], gpu[1], "--config", "all-balanced", "--cards", "2"];
    let scenario = imported(folder.path(), &import);
    let text = slicewise(&["export", "mig-parted", scenario.to_str().unwrap()]);
    let [Configuration::MigParted(file)] = &contents(&text)[..] else { panic!("one file") };
    assert_eq!(file.configs[0].name, "all-disabled");
    assert_eq!(file.configs[1].rules.len(), 1, "{text}");
    let mut counts: Vec<_> = file.configs[1].rules[0]
        .instances
        .iter()
        .map(|one| (&one.profile[..], one.count))
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [("1g.5gb", 2), ("2g.10gb", 1), ("3g.20gb", 1)], "{text}");
}

#[test]
fn replicas_become_a_scenario_and_replicas_again() {
    let folder = tempfile::tempdir().unwrap();
    for (file, method, replicas) in
        [("time-slicing", Method::TimeSlicing, 10), ("mps", Method::Mps, 4)]
    {
        let file = format!("tests/formats/device-plugin/{file}.yaml");
        let import = ["import", &file, "--gpu", "a100-pcie-40gb", "--cards", "2"];
        let scenario = imported(folder.path(), &import);
        let text = slicewise(&["export", "device-plugin", scenario.to_str().unwrap()]);
        let [Configuration::DevicePlugin(plugin)] = &contents(&text)[..] else { panic!("one") };
        let sharing = plugin.sharing.as_ref().unwrap();
        assert_eq!((sharing.method, sharing.resources[0].replicas), (method, replicas), "{text}");
    }
    let file = "tests/formats/device-plugin/config-map.yaml";
    let list = slicewise(&["import", file, "--gpu", "a100-pcie-40gb"]);
    assert!(list.starts_with("whole      whole GPUs\n"), "{list}");
}

#[test]
fn a_layout_is_placed_before_it_is_written() {
    let export = |profiles: &[&str]| {
        let arguments = ["export", "mig-parted", "--gpu", "a100-pcie-40gb", "--name", "mine"];
        let arguments = arguments.iter().chain(profiles);
        let output =
            Command::new(env!("CARGO_BIN_EXE_slicewise")).args(arguments).output().unwrap();
        let streams = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), streams)
    };
    let (code, [stdout, _]) = export(&["3g.20gb", "2g.10gb", "2x1g.5gb"]);
    let expected = "version: v1
mig-configs:
  all-disabled:
    - devices: all
      mig-enabled: false
  mine:
    - devices: all
      mig-enabled: true
      mig-devices:
        \"3g.20gb\": 1
        \"2g.10gb\": 1
        \"1g.5gb\": 2
";
    assert_eq!((code, stdout.as_str()), (Some(0), expected));
    // Four instances of two memory slices and three of one are eleven.
    let (code, [stdout, stderr]) = export(&["4x1g.10gb", "3x1g.5gb"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("need 11 memory slices, a card has 8"), "{stderr}");
    for wrong in ["9999x1g.5gb", "0x1g.5gb", "1g.50gb", "x"] {
        let (code, [stdout, stderr]) = export(&[wrong]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{wrong}: {stderr}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9.-]{0,12}",
        "\\PC{1,12}",
        Just("true".to_string()),
        Just("1.5".to_string()),
        Just("a: b # c".to_string())
    ]
}

fn any_rule() -> impl Strategy<Value = MigRule> {
    let filter = prop::collection::vec("0x[0-9A-F]{4}10DE", 0..3);
    let devices = prop::option::of(prop::collection::vec(0..256u32, 1..4));
    let profile = "[1-7]g\\.[1-9][0-9]?gb(\\+me)?";
    let instances = prop::collection::btree_map(profile, 1..8u32, 0..4);
    (filter, devices, any::<bool>(), instances).prop_map(
        |(device_filter, devices, mig_enabled, instances)| MigRule {
            span: 0..0,
            device_filter,
            devices,
            mig_enabled,
            instances: instances
                .into_iter()
                .filter(|_| mig_enabled)
                .map(|(profile, count)| Instances { profile, count, span: 0..0 })
                .collect(),
        },
    )
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn whatever_layouts_are_written_are_read_again(
        configs in prop::collection::btree_map(any_text(), prop::collection::vec(any_rule(), 1..3), 1..4),
    ) {
        let config = |(name, rules)| MigConfig { name, span: 0..0, rules };
        let file = MigConfigs { configs: configs.into_iter().map(config).collect() };
        check_round_trip(&Configuration::MigParted(file));
    }

    #[test]
    fn whatever_sharing_is_written_is_read_again(
        strategy in prop::option::of(prop::sample::select(vec!["none", "single", "mixed"])),
        method in prop::sample::select(vec![Method::TimeSlicing, Method::Mps]),
        rename in any::<bool>(),
        fail in prop::option::of(any::<bool>()),
        resources in prop::option::of(prop::collection::vec((prop::sample::select(vec!["gpu", "mig-1g.5gb"]), 2..1024u32), 1..3)),
    ) {
        let resource = |(name, replicas)| Replicated { name: format!("nvidia.com/{name}"), span: 0..0, replicas };
        let sharing = resources.map(|resources| Replication {
            method,
            rename_by_default: rename,
            fail_requests_greater_than_one: fail,
            resources: resources.into_iter().map(resource).collect(),
        });
        let plugin = DevicePlugin { mig_strategy: strategy, sharing };
        check_round_trip(&Configuration::DevicePlugin(plugin));
    }
}
