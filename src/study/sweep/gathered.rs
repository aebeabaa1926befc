//! Data collected from the rows of a sweep while they are written: the few figures that charts
//! draw, the comparisons that open inputs reverse, and the notes.

use super::super::verdict::Verdict;
use super::verdict::verdict;
use super::{
    Common, GroupHead, GroupResult, GroupSummary, Known, Memory, PointRow, PointRun, PointSummary,
    RowSink, SweepResults,
};
use crate::spec::{Sweep, SweepPoint};
use crate::study::fits;
use crate::study::interval::student_95;
use crate::study::open::{self, Line};
use crate::study::over_shares::OverShare;
use crate::study::results::OpenFigures;
use crate::study::tokens::{TokenResult, TokenSummary};
use crate::study::{leans_on, summary};
use crate::units::counted;
use std::collections::{BTreeMap, BTreeSet};

/// Data collected from the rows while they are written.
#[derive(Default)]
pub(super) struct Gathered {
    groups: Vec<GroupHead>,
    workloads: BTreeSet<String>,
    points: Vec<PointSummary>,
    tally: Tally,
    /// Rows that can be compared, by whether latency compares them and by what they have in common.
    alike: BTreeMap<(bool, String), Vec<Line>>,
}

/// So many rows of one kind are compared with each other.
const COMPARED_MAX: usize = 1000;

/// What notes are made of.
#[derive(Default)]
struct Tally {
    rows: usize,
    /// Rows with few samples beyond p99.
    few: usize,
    /// Least and greatest ratio of p99 under the other idle rule.
    other_idle: Option<[f64; 2]>,
    /// The same by other inputs.
    inputs: Option<[f64; 2]>,
    /// How many percent longer p99 becomes by 1 % more work, at most.
    more_work: Option<f64>,
    /// How often VMs had more than their policy promises, and the worst of them.
    over_shares: usize,
    worst_share: Option<OverShare>,
}

/// So many samples must lie beyond a percentile to make it certain.
const BEYOND: f64 = 100.0;

impl Gathered {
    /// Hands out the rows of a point.
    pub(super) fn add_point(
        &mut self,
        sweep: &Sweep,
        (index, point): (usize, &SweepPoint),
        runs: &[Result<Known, String>],
        memory: &dyn Memory,
        each: RowSink<'_>,
    ) -> anyhow::Result<()> {
        let seed = runs.iter().flatten().map(|known| known.seed).next().unwrap_or(sweep.seed);
        // One bug is the error of its point: fewer replications would pass for as many.
        let bug = runs.iter().find_map(|run| run.as_ref().err());
        let error = point.error.as_ref().or(bug);
        let mut found = Replications::default();
        if error.is_some() || runs.is_empty() {
            let error = error.map(String::as_str);
            each(PointRow { index, point, seed, run: None, error })?;
        } else {
            for (replication, known) in (0..).zip(runs.iter().flatten()) {
                let run = memory.recall(known.key)?;
                each(PointRow { index, point, seed, run: Some((replication, &run)), error: None })?;
                if replication == 0 {
                    self.add_line(sweep, point, &run);
                }
                self.add_run(&run);
                found.add(&run, &self.groups);
            }
        }
        self.points.push(found.summary(error.cloned()));
        Ok(())
    }

    /// Keeps what open inputs do to a row. Rows with one place along the charts on different lines are
    /// compared, all rows where there is one line; those under load at a rate where it is the same.
    fn add_line(&mut self, sweep: &Sweep, point: &SweepPoint, run: &PointRun) {
        let groups = &run.groups;
        let by_latency = groups.iter().any(|group| summary::answers_at_a_rate(&group.scenario));
        let asked: Vec<_> = groups.iter().map(|group| group.asked_per_s).collect();
        let asked = if by_latency { format!("{asked:?}") } else { String::new() };
        let place = if sweep.lines.len() > 1 { &point.x.text[..] } else { "" };
        let lines = self.alike.entry((by_latency, format!("{place} {asked}"))).or_default();
        if lines.len() >= COMPARED_MAX {
            return;
        }
        let p99 = groups.iter().map(|group| group.latency_p99_worst_vm_ms).fold(0.0, f64::max);
        let rate = groups.iter().map(|group| group.completed_per_s).sum();
        let of = |open: &OpenFigures| match by_latency {
            true => open.latency_p99_worst_vm_ms,
            false => open.completed_per_s,
        };
        lines.push(Line {
            name: sweep.label(point),
            own: if by_latency { p99 } else { rate },
            at: run.open.iter().map(|open| (open.end.clone(), of(open))).collect(),
        });
    }

