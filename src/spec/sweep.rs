//! A sweep: a grid of runs that differ in the values of a few keys.
//!
//! It holds the grid; a point's experiment is built where files are read, when it is needed.

/// What one call of `slicewise sweep` simulates.
#[derive(Clone, PartialEq, Debug)]
pub struct Sweep {
    /// The file's name; results go to `output/<name>/`.
    pub name: String,
    /// A one-line title.
    pub title: String,
    /// A hash of every file that went into it, catalogue included: 16 hexadecimal digits.
    pub hash: String,
    /// The seed of every point that does not vary it.
    pub seed: u64,
    /// Runs of each point; replication 0 draws what a single run would, later ones reseed.
    pub replications: u32,
    /// The keys that vary; the first is the horizontal axis of the charts.
    pub parameters: Vec<Parameter>,
    /// The label of the horizontal axis.
    pub x_label: String,
    /// Names of the lines of the charts; a single empty name when there is only one line.
    pub lines: Vec<String>,
    /// The points: line after line, along x in each.
    pub points: Vec<SweepPoint>,
    /// Whether at any point the host has cards of several models: then rows state the model.
    pub has_several_models: bool,
    /// Whether at any point service times are scaled from another GPU: then rows name that GPU.
    pub has_scaled_times: bool,
    /// Whether vCPUs may wait for the host's processors at any point.
    pub shares_processors: bool,
    /// Whether VMs serve LLMs at any point: then rows tell of tokens.
    pub serves_llms: bool,
    /// Whether any point has operations on its VMs.
    pub has_operations: bool,
    /// Whether any point tells its watts.
    pub tells_watts: bool,
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
    /// Its value on the horizontal axis.
    pub x: ParameterValue,
    /// Its value of each parameter.
    pub values: Vec<ParameterValue>,
    /// Why it cannot be simulated; nothing when it can.
    pub error: Option<String>,
    /// Why it does not exist, as the file declares; it is then no error.
    pub not_applicable: Option<String>,
}

impl SweepPoint {
    /// Whether it is to be simulated.
    pub fn is_simulated(&self) -> bool {
        self.error.is_none() && self.not_applicable.is_none()
    }
}

/// A value of a key.
#[derive(Clone, PartialEq, Debug)]
pub struct ParameterValue {
    /// As text.
    pub text: String,
    /// As a number, in the parameter's unit; nothing unless all of its values are numbers.
    pub number: Option<f64>,
}

impl Sweep {
    /// The points that are to be simulated, each with its place.
    pub fn simulated(&self) -> impl Iterator<Item = (usize, &SweepPoint)> {
        self.points.iter().enumerate().filter(|(_, point)| point.is_simulated())
    }

    /// The number of points that are declared not applicable.
    pub fn not_applicable(&self) -> usize {
        self.points.iter().filter(|point| point.not_applicable.is_some()).count()
    }

    /// The label of a point, for messages: `equal share, vm.count 8`.
    pub fn label(&self, point: &SweepPoint) -> String {
        let line = &self.lines[point.line];
        let x = match self.parameters.first() {
            Some(parameter) => format!("{} {}", parameter.key, point.x.text),
            None => point.x.text.clone(),
        };
        if line.is_empty() { x } else { format!("{line}, {x}") }
    }
}
