//! The log of trtexec, as printed: the summary at its end, and the settings before it.
//!
//! | since | GPU time |
//! |---|---|
//! | TensorRT 5 | `Average over 10 runs is 2.5 ms (host walltime is 2.6 ms, ...)` |
//! | 6, 7 | a block `GPU Compute` with the line `median: 2.5 ms` |
//! | 8 | `GPU Compute Time: min = 2.4 ms, max = 3 ms, mean = 2.5 ms, median = 2.5 ms, percentile(99%) = 2.9 ms` |
//!
//! The batch size is stated by `Batch: 8`, or by the shapes of the inputs where their first number
//! can only be the batch size.
//!
//! The oldest has only averages of the total time and no GPU time: it is refused. Source: TensorRT,
//! `samples/common/sampleReporting.cpp` and logs in its issues.

use super::Fault;
use std::ops::Range;

/// A file.
#[derive(Clone, PartialEq, Debug)]
pub struct Times {
    /// Every inference; for a log a single one, the median.
    pub inferences: Vec<Inference>,
    /// The field that was read: "by `computeMs`".
    pub read_by: &'static str,
    /// The batch size, where a log states it.
    pub batch: Option<(u32, Range<usize>)>,
    /// The GPU, where a log states it: `NVIDIA L40S`.
    pub device: Option<(String, Range<usize>)>,
    /// Reasons to doubt the times: whole sentences.
    pub doubts: Vec<String>,
}

/// The times of one inference, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Inference {
    /// On the GPU, without copies.
    pub compute_ms: f64,
    /// From host to device.
    pub copy_in_ms: f64,
    /// From device to host.
    pub copy_out_ms: f64,
    /// On the CPU, to enqueue it on the GPU; nothing in the oldest generation.
    pub enqueue_ms: Option<f64>,
    /// When it began and ended on the GPU, where the file states it.
    pub on_gpu: Option<(f64, f64)>,
}

/// Whether a text is a log of trtexec.
pub(super) fn is_one(text: &str) -> bool {
    /// A stamp has twenty letters.
    const STAMP_MAX: usize = 24;
    // `[I]` or `[06/12/2022-22:34:00]`, which begin no JSON.
    let stamp = text.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let is_stamped = stamp.is_some_and(|(stamp, _)| {
        let is_mark = |byte: u8| byte.is_ascii_uppercase() || byte == b'/';
        let of_stamp = |byte: u8| is_mark(byte) || byte.is_ascii_digit() || b"-:".contains(&byte);
        stamp.len() <= STAMP_MAX && stamp.bytes().all(of_stamp) && stamp.bytes().any(is_mark)
    });
    let marks =
        ["=== Performance summary ===", "RUNNING TensorRT.trtexec", "=== Inference Options ==="];
    is_stamped || marks.iter().any(|mark| text.contains(mark))
}

/// A line without its stamp and level.
struct Line<'t> {
    text: &'t str,
    span: Range<usize>,
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |whole| {
        let start = at;
        at += whole.len();
        let line = whole.trim_end();
        // [06/12/2022-22:34:00] [I] text
        let mut rest = line.trim_start();
        while let Some(behind) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            rest = behind.1.trim_start();
        }
        let from = start + line.len() - rest.len();
        Line { text: rest, span: from..start + line.len() }
    })
}

/// Reads the summary, or returns the faults.
pub(super) fn read(text: &str) -> Result<Times, Vec<Fault>> {
    let mut found = Summary::default();
    let mut block = "";
    for line in lines(text) {
        if let Some((key, value)) = line.text.split_once(':') {
            found.line(block, key.trim(), value.trim(), &line.span)?;
            if value.trim().is_empty() {
                block = "";
            }
        } else if !line.text.is_empty() {
            block = line.text;
        }
        found.bindings.extend(shape_of_binding(line.text).map(|shape| (shape, line.span.clone())));
        found.asked.extend(shapes_asked(line.text).map(|shape| (shape, line.span.clone())));
        if line.text.starts_with("Average over ") || line.text.starts_with("Average on ") {
            found.average.get_or_insert(line.span.clone());
        }
        if line.text.starts_with("* GPU compute time is unstable") {
            found.doubts.push(format!(
                "trtexec found its GPU times unstable ({}): lock the clocks, or measure longer",
                line.text.rsplit(' ').next().unwrap_or_default().trim_end_matches('.')
            ));
        }
        if line.text.starts_with("* Throughput may be bound by Enqueue Time") {
            found.doubts.push(
                "trtexec found the CPU too slow to keep the GPU busy: gaps between kernels are in its GPU time; measure with --useCudaGraph as well"
                    .to_string(),
            );
        }
    }
    found.times(text)
}

