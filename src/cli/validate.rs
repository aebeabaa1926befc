//! `slicewise validate`: measured runs against the model, row by row.
//!
//! It neither simulates nor formats; it calls the parts that do, in order.

use super::arguments::{OutputArgs, whole};
use super::failure::Failure;
use super::work::Work;
use super::{page, progress};
use crate::config::{Catalogue, Inputs, OwnRows, later_validation, validation};
use crate::report::{self, Maker, Report, WebPage};
use crate::study::{self, Train, Validation};
use clap::Args;
use std::path::{Path, PathBuf};

/// What predictions learn from, by its words.
const TRAIN: [(&str, Train); 3] = Train::ALL;

/// Below the options.
pub(super) const HELP: &str = "\
Examples:
  slicewise validate                                   the 650 runs that come with the program
  slicewise validate --data mine.csv --json | jq .summary
  slicewise validate --data mine.csv --train given     predicted from those rows only
  slicewise validate --page docs/explanation/validation.md   makes the page of the documentation";

/// Arguments of `slicewise validate`.
#[derive(Args, Debug)]
pub(crate) struct ValidateArgs {
    /// Measured runs, as docs/explanation/validation.md describes them [default: MLPerf Inference v1.1, Dell and
    /// NVIDIA, 650 runs]
    #[arg(long, value_name = "FILE.csv")]
    data: Option<PathBuf>,

    /// Runs from which rows of --data are predicted, never from their own machine: the runs that
    /// come with the program (898, of MLPerf v1.1, v2.0 and v3.0), the given rows, or both
    #[arg(long, value_name = "ROWS", requires = "data", default_value = "both")]
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TRAIN.map(|(word, _)| word)))]
    train: String,

    /// Most queries of a prediction; a run with more is cut short
    #[arg(long, value_name = "N", default_value = "2000000")]
    #[arg(value_parser = whole(1_000..=50_000_000u64))]
    queries: u64,

    /// Most queries of a simulation in the search for a factor on GPU speed
    #[arg(long, value_name = "N", default_value = "100000")]
    #[arg(value_parser = whole(1_000..=50_000_000u64))]
    fit_queries: u64,

    /// Output folder [default: output/validation]; replaced by each run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Write into the output folder even if it holds other files; those are kept
    #[arg(long)]
    force: bool,

    /// Also write report.html: one page with tables, charts and how to make it again, that needs
    /// nothing beside it
    #[arg(long)]
    report: bool,

    /// Also write the page of the documentation, about all runs that come with the program (also
    /// those of MLPerf Inference v2.0 and v3.0, NVIDIA), with its chart beside it
    #[arg(long, value_name = "FILE.md", conflicts_with = "data")]
    page: Option<PathBuf>,

    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(arguments: &ValidateArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = Catalogue::load(configs)?;
    let (queries, fit_queries) = (arguments.queries, arguments.fit_queries);
    let train = TRAIN.iter().find(|(word, _)| *word == arguments.train).expect("clap allows these");
    let own = arguments.data.as_deref().map(|data| OwnRows { data, train: train.1 });
    let input = validation(own, &catalogue, queries, fit_queries)?;
    let shipped = match &arguments.data {
        None => Some(later_validation(&catalogue, queries, fit_queries)),
        Some(_) => None,
    };
    let later = shipped.as_ref().filter(|_| arguments.page.is_some());
    let progress = progress::Progress::timed(arguments.output.quiet);
    let place = (&arguments.out, "validation", arguments.force);
    let work = Work::begin(&arguments.output, Maker::Validate, place, &progress)?;
    if let Some(path) = &arguments.page {
        report::can_write(path)?;
    }
    work.say(format!(
        "validation: {} measured runs{}",
        input.judged,
        taught_by(&input, own.is_some())
    ));
    input.warnings.iter().for_each(|warning| work.say(warning));

    let show = |done, all, doing: &str| progress.set(done, all, doing);
    let validated = |input| work.simulate(|| study::validate(input, &show));
    let mut results = validated(&input)?;
    if let Some(later) = &shipped {
        results.scaling = study::scaling(&[&input, later]);
    }
    let later = match later {
        Some(later) => Some((later, validated(later)?)),
        None => None,
    };
    progress.clear();

    let mut services = results.services.clone();
    if let Some((_, later)) = &later {
        // Of a GPU with rows of both, v1.1 has more machines.
        let is_new = |found: &&study::FittedService| {
            let known = |other: &study::FittedService| {
                (&other.benchmark, &other.gpu) == (&found.benchmark, &found.gpu)
            };
            !results.services.iter().any(known)
        };
        services.extend(later.services.iter().filter(is_new).cloned());
    }
    let workloads = study::fitted_workloads(&input, &services);
    let mut files = results.files()?;
    files.extend(report::validation_workload_files(&results, &workloads));
    if let Some((_, later)) = &later {
        files.extend(report::later_validation_files(later)?);
    }
    if arguments.report {
        files.push(results.web_page(&page::made(Inputs::default()))?);
    }
    work.write(&files)?;
    work.say("");
    if let Some((page, (later, later_results))) = arguments.page.as_ref().zip(later) {
        let figure = page.with_extension("svg");
        let name = figure.file_name().map(|name| name.to_string_lossy().into_owned());
        let text = report::validation_page(
            [&results, &later_results],
            [&study::fingerprint(&input), &study::fingerprint(later)],
            &name.unwrap_or_default(),
        );
        report::write_file(page, text.as_bytes())?;
        if let Some(chart) = files.iter().find(|file| file.name == "p99.svg") {
            report::write_file(&figure, &chart.bytes)?;
        }
    }
    work.print(&results)
}

/// Which rows teach, where they are the user's own affair.
fn taught_by(input: &Validation, has_own: bool) -> String {
    let shipped = input.rows.len() - input.judged;
    match (has_own, input.train) {
        (false, _) => String::new(),
        (true, Train::Shipped) => {
            format!(", predicted from the {shipped} that come with the program")
        }
        (true, Train::Given) => ", predicted from one another (--train given)".to_string(),
        (true, Train::Both) => format!(
            ", predicted from one another and from the {shipped} that come with the program (--train both)"
        ),
    }
}
