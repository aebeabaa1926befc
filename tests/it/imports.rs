//! Files of Kubernetes nodes as people have them, imported for one GPU: cases of public issue threads
//! (named with each), and what must hold of every import.
//!
//! Whether a file can be read at all is in `foreign` and `kubernetes`.

use crate::dice::Dice;
use slicewise::config::Catalogue;
use slicewise::layout::placement::{Assignment, Cards, Claim};
use std::io::Write;
use std::process::{Command, Stdio};

/// What the program says of a file on standard input: exit code, standard output, standard error.
fn slicewise(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_slicewise"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that has refused its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), out, err)
}

fn import(file: &str, gpu: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["import", "-", "--gpu", gpu], more].concat();
    slicewise(&arguments, file)
}

/// The output of an import that succeeds.
fn imported(file: &str, gpu: &str, more: &[&str]) -> String {
    let (code, out, err) = import(file, gpu, more);
    assert_eq!(code, Some(0), "{gpu} {more:?}: {err}");
    out
}

/// A host of several models is written with a rule for each, by ids on the PCI bus; each model's import
/// takes its own and passes over the other.
#[test]
fn layouts_of_several_models_come_back_model_by_model() {
    let vm = |mig: &str, count: u32| {
        format!(
            "[[vm]]\nvcpus = 4\ncount = {count}\nmig = \"{mig}\"\nworkload = \"bert-99\"\nload = {{ scenario = \"server\", target_qps = 30 }}\n"
        )
    };
    let scenario = [
        "host = { logical_processors = 64, memory = \"512 GB\" }\n",
        "gpus = [{ model = \"a100-pcie-40gb\", count = 2 }, { model = \"a30\", count = 2 }]\n",
        &vm("3g.20gb", 4),
        &vm("1g.6gb", 3),
    ]
    .concat();
    let (code, layouts, err) = slicewise(&["export", "mig-parted", "-"], &scenario);
    assert_eq!(code, Some(0), "{err}");
    for line in
        ["device-filter: [\"0x20B710DE\"]", "devices: [0, 1]", "devices: [2]", "devices: [3]"]
    {
        assert!(layouts.contains(line), "{line} in {layouts}");
    }
    for (gpu, has) in [("a30", "GPU 2: 1g.6gb 0"), ("a100-pcie-40gb", "GPU 0, 1: 3g.20gb 4-7")] {
        let out = imported(&layouts, gpu, &["--cards", "4"]);
        assert!(out.contains(has), "{out}");
    }
    // The plugin has one number for all GPUs of a node.
    let pods = [("a100-pcie-40gb", 4), ("a30", 2)].map(|(gpu, count)| {
        vm("1g.6gb", count)
            .replace("mig = \"1g.6gb\"", &format!("gpu = \"{gpu}\"\nprocess = \"mps\""))
    });
    let head = scenario.lines().take(2).collect::<Vec<_>>().join("\n");
    let (code, plugin, told) =
        slicewise(&["export", "device-plugin", "-"], &format!("{head}\n{}", pods.concat()));
    assert_eq!(code, Some(0), "{told}");
    assert!(
        plugin.contains("replicas: 4") && told.contains("whatever its model"),
        "{plugin}{told}"
    );
}

/// The message of an import that is refused.
fn refused(file: &str, gpu: &str, more: &[&str]) -> String {
    let (code, out, err) = import(file, gpu, more);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{gpu} {more:?}: {err}");
    err
}

/// The line of a list that begins with this name.
fn line<'l>(list: &'l str, name: &str) -> &'l str {
    let found = list.lines().find(|line| line.split("  ").next() == Some(name));
    found.unwrap_or_else(|| panic!("no line of {name} in\n{list}")).trim()
}

/// A layout with one rule for all GPUs, on one line.
fn layout(name: &str, profiles: &str) -> String {
    format!("  {name}: [{{devices: all, mig-enabled: true, mig-devices: {{{profiles}}}}}]\n")
}

const HEAD: &str = "version: v1\nmig-configs:\n";

/// mig-parted's own default file has the layouts of all models, most without a filter.
#[test]
fn layouts_of_other_models_are_listed_as_such() {
    let file = format!(
        "{HEAD}  all-disabled: [{{devices: all, mig-enabled: false}}]\n{}{}{}",
        layout("all-1g.5gb", "1g.5gb: 7"),
        layout("all-1g.6gb", "1g.6gb: 4"),
        layout("all-7g.278gb", "7g.278gb: 1"),
    );
    let list = imported(&file, "a30", &[]);
    assert_eq!(line(&list, "all-disabled"), "all-disabled  all GPUs: MIG off");
    let placed = "all-1g.6gb    all GPUs: 1g.6gb 0, 1g.6gb 1, 1g.6gb 2, 1g.6gb 3";
    assert_eq!(line(&list, "all-1g.6gb"), placed);
    for other in ["all-1g.5gb", "all-7g.278gb"] {
        assert!(line(&list, other).contains("for other GPUs: "), "{list}");
    }
    let scenario = imported(&file, "a30", &["--config", "all-1g.6gb"]);
    assert!(scenario.contains("mig = \"1g.6gb\""), "{scenario}");
    let error = refused(&file, "a30", &["--config", "all-1g.5gb"]);
    assert!(error.contains("\"1g.5gb\" is not offered by a30"), "{error}");
    assert!(error.contains("did you mean \"1g.6gb\"?"), "{error}");
}

/// A profile of no GPU is a slip wherever it stands, unless another layout is asked for.
#[test]
fn a_profile_that_no_gpu_has_is_told() {
    let file =
        format!("{HEAD}{}{}", layout("all-1g.6gb", "1g.6gb: 4"), layout("slip", "1g.7gb: 1"));
    let error = refused(&file, "a30", &[]);
    assert!(error.contains("\"1g.7gb\" is not offered by a30"), "{error}");
    assert!(error.contains("<stdin>:4") || error.contains(":4:"), "{error}");
    imported(&file, "a30", &["--config", "all-1g.6gb"]);
    // Eight of seven fit no GPU either.
    let file = format!("{HEAD}{}", layout("eight", "1g.5gb: 8"));
    refused(&file, "a30", &[]);
}

