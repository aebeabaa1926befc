//! A sweep: a grid of runs that differ in the values of a few keys.
//!
//! It says what the grid is; a point's experiment is made where files are read, when it is wanted.

/// What one call of `slicewise sweep` simulates.
#[derive(Clone, PartialEq, Debug)]
pub struct Sweep {
    /// The file's name; results go to `output/<name>/`.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// A hash of every file that went into it, catalogue included: 16 hexadecimal digits.
    pub hash: String,
    /// The seed of every point that does not vary it.
    pub seed: u64,
    /// Runs of each point; replication 0 draws what a single run would, later ones reseed.
    pub replications: u32,
    /// What the points differ in, by key; the first is what charts are drawn against.
    pub parameters: Vec<Parameter>,
    /// What stands below the charts.
    pub x_label: String,
    /// Names of the lines of the charts; one without a name when there is only one.
    pub lines: Vec<String>,
    /// The points: line after line, along x in each.
    pub points: Vec<SweepPoint>,
    /// Whether at any point the host has cards of several models: then rows say which.
    pub has_several_models: bool,
    /// Whether at any point service times are scaled from another GPU's: then rows say whose.
    pub has_scaled_times: bool,
}

/// A key that varies.
#[derive(Clone, PartialEq, Debug)]
pub struct Parameter {
    /// Its path, such as `vm.vcpus`.
    pub key: String,
    /// The unit of its values as numbers, where files write it with the value.
    pub unit: Option<&'static str>,
}

/// One point of a sweep.
#[derive(Clone, PartialEq, Debug)]
pub struct SweepPoint {
    /// Index into [`Sweep::lines`].
    pub line: usize,
    /// Its place along the charts.
    pub x: ParameterValue,
    /// Its value of each parameter.
    pub values: Vec<ParameterValue>,
    /// Why it cannot be simulated; nothing when it can.
    pub error: Option<String>,
    /// Why it cannot exist by design, as the file declares; it is no error then.
    pub not_applicable: Option<String>,
}

impl SweepPoint {
    /// Whether it is to be simulated.
    pub fn is_simulated(&self) -> bool {
        self.error.is_none() && self.not_applicable.is_none()
    }
}

/// What a key is set to.
#[derive(Clone, PartialEq, Debug)]
pub struct ParameterValue {
    /// As people read it.
    pub text: String,
    /// As a number, in the parameter's unit; nothing unless all of its values are numbers.
    pub number: Option<f64>,
}

impl Sweep {
    /// The points that are to be simulated, each with its place.
    pub fn simulated(&self) -> impl Iterator<Item = (usize, &SweepPoint)> {
        self.points.iter().enumerate().filter(|(_, point)| point.is_simulated())
    }

    /// Points that are declared to be none.
    pub fn not_applicable(&self) -> usize {
        self.points.iter().filter(|point| point.not_applicable.is_some()).count()
    }

    /// A point in words, for messages: `equal share, vm.count 8`.
    pub fn label(&self, point: &SweepPoint) -> String {
        let line = &self.lines[point.line];
        let x = match self.parameters.first() {
            Some(parameter) => format!("{} {}", parameter.key, point.x.text),
            None => point.x.text.clone(),
        };
        if line.is_empty() { x } else { format!("{line}, {x}") }
    }
}