    /// What open inputs do to the rows.
    fn of_open_inputs(&mut self) -> Vec<String> {
        let mut kinds: BTreeMap<bool, Vec<Vec<Line>>> = BTreeMap::new();
        for ((by_latency, _), lines) in std::mem::take(&mut self.alike) {
            kinds.entry(by_latency).or_default().push(lines);
        }
        let told = kinds.iter().flat_map(|(&by_latency, alike)| {
            open::sentences(alike, summary::figure_word(by_latency))
        });
        told.collect()
    }

    fn add_run(&mut self, run: &PointRun) {
        run.over_shares.iter().for_each(|over| self.tally.add_over_share(over));
        for group in &run.groups {
            self.tally.add(group);
            if !self.workloads.contains(&group.workload) {
                self.workloads.insert(group.workload.clone());
            }
            let known = self.groups.iter().position(|known| known.name == group.group);
            let at = known.unwrap_or_else(|| {
                let name = group.group.clone();
                self.groups.push(GroupHead { name, ..GroupHead::default() });
                self.groups.len() - 1
            });
            let head = &mut self.groups[at];
            head.has_latencies |= group.scenario != "offline";
            if let Some(tokens) = &group.tokens {
                head.serves_llm = true;
                let bounds = tokens.goodput.map(|good| [good.ttft_ms, good.tpot_ms]);
                head.token_bounds_ms = head.token_bounds_ms.or(bounds);
            } else if group.scenario == "server" {
                head.bound_ms.get_or_insert(group.target_latency_ms);
            }
        }
    }

    pub(super) fn results(
        mut self,
        sweep: &Sweep,
        common: Common,
        taken_over: usize,
    ) -> SweepResults {
        let open = self.of_open_inputs();
        let mut results = SweepResults {
            sweep: sweep.clone(),
            head: sweep.into(),
            verdict: Verdict::default(),
            groups: self.groups,
            workloads: self.workloads,
            points: self.points,
            scaled: common.scaled.into_iter().collect(),
            notes: open
                .into_iter()
                .chain(self.tally.notes())
                .chain(common.told)
                .chain(columns(sweep))
                .collect(),
            leans_on: leans_on::in_order(common.leans_on),
            taken_over,
        };
        results.verdict = verdict(&results);
        results
    }
}

/// Where figures stand that only the files have.
fn columns(sweep: &Sweep) -> Vec<String> {
    let lost = "queries that were lost in operations are in the column `lost` of the files, and miss \
        their bound; latencies are those of the others";
    let watts = "watts and joules are in the columns `mean_w` and `joule_per_sample` of the files";
    let notes = [(sweep.has_operations, lost), (sweep.tells_watts, watts)];
    notes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, note)| note.to_string()).collect()
}

/// A few figures of each replication of a point.
#[derive(Default)]
struct Replications {
    runs: usize,
    total_per_s: Vec<f64>,
    groups: BTreeMap<usize, GroupFigures>,
}

#[derive(Default)]
struct GroupFigures {
    gpu_models: Vec<String>,
    vms: u32,
    valid: usize,
    /// Rate, p50 and p99 of each replication.
    figures: [Vec<f64>; 3],
    tokens: Vec<TokenResult>,
}