/// The same name is seven instances on one model and four on another: the filter tells them apart.
#[test]
fn a_device_filter_goes_by_the_ids_of_the_model() {
    let file = format!(
        "{HEAD}  all-1g.10gb:
    - {{device-filter: [\"0x233010DE\", \"0x233110DE\", \"0x20B210DE\", \"0x20B510DE\"], devices: all, mig-enabled: true, mig-devices: {{1g.10gb: 7}}}}
    - {{device-filter: [\"0x20B010DE\", \"0x20b110de\", \"0x20F110DE\", \"0x20F610DE\"], devices: all, mig-enabled: true, mig-devices: {{1g.10gb: 4}}}}
"
    );
    for (gpu, count) in [
        ("a100-pcie-40gb", 4),
        ("a100-sxm-40gb", 4),
        ("h100-pcie-80gb", 7),
        ("h100-sxm-80gb", 7),
        ("a100-pcie-80gb", 7),
    ] {
        let list = imported(&file, gpu, &[]);
        assert_eq!(list.matches("1g.10gb ").count() - 1, count, "{gpu}: {list}");
        assert_eq!(list.lines().count(), 1, "{gpu}: {list}");
        let scenario = imported(&file, gpu, &["--config", "all-1g.10gb"]);
        assert!(scenario.contains("mig = \"1g.10gb\""), "{scenario}");
    }
    let list = imported(&file, "t4", &[]);
    assert_eq!(list, "all-1g.10gb  for other GPUs: by its device-filter\n");
    let error = refused(&file, "t4", &["--config", "all-1g.10gb"]);
    assert!(error.contains("t4 is \"0x1EB810DE\""), "{error}");
    // One id by itself, and none, which is every model.
    for filter in ["\"0x20B710DE\"", "[]", "\"\""] {
        let file = format!(
            "{HEAD}  a: [{{device-filter: {filter}, devices: all, mig-enabled: true, mig-devices: {{1g.6gb: 4}}}}]\n"
        );
        assert!(imported(&file, "a30", &[]).contains("1g.6gb 3"), "{filter}");
    }
}

/// Files of the shape of mig-parted's complete default and of the gpu-operator's ConfigMap: for each
/// GPU the layouts whose profiles it has, and no other.
#[test]
fn a_file_for_many_models_is_good_on_every_gpu() {
    let catalogue = Catalogue::load(None).unwrap();
    for path in ["many-models", "operator"] {
        let file =
            std::fs::read_to_string(format!("tests/formats/mig-parted/{path}.yaml")).unwrap();
        for gpu in catalogue.gpus() {
            let list = imported(&file, &gpu.id, &[]);
            // Without its ids a filter says nothing of a model: profiles decide as far as they can.
            if catalogue.pci_ids(&gpu.id).is_empty() {
                continue;
            }
            let fits = |line: &&str| !line.contains("for other GPUs");
            let here: Vec<&str> =
                list.lines().filter(fits).filter_map(|line| line.split("  ").next()).collect();
            assert!(here.starts_with(&["all-disabled", "all-enabled"]), "{}: {here:?}", gpu.id);
            // The A800-SXM4-40GB (20BD) stands in no filter of NVIDIA's file.
            let ids = catalogue.pci_ids(&gpu.id).iter();
            let is_named = ids.map(|id| format!("0x{id:08X}")).any(|id| file.contains(&id));
            for profile in &gpu.mig_profiles {
                let name = format!("all-{}", profile.name.replace('+', "."));
                let is_by_filter = ["all-1g.10gb", "all-1g.24gb"].contains(&name.as_str());
                if file.contains(&format!(" {name}:\n"))
                    && name != "all-1g.24gb"
                    && (is_named || !is_by_filter)
                {
                    assert!(here.contains(&name.as_str()), "{}: {name}\n{list}", gpu.id);
                }
            }
            let known = |name: &str| {
                gpu.mig_profiles
                    .iter()
                    .any(|one| format!("all-{}", one.name.replace('+', ".")) == name)
            };
            let others = ["all-disabled", "all-enabled", "all-balanced"];
            assert!(here.iter().all(|name| others.contains(name) || known(name)), "{here:?}");
        }
        let balanced = |gpu: &str| line(&imported(&file, gpu, &[]), "all-balanced").to_string();
        assert!(
            balanced("a30").ends_with("1g.6gb 0, 1g.6gb 1, 2g.12gb 2-3"),
            "{}",
            balanced("a30")
        );
        assert!(balanced("h200-sxm-141gb").contains("3g.71gb 4-7"));
        assert!(balanced("gh200-96gb").contains("3g.48gb 4-7"));
        assert!(balanced("t4").contains("for other GPUs: by its device-filter"));
    }
}

/// Helm values, a HelmChart with values in it, and a list of ConfigMaps: what is inside is found.
#[test]
fn configurations_are_found_where_people_keep_them() {
    let values = "devicePlugin:
  config:
    name: shared
    default: \"any\"
    data:
      any: |-
        version: v1
        flags:
          migStrategy: none
        sharing:
          timeSlicing:
            resources:
            - name: nvidia.com/gpu
              replicas: 15
";
    let scenario = imported(values, "a100-pcie-40gb", &["--config", "any"]);
    assert!(scenario.contains("replicas = 15"), "{scenario}");
    assert_eq!(imported(values, "a100-pcie-40gb", &[]), scenario);
    let wrong = values.replace("replicas: 15", "replicas: 1");
    assert!(refused(&wrong, "t4", &[]).contains(":14:25"), "{}", refused(&wrong, "t4", &[]));

    let chart = "apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata: {name: gpu-operator}
spec:
  valuesContent: |-
    mig:
      strategy: mixed
    migManager:
      config:
        name: custom
        data:
          config.yaml: |-
            version: v1
            mig-configs:
              custom:
                - devices: [0]
                  mig-enabled: true
                  mig-devices:
                    \"1g.10gb\": 4
                    \"3g.40gb\": 1
";
    let list = imported(chart, "h100-pcie-80gb", &[]);
    assert!(list.starts_with("custom  GPU 0: ") && list.contains("3g.40gb 4-7"), "{list}");
    let error = refused(chart, "a30", &["--config", "custom"]);
    assert!(error.contains(":19:21"), "the place in the chart: {error}");

    let map = "apiVersion: v1
  data:
    config.yaml: |
      version: v1
      mig-configs:
        all-disabled:
          - devices: all
            mig-enabled: false
  kind: ConfigMap
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"data\": {\"config.yaml\": \"version: v1\\nmig-configs: {}\\n\"}}
    name: default-mig-parted-config
";
    let list =
        format!("apiVersion: v1\nitems:\n- {map}kind: List\nmetadata:\n  resourceVersion: \"\"\n");
    assert_eq!(imported(&list, "a30", &[]), "all-disabled  all GPUs: MIG off\n");
}

/// What else a ConfigMap has is no mistake of its configurations.
#[test]
fn foreign_keys_of_a_config_map_are_passed_over() {
    let map = "apiVersion: v1
kind: ConfigMap
data:
  notes.txt: |
    Ask the operators: version 2 comes soon
  settings.yaml: |
    version: \"2.1\"
    log: {level: debug}
  any: |
    version: v1
    sharing: {timeSlicing: {resources: [{name: nvidia.com/gpu, replicas: 2}]}}
";
    let (code, out, err) = import(map, "t4", &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("replicas = 2"), "{out}");
    for key in ["notes.txt", "settings.yaml"] {
        assert!(err.contains(&format!("warning: `data.{key}` is not a configuration")), "{err}");
    }
    let without = &map[..map.find("  any").unwrap()];
    let error = refused(without, "t4", &[]);
    assert!(
        error.contains("holds no configuration") && error.contains("`data.notes.txt`"),
        "{error}"
    );
}

/// Of a ConfigMap with a key for each kind of node the one that is asked for is judged.
#[test]
fn only_the_selected_key_is_judged() {
    let map = "apiVersion: v1
kind: ConfigMap
data:
  a100-40gb: |-
    version: v1
    flags: {migStrategy: mixed}
    sharing: {timeSlicing: {resources: [{name: nvidia.com/mig-1g.5gb, replicas: 2}]}}
  broken: |-
    version: v1
    sharing: {timeSlicing: {resources: []}}
  tesla-t4: |-
    version: v1
    sharing: {timeSlicing: {resources: [{name: nvidia.com/gpu, replicas: 4}]}}
";
    let scenario = imported(map, "t4", &["--config", "tesla-t4"]);
    assert!(scenario.contains("replicas = 4"), "{scenario}");
    assert!(refused(map, "t4", &["--config", "broken"]).contains(":10:"));
    let error = refused(map, "t4", &["--config", "a100-40gb"]);
    assert!(error.contains("\"1g.5gb\" is not offered by t4"), "{error}");
    let whole = map.replace("resources: []", "resources: [{name: nvidia.com/gpu, replicas: 3}]");
    let list = imported(&whole, "t4", &[]);
    assert!(line(&list, "a100-40gb").contains("for other GPUs"), "{list}");
}

/// A GPU cut twice is what mig-parted would do last, and then find unmet.
#[test]
fn two_rules_that_cut_one_gpu_are_refused() {
    let rules = |second: &str| {
        format!(
            "{HEAD}  mixed:\n    - {{devices: [0, 1], mig-enabled: true, mig-devices: {{1g.5gb: 7}}}}\n    - {{devices: {second}, mig-enabled: true, mig-devices: {{3g.20gb: 2}}}}\n"
        )
    };
    for second in ["[1, 2]", "all"] {
        for more in [&[][..], &["--config", "mixed"]] {
            let error = refused(&rules(second), "a100-pcie-40gb", more);
            assert!(error.contains("rule 2 cuts a GPU that rule 1 cuts in another way"), "{error}");
        }
    }
    imported(&rules("[2, 3]"), "a100-pcie-40gb", &[]);
}

/// What `check` says of a scenario on standard input.
fn check(scenario: &str) -> (Option<i32>, String) {
    let (code, out, err) = slicewise(&["check", "-"], scenario);
    (code, out + &err)
}

fn accepted(scenario: &str) {
    let (code, said) = check(scenario);
    assert_eq!(code, Some(0), "{said}\n{scenario}");
}

/// A scenario of a layout has its instances on its cards, and exports to the same layout.
#[test]
fn a_layout_stays_on_its_cards() {
    let file = format!(
        "{HEAD}  custom:
    - {{devices: [0,1,2,3], mig-enabled: false}}
    - {{devices: [4], mig-enabled: true, mig-devices: {{1g.10gb: 7}}}}
    - {{devices: [5], mig-enabled: true, mig-devices: {{2g.20gb: 3}}}}
    - {{devices: [6], mig-enabled: true, mig-devices: {{3g.40gb: 2}}}}
    - {{devices: [7], mig-enabled: true, mig-devices: {{1g.10gb: 2, 2g.20gb: 1, 3g.40gb: 1}}}}
"
    );
    let arguments = ["--config", "custom", "--cards", "8"];
    let scenario = imported(&file, "a100-pcie-80gb", &arguments);
    assert!(scenario.starts_with("# GPU 0, 1, 2, 3 without MIG"), "{scenario}");
    for part in [
        "mig = \"1g.10gb\"\ncard = 4\ninstance = [6, 4, 5, 0, 1, 2, 3]\n",
        "mig = \"3g.40gb\"\ncard = 6\ninstance = [4, 0]\n",
        "mig = \"3g.40gb\"\ncard = 7\ninstance = 4\n",
    ] {
        assert!(scenario.contains(part), "{part}\n{scenario}");
    }
    accepted(&scenario);
    let (folder, path) = written(&scenario);
    let (code, out, err) = slicewise(&["export", "mig-parted", &path], "");
    drop(folder);
    assert_eq!(code, Some(0), "{err}");
    let expected = "    - devices: [0, 1, 2, 3]
      mig-enabled: false
    - devices: [4]
      mig-enabled: true
      mig-devices:
        \"1g.10gb\": 7
    - devices: [5]
      mig-enabled: true
      mig-devices:
        \"2g.20gb\": 3
    - devices: [6]
      mig-enabled: true
      mig-devices:
        \"3g.40gb\": 2
    - devices: [7]
      mig-enabled: true
      mig-devices:
        \"1g.10gb\": 2
        \"2g.20gb\": 1
        \"3g.40gb\": 1
";
    assert!(out.ends_with(expected), "{out}");
}

/// A file with this text, and the folder that must outlive it.
fn written(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    std::fs::write(&path, text).unwrap();
    let shown = path.to_str().unwrap().to_string();
    (folder, shown)
}

#[test]
fn a_node_without_mig_has_its_whole_cards() {
    let file = format!("{HEAD}  off: [{{devices: all, mig-enabled: false}}]\n");
    let scenario = imported(&file, "a100-pcie-40gb", &["--config", "off", "--cards", "2"]);
    assert!(scenario.contains("count = 2\nvcpus = 2\ngpus = 1\ncard = [0, 1]\n"), "{scenario}");
    accepted(&scenario);
}

/// Compute instances divide the SMs of one GPU instance: its processes share it, each in its part.
#[test]
fn compute_instances_share_one_gpu_instance() {
    let file = format!("{HEAD}{}", layout("ci", "1c.3g.20gb: 3, 3g.20gb: 1"));
    let scenario = imported(&file, "a100-pcie-40gb", &["--config", "ci"]);
    // 14 of the 42 SMs of a 3g.20gb.
    let process =
        "process = { sharing = \"mps\", mig = \"3g.20gb\", active_threads = \"33.33 %\" }";
    assert!(scenario.contains(process), "{scenario}");
    assert!(scenario.contains("name = \"1c.3g.20gb\"\ncount = 3\n"), "{scenario}");
    assert!(scenario.contains("instance = [4, 4, 4]\n"), "{scenario}");
    accepted(&scenario);
}

/// Of 40960 MiB a quarter each, and a quarter of the threads, as the plugin's MPS daemon sets them.
#[test]
fn replicas_under_mps_have_limits() {
    let file = |replicas: u32, resource: &str| {
        format!(
            "version: v1\nflags: {{migStrategy: mixed}}\nsharing: {{mps: {{resources: [{{name: {resource}, replicas: {replicas}}}]}}}}\n"
        )
    };
    let scenario = imported(&file(4, "nvidia.com/gpu"), "a100-pcie-40gb", &[]);
    let has = "sharing = \"mps\", active_threads = \"25 %\", memory_limit = \"10240 MiB\"";
    assert!(scenario.contains(has), "{scenario}");
    accepted(&scenario);
    // One pod that takes more is refused: batches of 900 need 10.9 GiB.
    let big = scenario.replace("batch_max = 1 }", "batch_max = 900 }");
    let (code, said) = check(&big);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the memory limit of a process"), "{said}");
    // Whole per cent and whole MiB: 100 / 3 and 40960 / 3.
    let scenario = imported(&file(3, "nvidia.com/gpu"), "a100-pcie-40gb", &[]);
    assert!(scenario.contains("\"33 %\", memory_limit = \"13653 MiB\""), "{scenario}");
    let error = refused(&file(2, "nvidia.com/mig-3g.20gb"), "a100-pcie-40gb", &[]);
    assert!(error.contains("the device plugin does not share MIG devices by MPS"), "{error}");
    let error = refused(&file(49, "nvidia.com/gpu"), "a100-pcie-40gb", &[]);
    assert!(error.contains("2 to 48 replicas"), "{error}");
}

/// A file with a number for each resource: one of them, or all at once.
#[test]
fn each_resource_has_replicas_of_its_own() {
    let file = "version: v1
flags: {migStrategy: mixed}
sharing:
  timeSlicing:
    resources:
    - {name: nvidia.com/gpu, replicas: 8}
    - {name: nvidia.com/mig-1g.5gb, replicas: 2}
    - {name: nvidia.com/mig-2g.10gb, replicas: 2}
    - {name: nvidia.com/mig-3g.20gb, replicas: 3}
    - {name: nvidia.com/mig-7g.40gb, replicas: 7}
";
    let scenario = imported(file, "a100-sxm-40gb", &["--workload", "bert-99"]);
    let counts =
        "replicas = { gpu = 8, \"1g.5gb\" = 2, \"2g.10gb\" = 2, \"3g.20gb\" = 3, \"7g.40gb\" = 7 }";
    assert!(scenario.contains(counts), "{scenario}");
    // A 7g and a whole card need cards of their own, the other three fit one.
    assert!(scenario.contains("count = 3 }"), "{scenario}");
    for name in ["nvidia.com/mig-1g.5gb", "mig-1g.5gb"] {
        let scenario = imported(file, "a100-pcie-40gb", &["--resource", name]);
        assert!(
            scenario.contains("replicas = 2\n") && scenario.contains("count = 1 }"),
            "{scenario}"
        );
        accepted(&scenario);
    }
    let (code, _, error) = import(file, "a100-pcie-40gb", &["--resource", "mig-1g.5g"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("did you mean"), "{error}");
    // What a strategy does not show is no resource.
    for strategy in ["none", "single"] {
        let file = file.replace("mixed", strategy);
        let (code, out, err) = import(&file, "a100-pcie-40gb", &[]);
        assert_eq!(code, Some(0), "{err}");
        assert!(
            out.contains("replicas = 8\n") && err.contains("a node has no nvidia.com/mig-1g.5gb")
        );
    }
}

/// What the plugin passes over is a warning that says where it belongs; our limits are ours.
#[test]
fn the_plugin_s_leniency_is_kept() {
    let file = "version: v1
flags: {renameByDefault: true, failRequestsGreaterThanOne: false, migStrategie: none}
Sharing: {TIMESLICING: {resources: [{name: nvidia.com/gpu, replicas: 16384, failRequestsGreaterThanOne: true}]}}
";
    let (code, out, err) = import(file, "a100-pcie-40gb", &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("replicas = 1024\n"), "{out}");
    for part in [
        "\"renameByDefault\" in `flags`: the device plugin ignores it",
        "it belongs to `sharing.timeSlicing`",
        "did you mean \"migStrategy\"?",
        "is 16384: the device plugin allows it, but slicewise simulates at most 1024",
        "64 of 1024 pods",
    ] {
        assert!(err.contains(part), "{part}\n{err}");
    }
    assert!(!err.contains("error"), "{err}");
    let twice = "version: v1\nsharing: {timeSlicing: {resources: [{name: gpu, replicas: 2}]}}\nsharing: {timeSlicing: {resources: [{name: gpu, replicas: 3}]}}\n";
    let (code, out, err) = import(twice, "a100-pcie-40gb", &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains("replicas = 3") && err.contains("\"sharing\" is written twice here"),
        "{err}"
    );
}

/// Whatever GPU an import is for, its scenario is accepted, or says on top what to fill in.
#[test]
fn a_beginning_is_accepted_or_says_what_is_missing() {
    let catalogue = Catalogue::load(None).unwrap();
    let shared =
        "version: v1\nsharing: {mps: {resources: [{name: nvidia.com/gpu, replicas: 4}]}}\n";
    for gpu in catalogue.gpus() {
        let mut files = vec![(shared.to_string(), Vec::new())];
        if let Some(profile) = gpu.mig_profiles.last() {
            let cut = layout("cut", &format!("\"{}\": 1", profile.name));
            files.push((format!("{HEAD}{cut}"), vec!["--config", "cut"]));
        }
        for (file, more) in files {
            let scenario = imported(&file, &gpu.id, &more);
            let (code, said) = check(&scenario);
            match scenario.starts_with("# To fill in: ") {
                true => assert_eq!(code, Some(2), "{}: {said}\n{scenario}", gpu.id),
                false => assert_eq!(code, Some(0), "{}: {said}\n{scenario}", gpu.id),
            }
        }
    }
    let scenario = imported(shared, "t4", &[]);
    assert!(
        scenario.contains("no workload of the catalogue has service times on t4"),
        "{scenario}"
    );
}

/// Sets of vGPUs are answered as `vgpu fit` answers; NVIDIA's own example of a mix contradicts the
/// placement ids that NVIDIA prints.
#[test]
fn sets_of_vgpus_fit_or_not() {
    let file = |what: &str| {
        format!(
            "version: v1\nvgpu-configs:\n  set:\n    - devices: all\n      vgpu-devices: {{{what}}}\n"
        )
    };
    let list = imported(&file("A10-4C: 6"), "a10", &[]);
    assert_eq!(list, "set  all GPUs: 6 x A10-4C\n");
    let list = imported(&file("A10-12C: 1, A10-6C: 1"), "a10", &[]);
    assert!(list.contains("(mixed-size mode)"), "{list}");
    let (code, out, err) = import(&file("A10-4C: 3, A10-6C: 2"), "a10", &[]);
    assert_eq!(code, Some(4), "{out}{err}");
    for part in [
        "no: one card does not hold 2 x A10-6C, 3 x A10-4C",
        "A10-4C {",
        "cloud-native-docs",
        "contradict",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    let list = imported(&file("A40-48C: 1"), "a10", &[]);
    assert!(list.contains("for other GPUs: \"A40-48C\" is not offered by a10"), "{list}");
    let scenario = imported(&file("A100-20C: 2"), "a100-pcie-40gb", &["--config", "set"]);
    assert!(scenario.contains("vgpu = { type = \"A100-20C\" }\ncard = 0\n"), "{scenario}");
    accepted(&scenario);
}

/// Claims of NVIDIA's DRA driver and how they are shared.
#[test]
fn claims_become_processes_of_one_gpu() {
    let file = |kind: &str, sharing: &str| {
        format!(
            "apiVersion: resource.k8s.io/v1beta1
kind: ResourceClaimTemplate
metadata: {{name: shared}}
spec:
  spec:
    devices:
      requests: [{{name: gpu, deviceClassName: gpu.nvidia.com}}]
      config:
      - requests: [gpu]
        opaque:
          driver: gpu.nvidia.com
          parameters:
            apiVersion: resource.nvidia.com/v1beta1
            kind: {kind}
            sharing: {sharing}
---
apiVersion: v1
kind: Pod
metadata: {{name: two}}
spec:
  containers:
  - {{name: a, resources: {{claims: [{{name: gpu}}]}}}}
  - {{name: b, resources: {{claims: [{{name: gpu}}]}}}}
  resourceClaims: [{{name: gpu, resourceClaimTemplateName: shared}}]
"
        )
    };
    let turns = "{strategy: TimeSlicing, timeSlicingConfig: {interval: Long}}";
    let scenario = imported(&file("GpuConfig", turns), "a100-pcie-40gb", &[]);
    assert!(scenario.contains("compute_timeslice = \"long\""), "{scenario}");
    assert_eq!(scenario.matches("process = { sharing = \"time-slicing\" }\ncard = 0\n").count(), 2);
    accepted(&scenario);
    let mps = "{strategy: MPS, mpsConfig: {defaultActiveThreadPercentage: 50, defaultPinnedDeviceMemoryLimit: 10Gi}}";
    let scenario = imported(&file("GpuConfig", mps), "a100-pcie-40gb", &[]);
    let has = "sharing = \"mps\", active_threads = \"50 %\", memory_limit = \"10240 MiB\"";
    assert_eq!(scenario.matches(has).count(), 2, "{scenario}");
    accepted(&scenario);
    let mig = file("MigDeviceConfig", "{strategy: TimeSlicing}").replace(
        "deviceClassName: gpu.nvidia.com",
        "deviceClassName: mig.nvidia.com, selectors: [{cel: {expression: \"device.attributes['gpu.nvidia.com'].profile == '3g.20gb'\"}}]",
    );
    let scenario = imported(&mig, "a100-pcie-40gb", &[]);
    assert!(scenario.contains("mig = \"3g.20gb\" }\ncard = 0\n"), "{scenario}");
    accepted(&scenario);
}

/// Parts of a GPU: HAMi's by memory and cores, KAI's by a share; packed as the schedulers pack them.
#[test]
fn parts_of_gpus_are_packed() {
    let hami = "apiVersion: apps/v1
kind: Deployment
metadata: {name: small}
spec:
  replicas: 3
  template:
    spec:
      containers:
      - name: main
        resources: {limits: {nvidia.com/gpu: 1, nvidia.com/gpumem: 3000, nvidia.com/gpucores: 40}}
";
    let scenario = imported(hami, "a100-pcie-40gb", &[]);
    // 3000 of 40960 MiB are 8 hundredths, 40 of the GPU's time decide; three need two cards.
    assert!(scenario.contains("replicas = 40 }") && scenario.contains("count = 2 }"), "{scenario}");
    assert!(scenario.contains("# HAMi limits a pod"), "{scenario}");
    accepted(&scenario);
    let kai = |key: &str, value: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: half, annotations: {{{key}: \"{value}\"}}}}\nspec: {{containers: [{{name: main}}]}}\n"
        )
    };
    for (key, value) in [("gpu-fraction", "0.5"), ("gpu-memory", "20480")] {
        let scenario = imported(&kai(key, value), "a100-pcie-40gb", &[]);
        assert!(scenario.contains("replicas = 50 }") && scenario.contains("# KAI"), "{scenario}");
        accepted(&scenario);
    }
}

/// NVIDIA/mig-parted issue 227: a GB200 of production has 1g.23gb, 2g.47gb and 3g.93gb.
#[test]
fn boards_as_shipped_have_the_layouts_of_the_default_file() {
    let balanced = "\"1g.23gb\": 2, \"2g.47gb\": 1, \"3g.93gb\": 1";
    let text = [HEAD, &layout("all-1g.23gb", "\"1g.23gb\": 7"), &layout("all-balanced", balanced)];
    let text = text.concat();
    let list = imported(&text, "gb200-186gb", &[]);
    for start in 0..7 {
        assert!(line(&list, "all-1g.23gb").contains(&format!("1g.23gb {start}")), "{list}");
    }
    assert!(line(&list, "all-balanced").contains("2g.47gb 2-3, 3g.93gb 4-7"), "{list}");
    assert!(
        line(&imported(&text, "h100-pcie-80gb", &[]), "all-balanced").contains("for other GPUs")
    );
}

/// Two documents of NVIDIA contradict each other here: the answer says so and names both.
#[test]
fn a_mix_that_a_document_offers_and_another_excludes_is_told() {
    let text = "version: v1\nvgpu-configs:\n  mixed:\n  - devices: all\n    vgpu-devices: {A10-4Q: 3, A10-6Q: 2}\n";
    let (code, told, _) = import(text, "a10", &[]);
    assert_eq!(code, Some(4), "{told}");
    for part in ["contradict each other", "cloud-native-docs", "the guide's placement ids"] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
}

/// A pod with these limits, as most cases below have it.
fn pod(limits: &str, annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: asks, annotations: {{{annotations}}}}}\nspec: {{containers: [{{name: main, resources: {{limits: {{{limits}}}}}}}]}}\n"
    )
}

/// kubernetes-sigs/dra-driver-nvidia-gpu issue 897 and pull 156: one claim, three profiles, one GPU.
/// Only the first request was read.
#[test]
fn every_request_of_a_claim_counts() {
    let text = std::fs::read_to_string("tests/formats/gpu-requests/claims.yaml").unwrap();
    let scenario = imported(&text, "h100-pcie-80gb", &[]);
    for (name, has) in [
        ("user main big", "mig = \"4g.40gb\"\ncard = 0"),
        ("user main middle", "mig = \"2g.20gb\"\ncard = 0"),
        ("user main small", "mig = \"1g.10gb\"\ncard = 0"),
        // A request taken by its name is that device alone (demo gpu-test5), on a GPU of its own.
        ("user main", "gpus = 1\ncard = 1"),
        ("user side", "gpus = 1\ncard = 2"),
    ] {
        let group = format!("name = {name:?}\nvcpus = 2\n{has}\n");
        assert!(scenario.contains(&group), "{group}\n{scenario}");
    }
    assert!(scenario.contains("count = 3 }"), "{scenario}");
    // 4g and 3g fill an H100; what one GPU cannot hold is told.
    let more = text.replace("'1g.10gb'", "'3g.40gb'");
    let told = refused(&more, "h100-pcie-80gb", &[]);
    assert!(told.contains("no h100-pcie-80gb holds 4g.40gb, 2g.20gb, 3g.40gb together"), "{told}");
}

/// openshift-docs pull 103484 (`firstAvailable`): the best that the GPU has. The claim was not seen.
#[test]
fn the_first_available_request_is_taken() {
    let way = |profile: &str| {
        format!(
            "{{name: x, deviceClassName: mig.nvidia.com, selectors: [{{cel: {{expression: \"device.attributes['gpu.nvidia.com'].profile == '{profile}'\"}}}}]}}"
        )
    };
    let text = format!(
        "apiVersion: resource.k8s.io/v1\nkind: ResourceClaimTemplate\nmetadata: {{name: either}}\nspec: {{spec: {{devices: {{requests: [{{name: gpu, firstAvailable: [{}, {}]}}]}}}}}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: user}}\nspec:\n  resourceClaims: [{{name: g, resourceClaimTemplateName: either}}]\n  containers: [{{name: c, resources: {{claims: [{{name: g}}]}}}}]\n",
        way("3g.40gb"),
        way("3g.20gb")
    );
    let scenario = imported(&text, "a100-pcie-40gb", &[]);
    assert!(
        scenario.contains("mig = \"3g.20gb\"\n") && scenario.contains("# Of the devices"),
        "{scenario}"
    );
    accepted(&scenario);
}

/// HAMi issues 1054 (`gpumem: 8k`: a quantity of Kubernetes), 1173 (who names no memory has all of it)
/// and examples/nvidia/use_memory_fraction.yaml (`gpumem-percentage`): all were whole GPUs, or 1 %.
#[test]
fn hami_counts_memory_in_three_ways() {
    // 8000 of 40960 MiB are 20 hundredths (19.53).
    for (limits, hundredths) in [
        ("nvidia.com/gpu: 1, nvidia.com/gpumem: 8k", 20),
        ("nvidia.com/gpu: 1, nvidia.com/gpumem-percentage: 50, nvidia.com/gpucores: 30", 50),
        ("nvidia.com/gpu.hami: \"1\", nvidia.com/gpumem: 8000", 20),
    ] {
        let scenario = imported(&pod(limits, ""), "a100-pcie-40gb", &[]);
        assert!(scenario.contains(&format!("replicas = {hundredths} }}")), "{limits}\n{scenario}");
        accepted(&scenario);
    }
    let all =
        imported(&pod("nvidia.com/gpu: 1, nvidia.com/gpucores: 30", ""), "a100-pcie-40gb", &[]);
    assert!(all.contains("gpus = 1\n") && !all.contains("process"), "{all}");
    let told = refused(&pod("nvidia.com/gpumem: 20Gi", ""), "a100-pcie-40gb", &[]);
    assert!(told.contains("gpumem counts MB, and this is 21474836480"), "{told}");
}

/// HAMi issue 1903 and examples/nvidia/dynamic_mig_example.yaml: 8000 MB are 2g.10gb of an A100 with
/// 40 GB and 1g.10gb of one with 80 GB. It was a process in turns.
#[test]
fn hami_cuts_gpu_instances_where_it_is_told_to() {
    let text = pod("nvidia.com/gpu: 2, nvidia.com/gpumem: 8000", "nvidia.com/vgpu-mode: mig");
    for (gpu, profile) in [("a100-pcie-40gb", "2g.10gb"), ("a100-sxm-80gb", "1g.10gb")] {
        let scenario = imported(&text, gpu, &[]);
        let has = format!("mig = {{ profile = {profile:?}, count = 2 }}");
        assert!(scenario.contains(&has) && !scenario.contains("process"), "{scenario}");
        accepted(&scenario);
    }
}

/// k8s-device-plugin issue 1150: a pod asks for a replica. It was no configuration of anything.
#[test]
fn a_replica_alone_says_where_the_number_of_them_is() {
    for resource in ["nvidia.com/gpu.shared", "nvidia.com/mig-3g.40gb.shared"] {
        let told = refused(&pod(&format!("{resource}: 1"), ""), "h100-pcie-80gb", &[]);
        assert!(told.contains(&format!("`{resource}` is a replica of a shared device")), "{told}");
        assert!(told.contains("the device plugin's configuration"), "{told}");
    }
}

/// k8s-device-plugin issue 1078: a Notebook with ten 3g.40gb. Kinds of operators were not seen, and
/// however many GPU instances a container asks for were put on one card.
#[test]
fn pods_are_found_in_objects_of_any_kind() {
    let notebook = "apiVersion: kubeflow.org/v1\nkind: Notebook\nmetadata: {name: book}\nspec: {template: {spec: {containers: [{name: c, resources: {limits: {nvidia.com/mig-3g.40gb: '10'}}}]}}}\n";
    let scenario = imported(notebook, "h100-sxm-80gb", &[]);
    assert!(scenario.contains("gpus = { model = \"h100-sxm-80gb\", count = 5 }"), "{scenario}");
    let cron = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly}\nspec: {jobTemplate: {spec: {parallelism: 3, template: {spec: {containers: [{name: c, resources: {limits: {nvidia.com/gpu: 1}}}]}}}}}\n";
    let scenario = imported(cron, "a100-pcie-40gb", &[]);
    assert!(scenario.contains("name = \"nightly\"\ncount = 3\n"), "{scenario}");
    accepted(&scenario);
}

/// KAI-Scheduler issues 1521 (`gpu-fraction-num-devices`), 706 (`gpu-memory`) and 1520 (a size with a
/// unit, the container by name): what KAI does not read was passed over in silence.
#[test]
fn parts_that_kai_does_not_read_are_told() {
    let kai = |annotations: &str| pod("", annotations);
    let (code, _, told) = import(
        &kai("gpu-fraction: \"0.5\", gpu-fraction-num-devices: \"2\""),
        "a100-pcie-40gb",
        &[],
    );
    assert_eq!(code, Some(0));
    assert!(told.contains("asks has parts of 2 GPUs"), "{told}");
    let told = refused(&kai("gpu-memory: 4000Mi"), "a100-pcie-40gb", &[]);
    assert!(told.contains("`gpu-memory` is not a number of MiB"), "{told}");
    let two = "apiVersion: v1\nkind: Pod\nmetadata: {name: two, annotations: {gpu-memory: \"2048\", gpu-fraction-container-name: b}}\nspec: {containers: [{name: a}, {name: b}]}\n";
    let scenario = imported(two, "a100-pcie-40gb", &[]);
    // 2048 of 40960 MiB.
    assert!(
        scenario.contains("name = \"two b\"") && scenario.contains("replicas = 5 }"),
        "{scenario}"
    );
}

/// kubevirt issue 11135: the vGPUs of virtual machines. It was no configuration of anything.
#[test]
fn virtual_machines_of_kubevirt_have_vgpus() {
    let machine = |device: &str| {
        format!(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: desk}}\nspec: {{template: {{spec: {{domain: {{devices: {{gpus: [{{name: g, deviceName: {device}}}]}}}}}}}}}}\n"
        )
    };
    let scenario = imported(&machine("nvidia.com/NVIDIA_A10-12Q"), "a10", &[]);
    assert!(scenario.contains("vgpu = { type = \"A10-12Q\" }"), "{scenario}");
    assert!(scenario.contains("hypervisor = \"kvm\""), "{scenario}");
    let scenario = imported(&machine("nvidia.com/GA102GL_A10"), "a10", &[]);
    assert!(scenario.contains("gpus = 1\n"), "{scenario}");
    let told = refused(&machine("nvidia.com/GRID_P40-1Q"), "a10", &[]);
    assert!(told.contains("is not offered by a10") && told.contains("vgpu list"), "{told}");
}

/// mig-parted issue 343: two boards with one model's id differ by their subsystem.
#[test]
fn a_filter_may_name_the_board_s_subsystem() {
    let rule = |filter: &str, count: u32| {
        format!(
            "  - device-filter: {filter}\n    devices: all\n    mig-enabled: true\n    mig-devices: {{1g.10gb: {count}}}\n"
        )
    };
    let text = [
        HEAD,
        "  boards:\n",
        &rule("\"0x233010DE:0x16C110DE\"", 7),
        &rule("[\"0x233010DE:0x16C210DE\", \"0x20B510DE\"]", 4),
    ]
    .concat();
    let list = imported(&text, "h100-sxm-80gb", &[]);
    for board in ["0x16C110DE", "0x16C210DE"] {
        assert!(list.contains(&format!("all GPUs of subsystem {board}: ")), "{list}");
    }
    let (code, scenario, told) = import(&text, "h100-sxm-80gb", &["--config", "boards"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("select boards by subsystem id") && scenario.contains("count = 7"),
        "{told}"
    );
    let list = imported(&text, "a100-pcie-80gb", &[]);
    assert!(!list.contains("0x16C110DE"), "{list}");
}

/// A scenario without its title, which names the file's configuration.
fn body(scenario: &str) -> String {
    scenario
        .lines()
        .filter(|line| !line.starts_with("title"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// What `export` makes of a scenario.
fn exported(format: &str, scenario: &str) -> String {
    let (_folder, path) = written(scenario);
    let (code, out, err) = slicewise(&["export", format, &path], "");
    assert_eq!(code, Some(0), "{err}\n{scenario}");
    out
}

/// Profiles that lie on one card together, by chance: each draw that still fits stays.
fn some_layout(dice: &mut Dice, gpu: &slicewise::spec::GpuSpec) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    for _ in 0..8 {
        chosen.push(dice.below(gpu.mig_profiles.len()));
        let claims: Vec<Claim> =
            chosen.iter().map(|&profile| Claim::Instance { profile }).collect();
        let card = Cards { count: 1, profiles: &gpu.mig_profiles };
        if card.place(Assignment::Consolidate, &claims).is_none() {
            chosen.pop();
        }
    }
    chosen.sort_unstable();
    chosen
}

/// How many of each profile a card has: `"1g.5gb": 2, "3g.20gb": 1`.
fn counted(names: &[&str]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    names.iter().for_each(|name| *counts.entry(name).or_insert(0) += 1);
    let each = counts.iter().map(|(name, count)| format!("\"{name}\": {count}"));
    each.collect::<Vec<_>>().join(", ")
}

/// Whole nodes by chance: what is imported, exported and imported again is the same scenario. Layouts of
/// instances, claims for such layouts, and replicas; of sets of vGPUs, which are not exported, every vGPU
/// is there and the scenario is accepted.
#[test]
#[ignore = "long: cargo test -- --include-ignored"]
fn whole_nodes_by_chance_come_back_as_they_were() {
    let catalogue = Catalogue::load(None).unwrap();
    for case in 0..24 {
        let mut dice = Dice::of(0x12, case);
        let id = *dice.pick(&["a100-pcie-40gb", "a30"]);
        let gpu = catalogue.gpu(id).unwrap();
        let cards = 1 + dice.below(3);
        let layouts: Vec<Vec<&str>> = (0..cards)
            .map(|_| some_layout(&mut dice, gpu))
            .map(|of| of.into_iter().map(|at| gpu.mig_profiles[at].name.as_str()).collect())
            .collect();
        let count = cards.to_string();

        let mut text = format!("{HEAD}  node:\n");
        for (card, names) in layouts.iter().enumerate() {
            text.push_str(&format!(
                "  - devices: [{card}]\n    mig-enabled: true\n    mig-devices: {{{}}}\n",
                counted(names)
            ));
        }
        let more = ["--config", "node", "--cards", count.as_str()];
        let first = imported(&text, id, &more);
        let again = exported("mig-parted", &first);
        let list = imported(&again, id, &[]);
        let name = list.lines().filter(|line| !line.starts_with(' ')).nth(1).unwrap();
        let name = name.split("  ").next().unwrap();
        let second = imported(&again, id, &["--config", name, "--cards", &count]);
        assert_eq!(body(&first), body(&second), "{text}\n{again}");

        // The same layouts as claims, one for each GPU.
        let claims = layouts.iter().enumerate().map(|(card, names)| {
            let request = |(at, name): (usize, &&str)| format!("{{name: r{at}, exactly: {{deviceClassName: mig.nvidia.com, selectors: [{{cel: {{expression: \"device.attributes['gpu.nvidia.com'].profile == '{name}'\"}}}}]}}}}");
            let requests: Vec<String> = names.iter().enumerate().map(request).collect();
            format!(
                "apiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {{name: c{card}}}\nspec: {{devices: {{requests: [{}], constraints: [{{matchAttribute: gpu.nvidia.com/parentUUID}}]}}}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{card}}}\nspec: {{resourceClaims: [{{name: g, resourceClaimName: c{card}}}], containers: [{{name: c, resources: {{claims: [{{name: g}}]}}}}]}}\n",
                requests.join(", ")
            )
        });
        let claims: Vec<String> = claims.collect();
        let scenario = imported(&claims.join("---\n"), id, &[]);
        let layout = exported("mig-parted", &scenario);
        for names in &layouts {
            for (name, of) in
                names.iter().map(|name| (name, names.iter().filter(|is| *is == name).count()))
            {
                assert!(layout.contains(&format!("\"{name}\": {of}\n")), "{name} {of}\n{layout}");
            }
        }

        let method = *dice.pick(&["timeSlicing", "mps"]);
        let replicas = 2 + dice.below(9);
        let text = format!(
            "version: v1\nsharing:\n  {method}:\n    resources: [{{name: nvidia.com/gpu, replicas: {replicas}}}]\n"
        );
        let first = imported(&text, id, &["--cards", &count]);
        let second = imported(&exported("device-plugin", &first), id, &["--cards", &count]);
        assert_eq!(body(&first), body(&second), "{text}");

        let kinds: Vec<_> = gpu
            .vgpu_types
            .iter()
            .filter(|vgpu| vgpu.runs_cuda() && vgpu.is_time_sliced())
            .collect();
        let kind = dice.pick(&kinds);
        let number = 1 + dice.below(kind.max_per_gpu as usize);
        let text = format!(
            "version: v1\nvgpu-configs:\n  set: [{{devices: all, vgpu-devices: {{{}: {number}}}}}]\n",
            kind.name
        );
        let scenario = imported(&text, id, &["--config", "set", "--cards", &count]);
        assert_eq!(scenario.matches("[[vm]]").count(), cards, "{scenario}");
        if number > 1 {
            assert!(scenario.contains(&format!("count = {number}\n")), "{scenario}");
        }
        accepted(&scenario);
    }
}

/// An autoscaler is not among the pods of a file: it is told of, and how a scenario has its rule.
#[test]
fn an_autoscaler_that_is_left_out_is_told() {
    let file = pod("nvidia.com/gpu: 1", "")
        + "\n---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: web }\n\
           spec: { minReplicas: 1, maxReplicas: 4 }\n";
    let (code, scenario, said) = import(&file, "a100-pcie-40gb", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(scenario.contains("[[vm]]"));
    assert!(said.contains("the HorizontalPodAutoscaler is left out"), "{said}");
}

/// A VM that is a node has a plugin of its own: its pods are the replicas of its GPU.
#[test]
fn pods_of_a_vm_are_replicas_of_its_gpu() {
    let scenario = std::fs::read_to_string("scenarios/pods-in-a-vm.toml").unwrap();
    let plugin = exported("device-plugin", &scenario);
    assert!(plugin.contains("timeSlicing") && plugin.contains("replicas: 2"), "{plugin}");
}