/// What a log says, as far as it was read.
#[derive(Default)]
struct Summary {
    compute_ms: Option<(f64, Range<usize>)>,
    copy_in_ms: Option<f64>,
    copy_out_ms: Option<f64>,
    enqueue_ms: Option<f64>,
    batch: Option<(u32, Range<usize>)>,
    /// Shapes that the command line asks for, and those that trtexec bound to its inputs.
    asked: Vec<(Vec<u32>, Range<usize>)>,
    bindings: Vec<(Vec<u32>, Range<usize>)>,
    streams: Option<u32>,
    device: Option<(String, Range<usize>)>,
    average: Option<Range<usize>>,
    doubts: Vec<String>,
}

impl Summary {
    /// `key: value` within a block, a heading without colon.
    fn line(
        &mut self,
        block: &str,
        key: &str,
        value: &str,
        span: &Range<usize>,
    ) -> Result<(), Vec<Fault>> {
        let median = || {
            if key == "median" {
                return Some(value); // 6 and 7, in a block
            }
            value.split(", ").find_map(|part| part.trim().strip_prefix("median = "))
        };
        let of = if key == "median" { block } else { key };
        let slot = match of {
            "Batch" => {
                // "Explicit" says nothing.
                self.batch =
                    value.parse().ok().map(|batch| (batch, span.clone())).or(self.batch.take());
                return Ok(());
            }
            "Selected Device" => {
                self.device = Some((value.to_string(), span.clone()));
                return Ok(());
            }
            "Streams" | "Infer Streams" => {
                self.streams = value.parse().ok().or(self.streams);
                return Ok(());
            }
            "GPU Compute Time" | "GPU Compute" => 0,
            "H2D Latency" => 1,
            "D2H Latency" => 2,
            "Enqueue Time" => 3,
            _ => return Ok(()),
        };
        let Some(text) = median() else { return Ok(()) };
        let digits = text.split_whitespace().next().unwrap_or_default();
        let ms = digits.parse::<f64>().ok().filter(|ms| (0.0..=1e7).contains(ms));
        // A number without its unit may be cut.
        let is_ms = text.split_whitespace().nth(1) == Some("ms");
        let Some(ms) = ms.filter(|_| is_ms) else {
            let shown: String = text.chars().take(40).collect();
            let fault = Fault::at(span.clone(), format!("the median of `{of}` is \"{shown}\""));
            return Err(vec![
                fault.allowed("0 to 10000000 ms, and the unit: a log that ends before it is cut"),
            ]);
        };
        match slot {
            0 if self.compute_ms.is_some() => {
                let title = "a second summary begins here";
                let help = "keep the log of one run in a file: each has its own batch";
                return Err(vec![Fault::at(span.clone(), title).help(help)]);
            }
            0 => self.compute_ms = Some((ms, span.clone())),
            1 => self.copy_in_ms = Some(ms),
            2 => self.copy_out_ms = Some(ms),
            _ => self.enqueue_ms = Some(ms),
        }
        Ok(())
    }

    fn times(self, text: &str) -> Result<Times, Vec<Fault>> {
        let compute = self.compute_ms.filter(|(ms, _)| *ms > 0.0);
        let Some((compute_ms, _)) = compute else {
            return Err(vec![match self.average {
                Some(span) => {
                    let title = "the log has averages, and no median of `GPU Compute Time`";
                    let help = "averages include host time and copies, or the log was cut short: \
                        measure with trtexec of TensorRT 6 or later and keep the summary at its \
                        end, or use --exportTimes=FILE";
                    Fault::at(span, title).help(help)
                }
                None => {
                    let line = text.lines().next().unwrap_or_default();
                    let title = match is_one(text) {
                        true => "the log of trtexec has no summary with `GPU Compute Time`",
                        false => "neither times exported by trtexec nor its log",
                    };
                    let help = "a run that failed has none; otherwise keep the log to its end, or use --exportTimes=FILE";
                    Fault::at(0..line.len(), title).help(help)
                }
            }]);
        };
        let mut doubts = self.doubts;
        if let Some(streams) = self.streams.filter(|streams| *streams > 1) {
            doubts.insert(
                0,
                format!(
                    "{streams} streams ran at once, and each time is that of concurrent batches: \
                 measure with one stream (trtexec without --streams and --infStreams)"
                ),
            );
        }
        let inference = Inference {
            compute_ms,
            copy_in_ms: self.copy_in_ms.unwrap_or(0.0),
            copy_out_ms: self.copy_out_ms.unwrap_or(0.0),
            enqueue_ms: self.enqueue_ms,
            on_gpu: None,
        };
        let read_by = "by the median of `GPU Compute Time` in its log";
        let shapes = if self.asked.is_empty() { &self.bindings } else { &self.asked };
        let batch = self.batch.or_else(|| batch_of(shapes));
        let device = self.device;
        Ok(Times { inferences: vec![inference], read_by, batch, device, doubts })
    }
}

