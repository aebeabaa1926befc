//! A lesson: what a teacher says about a scenario. No result depends on it.

/// What stands in `[lesson]` of a scenario file, for the page that shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct Lesson {
    /// The question, to be answered by trying.
    pub question: String,
    /// What to predict before anything is shown.
    pub predict: Option<String>,
    /// What to try, in order.
    pub tries: Vec<String>,
    /// The answer, shown when it is asked for.
    pub answer: Option<String>,
    /// The path of the lesson's page, as the file has it.
    pub page: Option<String>,
    /// The curve that follows the settings.
    pub curve: Option<LessonCurve>,
    /// The settings to play with, in order, at most 30.
    pub controls: Vec<LessonControl>,
}

/// What a curve is drawn over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LessonCurve {
    /// The load of each VM.
    Load,
    /// The number of VMs.
    Vms,
}

impl LessonCurve {
    /// Each with its word in files.
    pub const ALL: [(&'static str, LessonCurve); 2] =
        [("load", LessonCurve::Load), ("vms", LessonCurve::Vms)];

    /// Its word in files.
    pub fn word(self) -> &'static str {
        if self == LessonCurve::Load { "load" } else { "vms" }
    }
}

/// A setting to play with: a number between two ends, or a choice. What is not stated is for the page
/// to fill in.
#[derive(Clone, PartialEq, Debug)]
pub struct LessonControl {
    /// The key that it sets, as an argument of `--set` begins: `vm.load.target_qps`.
    pub key: String,
    /// What the page calls it.
    pub label: Option<String>,
    /// The least number, in `unit`.
    pub from: Option<f64>,
    /// The greatest number, in `unit`; above `from`.
    pub to: Option<f64>,
    /// The step between two numbers, above 0, in `unit`.
    pub step: Option<f64>,
    /// Whether numbers are spread evenly or by their ratio.
    pub scale: Option<ControlScale>,
    /// The unit: a number is set as `KEY=NUMBER UNIT`. Nothing for a bare number.
    pub unit: Option<String>,
    /// The words to choose from, as they are set; empty for a number.
    pub values: Vec<String>,
}

/// How the numbers of a control are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlScale {
    /// Evenly.
    Linear,
    /// By their ratio; every number is above 0.
    Log,
}

impl ControlScale {
    /// Each with its word in files.
    pub const ALL: [(&'static str, ControlScale); 2] =
        [("linear", ControlScale::Linear), ("log", ControlScale::Log)];

    /// Its word in files.
    pub fn word(self) -> &'static str {
        if self == ControlScale::Linear { "linear" } else { "log" }
    }
}
