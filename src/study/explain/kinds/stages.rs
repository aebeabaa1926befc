//! `stages`: where the time of a query goes: the largest stages.

use super::super::busy::mean_of;
use super::super::seen::Seen;
use super::super::sentence::Said;
use super::super::words::{listed, ns, percent};
use crate::record::Stage;
use crate::spec::TestScenario;

pub(super) fn tell(seen: &Seen<'_>) -> Vec<Said> {
    let said = seen.groups.iter().filter_map(|group| {
        // Latencies of one huge query are times of completion.
        if seen.first(group).load.scenario == TestScenario::Offline {
            return None;
        }
        let worst = seen.worst(group);
        let (mut stages, all) = mean_of(seen, worst);
        if all <= 0.0 {
            return None;
        }
        stages.sort_by(|one, other| other.2.total_cmp(&one.2));
        let told = stages
            .iter()
            .enumerate()
            .filter(|(place, (.., mean))| *place == 0 || (*place < 3 && *mean > 0.1 * all));
        let told: Vec<String> = told
            .map(|(_, (stage, _, mean))| {
                format!("{} ({}) {}", ns(*mean), percent(mean / all), words(*stage))
            })
            .collect();
        let text = format!("Of {} on average, {}.", ns(all), listed(&told));
        let (.., largest) = stages[0];
        let said = Said::new(seen.about(group), text)
            .with("mean_ms", all / 1e6)
            .with("largest_stage_ms", largest / 1e6)
            .with("largest_stage_share", largest / all);
        Some(
            stages.iter().fold(said, |said, (_, stage, mean)| said.with(figure(stage), mean / 1e6)),
        )
    });
    said.collect()
}

/// A stage as the end of a sentence.
fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Batcher => "pass until a batch is formed",
        Stage::Launch => "on the vCPUs before the GPU",
        Stage::Submission => "in the hypervisor's submission",
        Stage::CopyIn => "copying in",
        Stage::Stream => "behind the batch before on its stream",
        Stage::Gpu => "on the GPU",
        Stage::CopyOut => "copying out",
        Stage::Order => "behind batches that were issued earlier",
        Stage::Finish => "on the vCPUs after the GPU",
    }
}

fn figure(stage: &str) -> &'static str {
    match stage {
        "batcher" => "batcher_ms",
        "launch" => "launch_ms",
        "submission" => "submission_ms",
        "copy in" => "copy_in_ms",
        "stream" => "stream_ms",
        "gpu" => "gpu_ms",
        "copy out" => "copy_out_ms",
        "order" => "order_ms",
        _ => "finish_ms",
    }
}