impl Replications {
    fn add(&mut self, run: &PointRun, heads: &[GroupHead]) {
        self.runs += 1;
        self.total_per_s.push(run.groups.iter().map(|group| group.completed_per_s).sum());
        for group in &run.groups {
            let index = heads.iter().position(|head| head.name == group.group);
            let found = self.groups.entry(index.expect("it was added")).or_default();
            found.vms = group.vms;
            found.gpu_models.clone_from(&group.gpu_models);
            found.valid += usize::from(group.valid);
            let figures = [group.completed_per_s, group.latency_ms.p50, group.latency_ms.p99];
            for (all, figure) in found.figures.iter_mut().zip(figures) {
                all.push(figure);
            }
            found.tokens.extend(group.tokens.clone());
        }
    }

    fn summary(self, error: Option<String>) -> PointSummary {
        let groups = self.groups.into_iter().filter_map(|(group, found)| {
            let [rate, p50, p99] = found.figures.map(|all| student_95(&all));
            let (gpu_models, vms, valid) = (found.gpu_models, found.vms, found.valid);
            let (completed_per_s, p50_ms, p99_ms) = (rate?, p50?, p99?);
            let tokens = TokenSummary::of(&found.tokens);
            Some(GroupSummary {
                group,
                gpu_models,
                vms,
                valid,
                completed_per_s,
                p50_ms,
                p99_ms,
                tokens,
            })
        });
        let (runs, total_per_s) = (self.runs, student_95(&self.total_per_s));
        PointSummary { error, runs, total_per_s, groups: groups.collect() }
    }
}

/// Widens an interval to hold another.
fn widen(ends: &mut Option<[f64; 2]>, other: [f64; 2]) {
    *ends = fits::hull(ends.iter().copied().chain([other]));
}

impl Tally {
    fn add(&mut self, group: &GroupResult) {
        let p99 = group.latency_ms.p99;
        self.rows += 1;
        let is_few = group.scenario != "offline" && (group.samples as f64) * 0.01 < BEYOND;
        self.few += usize::from(is_few);
        if p99 <= 0.0 {
            return; // Nothing was asked: there are no ratios.
        }
        if let Some(other) = group.latency_p99_other_idle_ms {
            widen(&mut self.other_idle, [other / p99; 2]);
        }
        if let Some(ends) = group.latency_p99_inputs_ms {
            widen(&mut self.inputs, ends.map(|end| end / p99));
        }
        if let Some(more) = group.latency_p99_more_work_ms {
            let percent = (more / p99 - 1.0) * 100.0;
            self.more_work = Some(self.more_work.map_or(percent, |most| most.max(percent)));
        }
    }

    fn add_over_share(&mut self, over: &OverShare) {
        self.over_shares += 1;
        if self.worst_share.as_ref().is_none_or(|worst| over.excess() > worst.excess()) {
            self.worst_share = Some(over.clone());
        }
    }

    /// What a reader must know before believing a figure.
    fn notes(&self) -> Vec<String> {
        let (few, all) = (self.few, self.rows);
        let mut notes = Vec::new();
        if let Some(worst) = &self.worst_share {
            notes.push(format!(
                "VMs had more of a card than its policy promises {}; the worst: {}",
                counted(self.over_shares, "time"),
                worst.note()
            ));
        }
        if let Some([low, high]) = self.other_idle {
            notes.push(format!(
                "what happens to an idle turn under equal and fixed share is not documented: each \
                 row states its assumption (column `assumes`) and p99 under the other rule, \
                 {low:.2} to {high:.2} times as much (column `latency_p99_other_idle_ms`)"
            ));
        }
        if let Some([low, high]) = self.inputs {
            notes.push(format!(
                "machines with the same GPU model differ, other fits of a workload are nearly as \
                 good, and inputs that were not measured have a range: p99 is {low:.2} to \
                 {high:.2} times as much (columns `latency_p99_inputs_low_ms`, `..._high_ms`)"
            ));
        }
        if let Some(most) = self.more_work {
            notes.push(format!(
                "1 % more work makes p99 up to {most:.0} % longer (column `latency_p99_more_work_ms`, rows at a load from 90 % on or shared in turns)"
            ));
        }
        if few > 0 {
            notes.push(format!(
                "in {few} of {all} rows fewer than {BEYOND} samples lie beyond p99, so p99 is uncertain and p99.9 more so; a longer min_duration or a larger min_query_count helps"
            ));
        }
        notes
    }
}