/// `8x3x224x224`, every number above 0.
fn shape(text: &str) -> Option<Vec<u32>> {
    let numbers = text.split('x').map(|number| number.parse().ok().filter(|number| *number > 0));
    numbers.collect()
}

/// The shapes of `--shapes=input:8x3x224x224,mask:8x1` on the command line that a log repeats, and of its
/// line `Input inference shape: input=8x3x224x224`.
fn shapes_asked(line: &str) -> impl Iterator<Item = Vec<u32>> {
    let words = line.split_whitespace().filter_map(|word| word.strip_prefix("--shapes="));
    let option = line.strip_prefix("Input inference shape");
    let option = option.and_then(|rest| rest.split_once(':')).map(|(_, inputs)| inputs.trim());
    let inputs = words.chain(option).flat_map(|list| list.split(','));
    inputs.filter_map(|input| shape(input.trim_matches(['"', '\'']).rsplit([':', '=']).next()?))
}

/// The shape that an input was bound with: `Input binding for NAME with dimensions 8x3x224x224 is created.`,
/// before TensorRT 10 `Created input binding for NAME with dimensions 8x3x224x224`.
fn shape_of_binding(line: &str) -> Option<Vec<u32>> {
    let is_input = ["Input binding for ", "Created input binding for "];
    is_input.iter().find(|words| line.starts_with(**words))?;
    let (_, dimensions) = line.rsplit_once(" with dimensions ")?;
    shape(dimensions.split_whitespace().next()?.trim_end_matches('.'))
}

