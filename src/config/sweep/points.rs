//! The points of a sweep: the file's tree with the values of a point, read like any other file.
//!
//! So every key can be swept, and every rule applies. A value keeps the place where it is written:
//! its faults are shown in the sweep's own line.

use super::axis::{Axis, Setting};
use super::table::SweepTable;
use crate::config::catalogue::Catalogue;
use crate::config::explain::Explanation;
use crate::config::scenario::plan::{self, Plan};
use crate::config::text::{Change, Diagnostic, KeyPath, Problems, SourceFile, Spot};
use crate::spec::{Experiment, Parameter, ParameterValue, SweepPoint};
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Makes the points of one sweep.
pub(crate) struct Points<'a> {
    pub(crate) file: &'a Arc<SourceFile>,
    /// The file's name without `.toml`.
    pub(crate) stem: &'a str,
    pub(crate) catalogue: &'a Catalogue,
    /// The file without `[sweep]`.
    pub(crate) base: DeTable<'a>,
    pub(crate) table: SweepTable<'a>,
    /// The seed, when it replaces that of the file.
    pub(crate) seed: Option<u64>,
    /// Whether only the ratios of the rates matter.
    pub(crate) rates_are_parts: bool,
}

/// Which line and which values a point has.
struct Choice {
    /// Index into the lines as they are written.
    line: usize,
    /// Per axis an index into its values.
    values: Vec<usize>,
}

impl Points<'_> {
    /// The experiment of a point, replication 0; or all its faults.
    pub(crate) fn experiment(&self, point: usize) -> Result<Experiment, Vec<Diagnostic>> {
        self.experiment_with(point, None)
    }

    /// The experiment of a point, with one more key set to a number, which overrides all others.
    pub(crate) fn experiment_with(
        &self,
        point: usize,
        number: Option<(&KeyPath, u32)>,
    ) -> Result<Experiment, Vec<Diagnostic>> {
        let problems = Problems::of_rates(self.rates_are_parts);
        let plan = self.plan(point, number, &problems);
        if let Some(all) = problems.into_error() {
            return Err(all);
        }
        let pair = plan.pairs.into_iter().next().expect("a file without faults makes a pair");
        let mut experiment = pair.virtual_run.experiment;
        experiment.seed = self.seed.or(plan.seed.map(|(seed, _)| seed)).unwrap_or(0);
        Ok(experiment)
    }

    /// Every value of a point, with its origin.
    pub(crate) fn explain(&self, point: usize) -> Option<Explanation> {
        let problems = Problems::of_rates(self.rates_are_parts);
        problems.answers.listen();
        let plan = self.plan(point, None, &problems);
        Explanation::of(&plan, self.file, self.catalogue, &problems)
    }

    /// The file as this point has it, with one more key set to a number.
    fn plan(&self, point: usize, number: Option<(&KeyPath, u32)>, problems: &Problems) -> Plan {
        let text = number.map_or(String::new(), |(_, number)| number.to_string());
        let choice = self.choice(point);
        let mut tree = self.base.clone();
        let mut change = |path: &KeyPath, change, spot: &Range<usize>| {
            if let Err(why) = path.apply(&mut tree, change, spot) {
                let spot = Spot { file: self.file.clone(), span: spot.clone() };
                problems.push(Diagnostic::at(&spot, why).of_form());
            }
        };
        if let Some(line) = self.table.lines.get(choice.line) {
            line.unset.iter().for_each(|(path, spot)| change(path, Change::Unset, spot));
            line.set.iter().for_each(|set| change(&set.path, set.change(), &set.spot));
        }
        // The one along x last: it has the final word.
        for (axis, value) in self.table.axes.iter().zip(&choice.values).rev() {
            axis.settings[*value].iter().for_each(|set| change(&set.path, set.change(), &set.spot));
        }
        if let Some((path, _)) = number {
            let value = DeValue::parse(&text).expect("a number is a value").into_inner();
            change(path, Change::Set(&value, &(0..0)), &(0..0));
        }
        plan::read_tree(self.file, &tree, self.stem, self.catalogue, problems)
    }

    /// The point, for the sweep's plan.
    pub(crate) fn describe(
        &self,
        point: usize,
        error: Option<String>,
        not_applicable: Option<String>,
    ) -> SweepPoint {
        let choice = self.choice(point);
        let axes = self.table.axes.iter().zip(&choice.values);
        let values: Vec<_> = axes.map(|(axis, value)| axis.values[*value].clone()).collect();
        let (x, line) = match values.first() {
            Some(x) => (x.clone(), point / self.table.axes[0].values.len()),
            None => {
                let text = self.table.lines[choice.line].name.clone();
                (ParameterValue { text, number: None }, 0)
            }
        };
        SweepPoint { line, x, values, error, not_applicable }
    }

    /// The declaration that covers a point, by its index.
    pub(crate) fn exclusion(&self, point: usize) -> Option<usize> {
        let Choice { line, values } = self.choice(point);
        let table = &self.table;
        table.exclusions.iter().position(|one| one.means(line, &table.axes, &values))
    }

    /// Names of the lines of the charts.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Some((x, others)) = self.table.axes.split_first() else { return vec![String::new()] };
        let starts = (0..self.table.points()).step_by(x.values.len());
        let name = |start| {
            let choice = self.choice(start);
            // A single line beside other axes tells nothing apart.
            let told = self.table.lines.len() > 1 || others.is_empty();
            let written = self.table.lines.get(choice.line).filter(|_| told);
            let written = written.map(|line| line.name.clone());
            let values = others.iter().zip(&choice.values[1..]);
            let values = values.map(|(axis, value)| axis.in_words(*value));
            written.into_iter().chain(values).collect::<Vec<_>>().join(", ")
        };
        starts.map(name).collect()
    }

    /// The name of a point among the others; nothing where there is only one.
    pub(crate) fn way(&self, point: usize) -> Option<String> {
        let choice = self.choice(point);
        let written = self.table.lines.get(choice.line).map(|line| line.name.clone());
        let values = self.table.axes.iter().zip(&choice.values);
        let values = values.map(|(axis, value)| axis.in_words(*value));
        let all: Vec<String> = written.into_iter().chain(values).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// The keys that vary.
    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let axes = self.table.axes.iter();
        axes.map(|axis| Parameter { key: axis.key.clone(), unit: axis.unit }).collect()
    }

    /// The label of the horizontal axis.
    pub(crate) fn x_label(&self) -> String {
        self.table.axes.first().map_or(String::new(), |axis| axis.label.clone())
    }

    /// The grid counted through: x fastest, then the other axes from the last, the lines slowest.
    fn choice(&self, point: usize) -> Choice {
        let axes = &self.table.axes;
        let mut values = vec![0; axes.len()];
        let mut rest = point;
        for axis in (0..axes.len().min(1)).chain((1..axes.len()).rev()) {
            values[axis] = rest % axes[axis].values.len();
            rest /= axes[axis].values.len();
        }
        Choice { line: rest, values }
    }
}

impl Axis<'_> {
    /// One of its values, with the key where it does not speak for itself.
    fn in_words(&self, value: usize) -> String {
        let value = &self.values[value];
        let last = self.key.rsplit('.').next().unwrap_or(&self.key);
        // A word speaks for itself, a number does not.
        match value.text.starts_with(char::is_alphabetic) && value.text.len() > 5 {
            true => value.text.clone(),
            false => format!("{last} {}", value.text),
        }
    }
}

impl<'a> Setting<'a> {
    fn change(&self) -> Change<'_, 'a> {
        Change::Set(self.value, &self.at)
    }
}
