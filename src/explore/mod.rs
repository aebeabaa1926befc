//! Floor 7: what answers somebody who moves sliders. A setting is a scenario file with some keys set; an
//! answer is a row of frames, coarse ones first.
//!
//! ```text
//!  source ─► setting (controls) ─► moves ─► frames
//! ```
//!
//! It knows no network and no page: whoever has a page hands requests in and takes texts out.

mod controls;
mod curves;
mod moves;
mod refusal;
mod setting;
mod source;

pub use moves::{Event, answer};
pub use refusal::Refusal;
pub use setting::Request;
pub use source::{Source, lessons, sources};

use crate::config::LoadOptions;
use crate::report::{File, Made, Report, WebPage};
use crate::study;
use setting::Setting;

/// The kinds of files that a setting can be taken away as.
pub const EXPORTS: [&str; 5] = ["scenario", "csv", "svg", "json", "report"];

/// A setting as a file of one of [`EXPORTS`]: the scenario, or what `slicewise run` makes of it, until `stop` says
/// that nobody waits any more.
pub fn export(
    options: &LoadOptions,
    sources: &[Source],
    request: &Request,
    kind: &str,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<File, Refusal> {
    let setting = Setting::of(options, sources, request)?;
    let name = setting.name();
    if kind == "scenario" {
        return Ok(File::new(&format!("{name}.toml"), setting.text.clone()));
    }
    let wanted = match kind {
        "csv" => "summary.csv",
        "svg" => "percentiles.svg",
        "json" => "result.json",
        "report" => crate::report::PAGE,
        _ => return Err(Refusal::bad(format!("kind={kind}"), EXPORTS.join(", "))),
    };
    let results = moves::run(&setting, stop)?;
    let failed = |error: anyhow::Error| Refusal::bad(format!("{error:#}"), "another kind of file");
    if kind == "report" {
        let window = study::window(&setting.scenario, &results);
        let made = Made {
            command: format!("slicewise run {name}.toml --report"),
            files: vec![(format!("{name}.toml"), setting.text.clone())],
            window: Some(window),
            ..Made::default()
        };
        let page = results.web_page(&made).map_err(failed)?;
        return Ok(File::new(&format!("{name}.html"), page.bytes));
    }
    let files = results.files().map_err(failed)?;
    let file = files.into_iter().find(|file| file.name == wanted);
    let file =
        file.ok_or_else(|| Refusal::bad(format!("kind={kind}"), "this scenario has no such file"))?;
    let ending = wanted.rsplit('.').next().unwrap_or(wanted);
    Ok(File::new(&format!("{name}.{ending}"), file.bytes))
}