/// The first number of all shapes, where it is one and surely the batch: of images (four numbers) it is;
/// of two or three it may be the length of a text, unless it is less than the one behind it.
fn batch_of(shapes: &[(Vec<u32>, Range<usize>)]) -> Option<(u32, Range<usize>)> {
    let (first, span) = shapes.first()?;
    let batch = *first.first()?;
    let is_batch = |shape: &Vec<u32>| {
        shape.first() == Some(&batch)
            && (shape.len() > 3 || shape.get(1).is_none_or(|next| batch <= *next))
    };
    let tells = |shape: &Vec<u32>| shape.len() > 1;
    let is_sure = shapes.iter().all(|(shape, _)| is_batch(shape))
        && shapes.iter().any(|(shape, _)| tells(shape));
    is_sure.then(|| (batch, span.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::trtexec;

    /// The batch is the first number of the shapes where nothing else can be meant.
    #[test]
    fn a_batch_is_read_from_shapes_that_leave_no_doubt() {
        let bound = "[I] Input binding for data with dimensions 16x3x224x224 is created.\n[I] Output binding for prob with dimensions 16x1000 is created.\n";
        let before = "[I] Created input binding for data with dimensions 16x3x224x224\n";
        for (lines, batch) in [
            (bound, Some(16)),
            (before, Some(16)),
            (
                "&&&& RUNNING TensorRT.trtexec # trtexec --loadEngine=m.plan --shapes=ids:8x384,mask:8x384\n",
                Some(8),
            ),
            // 384 tokens of 8 texts, or 8 tokens of 384: nobody knows.
            ("# trtexec --shapes=ids:384x8\n", None),
            ("# trtexec --shapes=ids:8x384,mask:4x384\n", None),
            ("# trtexec --shapes=x:8\n", None),
            ("# trtexec --shapes=x:0x3x2x2\n", None),
            ("", None),
        ] {
            let times = log(&format!("{lines}{SUMMARY}"));
            assert_eq!(times.batch.map(|(batch, _)| batch), batch, "{lines}");
        }
        // What is said outright counts.
        let said =
            log(&format!("{}{before}{SUMMARY}", HEAD.replace("Batch: Explicit", "Batch: 4")));
        assert_eq!(said.batch.map(|(batch, _)| batch), Some(4));
    }

    const HEAD: &str = "&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --loadEngine=m.plan\n[01/02/2024-10:00:00] [I] === Inference Options ===\n[01/02/2024-10:00:00] [I] Batch: Explicit\n[01/02/2024-10:00:00] [I] Streams: 1\n";
    const SUMMARY: &str = "[01/02/2024-10:00:05] [I] \n[01/02/2024-10:00:05] [I] === Performance summary ===\n[01/02/2024-10:00:05] [I] Throughput: 400 qps\n[01/02/2024-10:00:05] [I] Latency: min = 2.6 ms, max = 3.1 ms, mean = 2.7 ms, median = 2.7 ms, percentile(90%) = 2.8 ms, percentile(99%) = 3 ms\n[01/02/2024-10:00:05] [I] Enqueue Time: min = 0.1 ms, max = 0.4 ms, mean = 0.2 ms, median = 0.2 ms, percentile(99%) = 0.3 ms\n[01/02/2024-10:00:05] [I] H2D Latency: min = 0.09 ms, max = 0.2 ms, mean = 0.1 ms, median = 0.1 ms, percentile(99%) = 0.2 ms\n[01/02/2024-10:00:05] [I] GPU Compute Time: min = 2.4 ms, max = 2.9 ms, mean = 2.52 ms, median = 2.5 ms, percentile(99%) = 2.8 ms\n[01/02/2024-10:00:05] [I] D2H Latency: min = 0.09 ms, max = 0.2 ms, mean = 0.1 ms, median = 0.1 ms, percentile(99%) = 0.2 ms\n[01/02/2024-10:00:05] [I] Total Host Walltime: 3.002 s\n[01/02/2024-10:00:05] [I] Total GPU Compute Time: 2.99 s\n";

    fn log(text: &str) -> Times {
        trtexec::read(text).unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    #[test]
    fn the_summary_of_today_is_read_with_stamps_and_without() {
        let plain: String = lines(SUMMARY).map(|line| format!("{}\r\n", line.text)).collect();
        for text in [format!("{HEAD}{SUMMARY}"), plain] {
            let times = log(&text);
            let one = times.inferences[0];
            assert_eq!((one.compute_ms, one.copy_in_ms, one.copy_out_ms), (2.5, 0.1, 0.1));
            assert_eq!((one.enqueue_ms, times.batch, times.doubts.len()), (Some(0.2), None, 0));
        }
    }

    #[test]
    fn blocks_of_7_are_read() {
        let text = "[I] Host Latency\n[I] min: 2.64 ms (end to end 2.66 ms)\n[I] median: 2.66 ms (end to end 5 ms)\n[I] throughput: 0 qps\n[I] Enqueue Time\n[I] min: 0.5 ms\n[I] median: 0.94 ms\n[I] GPU Compute\n[I] min: 2.5 ms\n[I] max: 6.1 ms\n[I] median: 2.56 ms\n[I] percentile: 2.57 ms at 99%\n";
        let times = log(text);
        assert_eq!(
            (times.inferences[0].compute_ms, times.inferences[0].enqueue_ms),
            (2.56, Some(0.94))
        );
    }

    #[test]
    fn what_makes_the_times_doubtful_is_told() {
        let text = format!(
            "{}{SUMMARY}[W] * Throughput may be bound by Enqueue Time rather than GPU Compute and the GPU may be under-utilized.\n[W] * GPU compute time is unstable, with coefficient of variance = 2.1%.\n",
            HEAD.replace("Streams: 1", "Streams: 2").replace("Batch: Explicit", "Batch: 8")
        );
        let times = log(&text);
        assert_eq!(times.batch.map(|(batch, _)| batch), Some(8));
        assert_eq!(times.doubts.len(), 3);
        assert!(times.doubts[0].starts_with("2 streams") && times.doubts[2].contains("(2.1%)"));
    }

    #[test]
    fn logs_without_a_summary_say_so() {
        for (text, told) in [
            (HEAD.to_string(), "no summary"),
            ("Average over 10 runs is 2.5 ms (host walltime is 2.6 ms, 99% percentile time is 2.7).\n".to_string(), "averages"),
            (format!("{HEAD}{SUMMARY}{SUMMARY}"), "second summary"),
            (SUMMARY.replace("median = 2.5 ms", "median = inf ms"), "\"inf ms\""),
            (SUMMARY.replace("median = 2.5 ms", "median = 2.5 us"), "\"2.5 us\""),
            ("hello".to_string(), "neither"),
        ] {
            let faults = trtexec::read(&text).expect_err(&text);
            assert!(faults[0].title.contains(told), "{told}: {}", faults[0].title);
        }
    }
}
