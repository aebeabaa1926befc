//! What a `config.pbtxt` says, however it is spelt.

use super::*;

fn read_well(text: &str) -> TritonConfig {
    read(text).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

#[test]
fn the_many_spellings_of_the_text_format_say_the_same() {
    let plain = "max_batch_size: 8 dynamic_batching { preferred_batch_size: [ 4, 8 ] \
                 max_queue_delay_microseconds: 100 } instance_group [ { count: 2 kind: KIND_GPU } ]";
    let other = "\u{feff}# a model\nmax_batch_size: 0x8;\ndynamic_batching: <\n  \
                 preferred_batch_size: 4, preferred_batch_size: 010 # octal\n  \
                 max_queue_delay_microseconds: 100;\n>\ninstance_group { kind: 1 }\n\
                 instance_group: { count: 0 }\nname: 'a' \"b\"\n";
    let (plain, other) = (read_well(plain), read_well(other));
    let figures = |config: &TritonConfig| {
        let batching = &config.dynamic_batching.as_ref().unwrap().value;
        let preferred: Vec<u64> = batching.preferred.iter().map(|size| size.value).collect();
        let delay = batching.queue_delay.as_ref().unwrap().value;
        let instances = config.instances.as_ref().unwrap().value;
        (config.max_batch_size.as_ref().unwrap().value, preferred, delay, instances)
    };
    assert_eq!(figures(&plain), (8, vec![4, 8], 100, 2));
    assert_eq!(figures(&other), figures(&plain));
}

#[test]
fn policies_and_priorities_are_read() {
    let config = read_well(
        "max_batch_size: 4 dynamic_batching { preserve_ordering: true priority_levels: 2 \
         default_priority_level: 2 default_queue_policy { max_queue_size: 9 } \
         priority_queue_policy [ { key: 1 value { timeout_action: DELAY \
         default_timeout_microseconds: 700 } } ] }",
    );
    let batching = config.dynamic_batching.unwrap().value;
    let policy = Policy { timeout: 0, delays: false, max_queue_size: 9 };
    assert_eq!(batching.default_policy.unwrap().value, policy);
    let own = Policy { timeout: 700, delays: true, max_queue_size: 0 };
    assert_eq!(batching.policies[0].value, (1, own));
    assert!(batching.preserve_ordering.unwrap().value);
    assert_eq!(config.instances, None);
}

#[test]
fn graphs_and_eager_batching_are_read_under_tensorrt() {
    let optimization = "optimization { cuda { graphs: true } eager_batching: true }";
    for engine in ["backend: \"tensorrt\"", "platform: 'tensorrt' \"_plan\""] {
        let config = read_well(&format!("{engine} {optimization}"));
        assert!(config.tensorrt.is_some() && config.passed_over.is_empty());
        let flags = [config.graphs, config.eager_batching];
        assert!(flags.into_iter().all(|flag| flag.is_some_and(|flag| flag.value)));
    }
    let config = read_well(&format!("backend: \"onnxruntime\" {optimization}"));
    assert_eq!((config.tensorrt, config.eager_batching), (None, None));
    assert_eq!(config.passed_over.len(), 1);
}

#[test]
fn what_is_not_modelled_is_told_or_refused() {
    let config = read_well(
        "max_batch_size: 1 response_cache { enable: true } optimization { eager_batching: 1 }",
    );
    assert_eq!(config.passed_over.len(), 2);
    for text in [
        "sequence_batching { }",
        "ensemble_scheduling { step [ { model_name: \"a\" } ] }",
        "instance_group { kind: KIND_CPU }",
        "instance_group { count: 1 gpus: [ 0 ] } instance_group { count: 2 gpus: [ 1 ] }",
    ] {
        assert_eq!(read(text).unwrap_err().len(), 1, "{text}");
    }
}
